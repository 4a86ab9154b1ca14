//! What instances see as folders.

use super::{
    BucketMode, BucketMount, DataSpec, FolderPath, MountPath, ObjectStore, Pins,
    words::{after, may, words},
};
use crate::{Bytes, Field, SecretName, SourceRef, Value, entries::List};
use std::{fmt, sync::Arc};

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where its files come from.
    pub source: MountSource,
    /// Keeps what was read once in memory that is idle.
    pub cache: Option<MountCache>,
    /// What it holds, for people who look.
    pub label: Option<MountLabel>,
}

impl Mount {
    /// A folder of the host.
    pub fn folder(folder: FolderPath, access: Access) -> Self {
        Self::of(MountSource::Folder(FolderMount { folder, access }))
    }

    /// A source, without a cache and a label.
    pub fn of(source: MountSource) -> Self {
        Self { source, cache: None, label: None }
    }

    /// The folder of the host, if it is one.
    pub fn as_folder(&self) -> Option<&FolderMount> {
        match &self.source {
            MountSource::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    /// The folder whose content is fixed when a revision is made, if it is one.
    pub fn as_snapshot(&self) -> Option<&FolderPath> {
        self.as_folder().filter(|mount| mount.access == Access::Snapshot).map(|mount| &mount.folder)
    }

    /// The folder of a bucket that is copied before instances start, and whose content is fixed when a revision is made, if
    /// it is one. A later content of one that is live makes no revision.
    pub fn as_copied(&self) -> Option<&BucketMount> {
        match &self.source {
            MountSource::Bucket(bucket) if bucket.is_copied() => Some(bucket),
            _ => None,
        }
    }

    /// The folder of a bucket that a client of this host is to serve as a file system, if it is one.
    pub fn as_fuse(&self) -> Option<&BucketMount> {
        match &self.source {
            MountSource::Bucket(bucket) if bucket.mode == Some(BucketMode::Fuse) => Some(bucket),
            _ => None,
        }
    }

    /// The folder of a bucket that each instance has a copy of to write to, if it is one. What is cached is only read.
    pub fn as_written(&self) -> Option<&BucketMount> {
        self.as_copied().filter(|bucket| !bucket.read_only && self.cache.is_none())
    }

    /// What it points at that may hold something else tomorrow: a runtime that makes a copy of it before instances start
    /// has a revision pin what it holds.
    pub fn copied_from(&self) -> Option<SourceRef> {
        match &self.source {
            MountSource::Git(git) => Some(SourceRef::Git(git.clone())),
            MountSource::Image(part) => Some(SourceRef::Part(part.clone())),
            _ => {
                let bucket = || self.as_copied().cloned().map(SourceRef::Bucket);
                self.as_snapshot().cloned().map(SourceRef::Folder).or_else(bucket)
            }
        }
    }

    /// The secrets that are needed to read it, by what they are for.
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &SecretName)> {
        let [one, two] = match &self.source {
            MountSource::Git(git) => [("password", git.password.as_ref()), ("", None)],
            MountSource::Bucket(bucket) => {
                let keys = bucket.keys.as_ref();
                [("access-key", keys.map(|keys| &keys.access)), ("secret-key", keys.map(|keys| &keys.secret))]
            }
            _ => [("", None), ("", None)],
        };
        [one, two].into_iter().filter_map(|(what, secret)| Some((what, secret?)))
    }

    /// The fields of the mount at `path`.
    pub(crate) fn list(&self, path: &MountPath, pins: &Pins, list: &mut List) {
        let Self { source, cache, label } = self;
        list.at(source.field(), path.as_str(), Value::Text(source.to_string()));
        if let MountSource::Nfs(NfsMount { resource_group: Some(group), .. }) = source {
            list.at(Field::MountResourceGroup, path.as_str(), Value::Text(group.to_string()));
        }
        if let Some(MountCache { size }) = cache {
            let field = match size {
                Some(_) => Field::MountCacheSize,
                None if self.copied_from().is_some() => Field::MountCache,
                None => Field::MountCacheLive,
            };
            let size = size.map_or("as much as is idle".to_owned(), |size| size.to_string());
            list.at(field, path.as_str(), Value::Text(size));
        }
        if let Some(label) = label {
            list.at(Field::MountLabel, path.as_str(), Value::Text(label.as_str().to_owned()));
        }
        for (what, secret) in self.secrets() {
            let value = Value::Secret(secret.clone(), pins.secrets.get(secret).copied());
            list.at(Field::MountSecret, &format!("{path} {what}"), value);
        }
    }
}

/// Where the files of a mount come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// A folder of the host.
    Folder(FolderMount),
    /// A folder of a bucket.
    Bucket(BucketMount),
    /// A folder that a file server exports.
    Nfs(NfsMount),
    /// A dataset that the platform knows.
    Dataset(DatasetMount),
    /// A repository.
    Git(GitMount),
    /// A code set that the platform knows.
    CodeSet(Arc<str>),
    /// A model that the platform knows.
    Model(ModelMount),
    /// A folder of a container image.
    Image(ImageMount),
    /// An empty folder that lives as long as the instance.
    Empty,
    /// An empty folder in memory.
    Memory(Bytes),
    /// A folder that outlives instances: an object of its own.
    Data(DataSpec),
}

impl MountSource {
    /// The field under which it is listed; what a runtime can mount differs from kind to kind.
    pub fn field(&self) -> Field {
        match self {
            Self::Folder(_) => Field::Mount,
            Self::Bucket(bucket) => match (bucket.mode, bucket.read_only, bucket.store) {
                (Some(BucketMode::Stream), ..) => Field::MountStream,
                (Some(BucketMode::Fuse), ..) => Field::MountFuse,
                (_, false, _) => Field::MountWritable,
                (_, true, ObjectStore::Oss) => Field::MountOss,
                (_, true, ObjectStore::S3) => Field::MountS3,
            },
            Self::Nfs(_) => Field::MountNfs,
            Self::Dataset(_) => Field::MountDataset,
            Self::Git(_) => Field::MountGit,
            Self::CodeSet(_) => Field::MountCodeSet,
            Self::Model(_) => Field::MountModel,
            Self::Image(_) => Field::MountImage,
            Self::Empty => Field::MountEmpty,
            Self::Memory(_) => Field::MountMemory,
            Self::Data(_) => Field::MountData,
        }
    }
}

impl fmt::Display for MountSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(FolderMount { folder, access }) => write!(f, "{folder} {}", access.as_str()),
            Self::Bucket(bucket) => bucket.fmt(f),
            // Its resource group is listed as a field of its own.
            Self::Nfs(NfsMount { server, path, read_only, resource_group: _ }) => {
                write!(f, "{server}:{path}{}", may(*read_only))
            }
            Self::Dataset(DatasetMount { id, version, read_only }) => {
                write!(f, "{id}{}{}", after(" version ", version), may(*read_only))
            }
            Self::Git(git) => git.fmt(f),
            Self::CodeSet(id) => f.write_str(id),
            Self::Model(ModelMount { id, version }) => write!(f, "{id}{}", after(" version ", version)),
            Self::Image(part) => part.fmt(f),
            Self::Empty => f.write_str("empty"),
            Self::Memory(size) => size.fmt(f),
            // Whether it is kept says nothing of what an instance sees.
            Self::Data(DataSpec { keep_on_delete: _ }) => f.write_str("data"),
        }
    }
}

/// A folder of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderMount {
    /// The folder.
    pub folder: FolderPath,
    /// What instances may do there, and whether they see later changes of the folder.
    pub access: Access,
}

words! {
    /// What a mount holds.
    MountLabel {
        /// A model.
        Model => "model",
        /// Code.
        Code => "code",
    }
}

/// A folder that a file server exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NfsMount {
    /// The server.
    pub server: Arc<str>,
    /// The folder there.
    pub path: Arc<str>,
    /// Whether instances may only read it.
    pub read_only: bool,
    /// The platform's resource group of the server.
    pub resource_group: Option<Arc<str>>,
}

/// A dataset that the platform knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetMount {
    /// Which.
    pub id: Arc<str>,
    /// Which version; the newest when absent.
    pub version: Option<Arc<str>>,
    /// Whether instances may only read it.
    pub read_only: bool,
}

/// A model that the platform knows; instances only read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelMount {
    /// Which.
    pub id: Arc<str>,
    /// Which version; the newest when absent.
    pub version: Option<Arc<str>>,
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitMount {
    /// Its address.
    pub url: Arc<str>,
    /// The branch; the repository's own when absent.
    pub branch: Option<Arc<str>>,
    /// The commit; the newest of the branch when absent.
    pub commit: Option<Arc<str>>,
    /// Who reads it.
    pub username: Option<Arc<str>>,
    /// Which secret holds the password.
    pub password: Option<SecretName>,
}

impl fmt::Display for GitMount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, branch, commit, username, password: _ } = self;
        let (branch, commit) = (after(" branch ", branch), after(" commit ", commit));
        write!(f, "{url}{branch}{commit}{}", after(" as ", username))
    }
}

/// A folder of a container image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageMount {
    /// The image.
    pub image: Arc<str>,
    /// The folder in it.
    pub path: Arc<str>,
}

impl fmt::Display for ImageMount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.path, self.image)
    }
}

/// Keeps what was read from a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountCache {
    /// At most so much; as much as is idle when absent.
    pub size: Option<Bytes>,
}

/// What instances may do with a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read a copy that was taken when the revision was made: a later change of the folder is a new revision.
    Snapshot,
    /// Read the folder itself as it changes.
    LiveReadOnly,
    /// Read and write the folder itself.
    LiveReadWrite,
}

impl Access {
    /// The words of plans.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "read-only",
            Self::LiveReadOnly => "read-only live",
            Self::LiveReadWrite => "read-write live",
        }
    }
}
