//! Folders of buckets: where they are, who opens them, and how their files reach an instance.

use super::words::{after, may, words};
use crate::SecretName;
use std::{fmt, sync::Arc};

/// A folder of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketMount {
    /// Which protocol.
    pub store: ObjectStore,
    /// The bucket and the folder in it: `bucket/dir/`.
    pub path: Arc<str>,
    /// Where the store answers; the runtime's own when absent.
    pub endpoint: Option<Arc<str>>,
    /// The region of the bucket.
    pub region: Option<Arc<str>>,
    /// How its files reach the instance; the runtime chooses when absent.
    pub mode: Option<BucketMode>,
    /// Whether instances may only read it. What they write to a copy is sent to the bucket when they end.
    pub read_only: bool,
    /// Whether what it holds later is no change of the service, although instances only read it.
    pub live: bool,
    /// With which keys it is opened; with the runtime's own when absent.
    pub keys: Option<BucketKeys>,
}

impl BucketMount {
    /// Whether all its files are copied before instances start. They read one copy; where they write, each has its own.
    pub fn is_copied(&self) -> bool {
        matches!(self.mode, None | Some(BucketMode::Sync))
    }

    /// Whether what it holds later is no change of the service. A copy is then of what it held when its revision was made.
    /// So it is wherever instances write: what they send back must not make a revision.
    pub fn is_live(&self) -> bool {
        self.live || !self.read_only || !self.is_copied()
    }

    /// Where its server is, as far as it was said: every region of Alibaba Cloud's has one of its own. Without an answer, it
    /// is Amazon's, or nobody has said which of Alibaba Cloud's.
    pub fn server(&self) -> Option<String> {
        let of_region = |region: &Arc<str>| format!("https://oss-{}{OSS_HOSTS}", bare(region));
        let region = self.region.as_ref().filter(|_| self.store == ObjectStore::Oss);
        self.endpoint.as_ref().map(ToString::to_string).or_else(|| region.map(of_region))
    }

    /// The bucket, and the folder in it: without slashes around it, and empty where the whole bucket is meant.
    pub fn bucket_and_folder(&self) -> (&str, &str) {
        let (bucket, folder) = self.path.split_once('/').unwrap_or((&self.path, ""));
        (bucket, folder.trim_matches('/'))
    }
}

/// What the hosts of Alibaba Cloud's object storage end with.
const OSS_HOSTS: &str = ".aliyuncs.com";

/// What the name of an endpoint's host has before that, if the host is one of Alibaba Cloud's: `oss-cn-hangzhou`.
pub fn oss_host(endpoint: &str) -> Option<&str> {
    let (_, rest) = endpoint.split_once("://")?;
    let authority = rest.split('/').next()?;
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).strip_suffix(OSS_HOSTS)
}

/// A region of Alibaba Cloud's, which some write as its hosts have it.
fn bare(region: &str) -> &str {
    region.strip_prefix("oss-").unwrap_or(region)
}

impl fmt::Display for BucketMount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store: _, path, endpoint, region, mode, read_only, live, keys: _ } = self;
        let (endpoint, region) = (after(" at ", endpoint), after(" in ", region));
        let mode = mode.map_or("", |mode| mode.as_str());
        let gap = if mode.is_empty() { "" } else { " " };
        let live = if *live { " live" } else { "" };
        write!(f, "{path}{endpoint}{region}{gap}{mode}{}{live}", may(*read_only))
    }
}

words! {
    /// The protocol of a store of objects.
    ObjectStore {
        /// Alibaba Cloud's.
        Oss => "oss",
        /// Amazon's, which many others speak.
        S3 => "s3",
    }
}

words! {
    /// How the files of a bucket reach an instance.
    BucketMode {
        /// All are copied before the instance starts.
        Sync => "sync",
        /// The program reads them itself, and is told where they are by its variables.
        Stream => "stream",
        /// As a file system of its own.
        Fuse => "fuse",
    }
}

words! {
    /// A program that serves the files of a bucket as a file system of the host.
    FuseClient {
        /// The one of this name, which Linux distributions have.
        Rclone => "rclone",
    }
}

/// The keys of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketKeys {
    /// Which secret holds the id of the key.
    pub access: SecretName,
    /// Which secret holds the key.
    pub secret: SecretName,
}
