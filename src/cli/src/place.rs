//! A place of a record as it is written on the command line: `folder`, or the address of a bucket.

use crate::{
    fault::{Ends, Fault},
    project::Project,
};
use std::{str::FromStr, sync::Arc};
use wharf_bucket::BucketBackend;
use wharf_encrypt::{Encrypted, Encryption, Wanted};
use wharf_model::{BucketSpec, BucketStyle, StateSpec};
use wharf_store::{Backend, FolderBackend};

/// A place of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The project's own folder.
    Folder,
    /// A bucket.
    Bucket(BucketSpec),
}

impl Place {
    /// The store there, which is not the one that the files name.
    pub(crate) fn backend(&self, project: &Project) -> Ends<Arc<dyn Backend>> {
        let named = match (self, &project.deployment.state) {
            (Self::Folder, StateSpec::Folder) => true,
            (Self::Bucket(from), StateSpec::Bucket { spec: to, .. }) => from == to,
            _ => false,
        };
        if named {
            let fault = Fault::new("the files say already that the record is there");
            return Err(fault.help(
                "let `state` name the new place, and `--from` the one where the record is now; one that is encrypted takes \
                 another `prefix` than the same in plain",
            ));
        }
        Ok(match self {
            Self::Folder => Arc::new(FolderBackend::new(project.state_dir())),
            Self::Bucket(spec) => {
                let encryption = Arc::new(Encryption::new(Wanted::AsFound, project.identities.clone()));
                Arc::new(Encrypted::new(Arc::new(BucketBackend::new(spec.clone())), encryption))
            }
        })
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "folder" {
            return Ok(Self::Folder);
        }
        let wanted = || "a place is `folder` or `s3://bucket/prefix?region=…&endpoint=…`".to_owned();
        let rest = text.strip_prefix("s3://").ok_or_else(wanted)?;
        let (path, settings) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let prefix = prefix.trim_matches('/');
        if bucket.is_empty() {
            return Err(wanted());
        }
        let prefix = (!prefix.is_empty()).then(|| prefix.into());
        let mut spec = BucketSpec { bucket: bucket.into(), prefix, region: None, endpoint: None, style: None };
        for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
            match setting.split_once('=') {
                Some(("region", region)) => spec.region = Some(region.into()),
                Some(("endpoint", endpoint)) => spec.endpoint = Some(endpoint.into()),
                Some(("style", "path")) => spec.style = Some(BucketStyle::Path),
                Some(("style", "host")) => spec.style = Some(BucketStyle::Host),
                _ => {
                    return Err(format!(
                        "`{setting}` is none of `region=…`, `endpoint=…`, `style=path` and `style=host`"
                    ));
                }
            }
        }
        Ok(Self::Bucket(spec))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        assert_eq!("folder".parse(), Ok(Place::Folder));
        let spec = BucketSpec {
            bucket: "acme".into(),
            prefix: Some("chat/prod".into()),
            region: Some("eu-1".into()),
            endpoint: Some("http://127.0.0.1:9000".into()),
            style: Some(BucketStyle::Path),
        };
        let text = "s3://acme/chat/prod/?region=eu-1&endpoint=http://127.0.0.1:9000&style=path";
        assert_eq!(text.parse(), Ok(Place::Bucket(spec)));
        for wrong in ["", "s3://", "gs://acme", "s3://acme?key=1", "s3://acme?style=virtual"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
