//! Where the record of an environment is kept.

use std::{fmt, sync::Arc};

/// Where the record of an environment is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StateSpec {
    /// In the project's own folder.
    #[default]
    Folder,
    /// In a bucket of object storage.
    Bucket {
        /// Where.
        spec: BucketSpec,
        /// For whom it is encrypted, as age writes recipients; it is in plain when there are none.
        recipients: Vec<Arc<str>>,
    },
}

/// A place in object storage. It names no credentials: those are found where each user and pipeline keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSpec {
    /// The bucket.
    pub bucket: Arc<str>,
    /// What the names of all objects begin with, without a slash at either end; none for the whole bucket.
    pub prefix: Option<Arc<str>>,
    /// The region; where it is absent, that of the endpoint or of the user's own settings.
    pub region: Option<Arc<str>>,
    /// The server's address; Amazon's own when absent.
    pub endpoint: Option<Arc<str>>,
    /// How the bucket is named to the server; what the endpoint is known to want when absent.
    pub style: Option<BucketStyle>,
}

/// How a bucket is named to its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketStyle {
    /// In the path: `https://storage.example.com/bucket/key`.
    Path,
    /// In the host's name: `https://bucket.storage.example.com/key`.
    Host,
}

impl BucketStyle {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Host => "host",
        }
    }
}

impl BucketSpec {
    /// The address of a key in it, for people.
    pub fn place(&self, key: &str) -> String {
        let prefix = self.prefix.as_deref().map(|prefix| format!("{prefix}/")).unwrap_or_default();
        format!("s3://{}/{prefix}{key}", self.bucket).trim_end_matches('/').to_owned()
    }
}

impl fmt::Display for BucketSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place(""))
    }
}
