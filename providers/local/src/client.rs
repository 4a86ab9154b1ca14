//! The clients that serve folders of buckets as file systems of this host: whether there is one, and what it is started with.
//! Keeping it up is for `file_systems`.
//!
//! A client reads its settings from variables, so no key is among its arguments, which everybody on the host may read.

use crate::{
    format::FileSystem,
    launch::{Surroundings, unknown},
};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};
use wharf_model::{BucketMount, FuseClient, Launch, MountPath, SecretName};
use wharf_mounts::REMEMBERED;
use wharf_provider::ProviderError;

/// The name that the client gives the bucket's server.
const REMOTE: &str = "wharf";
/// What leads a client to the keys of the one who runs wharf, to servers by way of others, and to those whom TLS trusts.
const PASSED_ON: [&str; 10] = [
    "HOME",
    "PATH",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// No settings but ours, lines without the times that the instance's log gives them, nothing kept here of what is written,
/// the server's times, and no attempt to make the bucket.
const SETTINGS: [&str; 5] =
    ["--config=", "--log-format=", "--vfs-cache-mode=off", "--use-server-modtime", "--s3-no-check-bucket"];

/// The other way out, where there is no client.
const OTHERWISE: &str = "or leave `mode` out, and the folder is copied before instances start";

/// What this host can do about folders of buckets that are to be file systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fuse {
    /// The files name no client.
    Unnamed,
    /// The one that they name cannot be used here.
    Unusable {
        /// Why.
        why: String,
        /// The way out.
        help: String,
    },
    /// It is here.
    Ready(FuseClient),
}

impl Fuse {
    /// Looks whether the client that the files name is installed on this host, for a user with this environment.
    pub fn here(client: Option<FuseClient>, environment: &BTreeMap<OsString, OsString>) -> Self {
        let Some(client) = client else { return Self::Unnamed };
        let found = |name: &str| find(OsStr::new(name), environment).is_some();
        let program = client.as_str();
        let (why, help) = if !found(program) {
            (format!("`{program}` is not on PATH"), format!("install the package `{program}` on this host"))
        } else if !found("fusermount3") && !found("fusermount") {
            let why = format!("`{program}` mounts with `fusermount3`, which is not on PATH");
            (why, "install the package `fuse3` on this host".to_owned())
        } else if !Path::new("/dev/fuse").exists() {
            let help = "load the kernel's module `fuse`; in a container, start that with `--device /dev/fuse`";
            ("this host has no /dev/fuse".to_owned(), help.to_owned())
        } else {
            return Self::Ready(client);
        };
        Self::Unusable { why, help: format!("{help}; {OTHERWISE}") }
    }

    /// Why there is no client, and the way out; nothing when there is one.
    pub(crate) fn lack(&self) -> Option<(Cow<'static, str>, Cow<'static, str>)> {
        match self {
            Self::Ready(_) => None,
            Self::Unusable { why, help } => Some((why.clone().into(), help.clone().into())),
            Self::Unnamed => {
                let help = format!("write `provider \"local\" {{ fuse \"rclone\" }}` in the environment; {OTHERWISE}");
                Some(("no client is named that would mount it".into(), help.into()))
            }
        }
    }
}

/// Where on `PATH` a program is.
pub(crate) fn find(name: &OsStr, environment: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    let path = environment.get(OsStr::new("PATH"))?;
    env::split_paths(path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The mounts of a launch that a client serves, in an order that stays.
pub(crate) fn mounts(launch: &Launch) -> impl Iterator<Item = (&MountPath, &BucketMount)> {
    let mounts = launch.revision.template.mounts.iter();
    mounts.filter_map(|(path, mount)| Some((path, mount.as_fuse()?)))
}

/// What is to be served for a launch.
pub(crate) fn systems(launch: &Launch, around: &Surroundings<'_>) -> Result<Vec<FileSystem>, ProviderError> {
    let own = around.layout.instance(&launch.instance);
    let system = |(index, (path, mount)): (usize, (&MountPath, &BucketMount))| {
        let (served, place) = (own.served(index), own.passed_on(index));
        Ok(FileSystem {
            what: address(mount),
            command: match around.fuse {
                Fuse::Ready(FuseClient::Rclone) => rclone(mount, &served),
                // The plan refuses what is new; an older revision may need a client that the files name no more.
                Fuse::Unnamed | Fuse::Unusable { .. } => return Err(missing(launch, path, around.fuse)),
            },
            env: variables(launch, mount, around)?,
            read_only: mount.read_only,
            served,
            place,
            target: PathBuf::from(path.as_str()),
        })
    };
    mounts(launch).enumerate().map(system).collect()
}

/// Where a folder is, for people.
fn address(mount: &BucketMount) -> String {
    let at = mount.server().map(|server| format!(" at {server}")).unwrap_or_default();
    format!("{}://{}{at}", mount.store.as_str(), mount.path)
}

fn missing(launch: &Launch, path: &MountPath, fuse: &Fuse) -> ProviderError {
    let (why, help) = fuse.lack().unwrap_or_default();
    let attempt = format!("cannot start {}: nothing can be mounted at {path}: {why}", launch.instance);
    ProviderError::Missing { attempt, help: help.into_owned() }
}

/// What is written goes to the bucket as it is written, and is there once its file is closed: nothing of it is kept here
/// that could be lost. Times that the client would keep itself cost a request for each file.
fn rclone(mount: &BucketMount, served: &Path) -> Vec<String> {
    let (bucket, folder) = mount.bucket_and_folder();
    let mut words = vec![FuseClient::Rclone.as_str().to_owned(), "mount".to_owned()];
    words.extend([format!("{REMOTE}:{bucket}/{folder}"), served.display().to_string()]);
    words.extend(SETTINGS.map(str::to_owned));
    words.push(format!("--dir-cache-time={REMEMBERED}"));
    words.push(format!("--devname={}://{}", mount.store.as_str(), mount.path));
    words.extend(mount.read_only.then(|| "--read-only".to_owned()));
    words
}

fn variables(
    launch: &Launch,
    mount: &BucketMount,
    around: &Surroundings<'_>,
) -> Result<BTreeMap<String, String>, ProviderError> {
    let given = around.environment.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let passed = given.filter(|(name, _)| name.starts_with("AWS_") || PASSED_ON.contains(name));
    // It fails where it finds these authorities under that name, and takes them under another.
    let named = |name| if name == "AWS_CA_BUNDLE" { "RCLONE_CA_CERT" } else { name };
    let mut env: BTreeMap<String, String> =
        passed.map(|(name, value)| (named(name).to_owned(), value.to_owned())).collect();
    let region = env.get("AWS_REGION").or_else(|| env.get("AWS_DEFAULT_REGION")).cloned();
    let value = |secret: &SecretName| around.secrets.expose(secret).map(str::to_owned);
    let settings = wharf_mounts::rclone(mount, region, value).map_err(|secret| unknown(launch, &secret))?;
    let kind = ("type", "s3".to_owned());
    env.extend([kind].into_iter().chain(settings).map(|(name, value)| {
        let name = format!("RCLONE_CONFIG_{}_{}", REMOTE.to_uppercase(), name.to_uppercase());
        (name, value)
    }));
    Ok(env)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_a_client_says_what_to_install() {
        let site = tempfile::tempdir().unwrap();
        let environment = BTreeMap::from([("PATH".into(), site.path().into())]);
        let lack = |client| Fuse::here(client, &environment).lack().unwrap();
        assert!(lack(None).1.contains("fuse \"rclone\""));
        let client = Some(FuseClient::Rclone);
        assert_eq!(lack(client).0, "`rclone` is not on PATH");
        std::fs::write(site.path().join("rclone"), "").unwrap();
        assert!(lack(client).1.starts_with("install the package `fuse3`"));
        std::fs::write(site.path().join("fusermount3"), "").unwrap();
        let here = Fuse::here(client, &environment);
        assert_eq!(here.lack().is_none(), Path::new("/dev/fuse").exists(), "{here:?}");
    }
}
