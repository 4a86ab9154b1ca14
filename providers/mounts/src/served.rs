//! What a client is told that serves a folder of a bucket as a file system, whoever starts it and keeps it up.

use wharf_model::{BucketMount, ObjectStore, SecretName, oss_host};

/// How long what a folder holds may be told from memory: what comes and goes in the bucket is seen that much later.
pub const REMEMBERED: &str = "5s";

/// The region that servers which know none are told.
const ANY_REGION: &str = "us-east-1";

/// The settings of the client `rclone` for a bucket's server, by the names that it has for them. `region` is that of whoever
/// asks, for a mount that names none.
///
/// # Errors
/// The secret whose value is not known.
pub fn rclone(
    mount: &BucketMount,
    region: Option<String>,
    value: impl Fn(&SecretName) -> Option<String>,
) -> Result<Vec<(&'static str, String)>, SecretName> {
    let server = mount.server();
    let provider = match (mount.store, &server) {
        (ObjectStore::Oss, _) => "Alibaba",
        (ObjectStore::S3, Some(_)) => "Other",
        (ObjectStore::S3, None) => "AWS",
    };
    // Servers of one's own seldom have a name for each bucket; and not every server knows the older lists any more.
    let by_path = server.as_deref().is_some_and(|server| oss_host(server).is_none());
    let mut settings = vec![
        ("provider", provider.to_owned()),
        ("list_version", "2".to_owned()),
        ("force_path_style", by_path.to_string()),
    ];
    let said = mount.region.as_deref().map(str::to_owned).or(region);
    let region = said.or_else(|| server.is_some().then(|| ANY_REGION.to_owned()));
    settings.extend(region.map(|region| ("region", region)));
    settings.extend(server.map(|server| ("endpoint", server)));
    match &mount.keys {
        Some(keys) => {
            for (name, secret) in [("access_key_id", &keys.access), ("secret_access_key", &keys.secret)] {
                settings.push((name, value(secret).ok_or_else(|| secret.clone())?));
            }
        }
        None => settings.push(("env_auth", true.to_string())),
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn told(mount: &BucketMount) -> BTreeMap<&'static str, String> {
        rclone(mount, None, |_| None).unwrap().into_iter().collect()
    }

    #[test]
    fn a_client_is_told_where_the_server_is_and_how_it_wants_to_be_asked() {
        let amazon = BucketMount {
            store: ObjectStore::S3,
            path: "acme/pages/".into(),
            endpoint: None,
            region: Some("eu-central-1".into()),
            mode: None,
            read_only: true,
            live: false,
            keys: None,
        };
        let of = |mount: &BucketMount| {
            let told = told(mount);
            let text = |name| told.get(name).map_or("", String::as_str);
            ["provider", "endpoint", "region", "force_path_style", "env_auth"].map(|name| text(name).to_owned())
        };
        assert_eq!(of(&amazon), ["AWS", "", "eu-central-1", "false", "true"]);
        let own = BucketMount { endpoint: Some("https://s3.example.com".into()), region: None, ..amazon.clone() };
        assert_eq!(of(&own), ["Other", "https://s3.example.com", "us-east-1", "true", "true"]);
        let oss = BucketMount { store: ObjectStore::Oss, region: Some("cn-hangzhou".into()), ..amazon };
        assert_eq!(of(&oss), ["Alibaba", "https://oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou", "false", "true"]);
    }
}
