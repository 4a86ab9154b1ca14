//! Mounts. Those of folders stand as they always did; every other source stands under `source`.

use super::{
    object::DataV1,
    stored::{Stored, as_text, as_word, stored},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wharf_model::{
    Access, BucketKeys, BucketMode, BucketMount, Bytes, DatasetMount, FolderMount, FolderPath, GitMount, ImageMount,
    ModelMount, Mount, MountCache, MountLabel, MountSource, NfsMount, ObjectStore, SecretName,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MountV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access: Option<AccessV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<SourceV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache: Option<MountCacheV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AccessV1 {
    Snapshot,
    LiveReadOnly,
    LiveReadWrite,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SourceV1 {
    Bucket(BucketMountV1),
    Nfs(NfsMountV1),
    Dataset(DatasetMountV1),
    Git(GitMountV1),
    CodeSet(String),
    Model(ModelMountV1),
    Image(ImageMountV1),
    Empty,
    Memory(u64),
    Data(DataV1),
}

as_word!(ObjectStore, BucketMode, MountLabel);
as_text!(SecretName);
stored!(struct BucketKeys as BucketKeysV1 { access: SecretName, secret: SecretName });
stored!(struct BucketMount as BucketMountV1 {
    store: ObjectStore,
    path: Arc<str>,
    read_only: bool;
    endpoint: Option<Arc<str>>,
    region: Option<Arc<str>>,
    mode: Option<BucketMode>,
    keys: Option<BucketKeys>,
    live: bool,
});
stored!(struct NfsMount as NfsMountV1 {
    server: Arc<str>,
    path: Arc<str>,
    read_only: bool;
    resource_group: Option<Arc<str>>,
});
stored!(struct ModelMount as ModelMountV1 { id: Arc<str>; version: Option<Arc<str>> });
stored!(struct DatasetMount as DatasetMountV1 { id: Arc<str>, read_only: bool; version: Option<Arc<str>> });
stored!(struct GitMount as GitMountV1 {
    url: Arc<str>;
    branch: Option<Arc<str>>,
    commit: Option<Arc<str>>,
    username: Option<Arc<str>>,
    password: Option<SecretName>,
});
stored!(struct ImageMount as ImageMountV1 { image: Arc<str>, path: Arc<str> });
stored!(struct MountCache as MountCacheV1 { ; size: Option<Bytes> });

impl AccessV1 {
    fn of(access: Access) -> Self {
        match access {
            Access::Snapshot => Self::Snapshot,
            Access::LiveReadOnly => Self::LiveReadOnly,
            Access::LiveReadWrite => Self::LiveReadWrite,
        }
    }

    fn read(self) -> Access {
        match self {
            Self::Snapshot => Access::Snapshot,
            Self::LiveReadOnly => Access::LiveReadOnly,
            Self::LiveReadWrite => Access::LiveReadWrite,
        }
    }
}

impl SourceV1 {
    fn of(source: &MountSource) -> Option<Self> {
        Some(match source {
            MountSource::Folder(_) => return None,
            MountSource::Bucket(bucket) => Self::Bucket(bucket.store()),
            MountSource::Nfs(nfs) => Self::Nfs(nfs.store()),
            MountSource::Dataset(dataset) => Self::Dataset(dataset.store()),
            MountSource::Git(git) => Self::Git(git.store()),
            MountSource::CodeSet(id) => Self::CodeSet(id.to_string()),
            MountSource::Model(model) => Self::Model(model.store()),
            MountSource::Image(image) => Self::Image(image.store()),
            MountSource::Empty => Self::Empty,
            MountSource::Memory(size) => Self::Memory(size.0),
            MountSource::Data(data) => Self::Data(data.store()),
        })
    }

    fn read(self) -> Result<MountSource, String> {
        Ok(match self {
            Self::Bucket(bucket) => MountSource::Bucket(Stored::restore(bucket)?),
            Self::Nfs(nfs) => MountSource::Nfs(Stored::restore(nfs)?),
            Self::Dataset(dataset) => MountSource::Dataset(Stored::restore(dataset)?),
            Self::Git(git) => MountSource::Git(Stored::restore(git)?),
            Self::CodeSet(id) => MountSource::CodeSet(id.into()),
            Self::Model(model) => MountSource::Model(Stored::restore(model)?),
            Self::Image(image) => MountSource::Image(Stored::restore(image)?),
            Self::Empty => MountSource::Empty,
            Self::Memory(size) => MountSource::Memory(Bytes(size)),
            Self::Data(data) => MountSource::Data(Stored::restore(data)?),
        })
    }
}

impl Stored for Mount {
    type V1 = MountV1;

    fn store(&self) -> MountV1 {
        let Self { source, cache, label } = self;
        let folder = self.as_folder();
        MountV1 {
            folder: folder.map(|mount| mount.folder.to_string()),
            access: folder.map(|mount| AccessV1::of(mount.access)),
            source: SourceV1::of(source),
            cache: cache.store(),
            label: label.store(),
        }
    }

    fn restore(stored: MountV1) -> Result<Self, String> {
        let source = match (stored.folder, stored.access, stored.source) {
            (Some(folder), Some(access), None) => {
                MountSource::Folder(FolderMount { folder: FolderPath(folder.into()), access: access.read() })
            }
            (None, None, Some(source)) => source.read()?,
            _ => return Err("a mount is neither a folder nor has one other source".to_owned()),
        };
        Ok(Self { source, cache: Stored::restore(stored.cache)?, label: Stored::restore(stored.label)? })
    }
}
