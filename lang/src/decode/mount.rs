//! Mounts.

use super::{Decode, found, plain};
use crate::{
    block::Block,
    problem::{Code, Problem},
    schema::Count,
    source::Place,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use wharf_model::{
    Access, Address, BucketKeys, BucketMode, BucketMount, DataSpec, DatasetMount, Field, FieldPath, FolderMount,
    FolderPath, GitMount, ImageMount, ModelMount, Mount, MountCache, MountLabel, MountPath, MountSource, NfsMount,
    ObjectStore, ServiceName,
};

impl Decode<'_> {
    pub(super) fn mounts(
        &mut self,
        block: &Block,
        service: &ServiceName,
        address: &Address,
    ) -> BTreeMap<MountPath, Mount> {
        let mut mounts = BTreeMap::new();
        let mut places = HashMap::new();
        for node in block.every("mount") {
            let Some(path) = node.argument::<MountPath>(0) else { continue };
            self.declare(Address::Mount(service.clone(), path.value.clone()), path.at);
            places.insert(path.value.to_string(), path.at);
            if let Some(mount) = self.mount(node, &path.value) {
                self.note_mount(address, node, &path.value, &mount);
                mounts.insert(path.value, mount);
            }
        }
        self.check_nesting(&places);
        mounts
    }

    fn mount(&mut self, node: &Block, path: &MountPath) -> Option<Mount> {
        let block = node.children.iter().find(|child| child.row.count == Count::OneOf("source"))?;
        let source = self.mount_source(block)?;
        self.check_shared_memory(path, block, &source);
        let cache = node.child("cache").map(|cache| MountCache { size: found(cache, "size") });
        if let (Some(cache), true) = (node.child("cache"), is_scratch(&source)) {
            let message = "a cache in front of an empty folder would never be filled";
            let problem = Problem::error(Code::MountAccess, message).at(cache.at, "nothing to keep");
            self.report(problem.and(block.at, "empty").help("remove `cache`".to_owned()));
        }
        let label = plain::<Arc<str>>(node, "label").and_then(|word| MountLabel::of_word(&word));
        Some(Mount { source, cache, label })
    }

    fn mount_source(&mut self, block: &Block) -> Option<MountSource> {
        let first = || block.argument::<Arc<str>>(0).map(|found| found.value);
        Some(match block.row.name() {
            "folder" => MountSource::Folder(self.folder(block)?),
            "oss" => MountSource::Bucket(self.bucket(block, ObjectStore::Oss)?),
            "s3" => MountSource::Bucket(self.bucket(block, ObjectStore::S3)?),
            "nfs" => MountSource::Nfs(NfsMount {
                server: found(block, "server")?,
                path: found(block, "path")?,
                read_only: found(block, "read-only")?,
                resource_group: found(block, "resource-group"),
            }),
            "dataset" => MountSource::Dataset(DatasetMount {
                id: first()?,
                version: found(block, "version"),
                read_only: found(block, "read-only")?,
            }),
            "git" => MountSource::Git(self.git(block)?),
            "code" => MountSource::CodeSet(first()?),
            "model" => MountSource::Model(ModelMount { id: first()?, version: found(block, "version") }),
            "image" => MountSource::Image(ImageMount { image: first()?, path: found(block, "path")? }),
            "data" => MountSource::Data(DataSpec { keep_on_delete: found(block, "keep-on-delete")? }),
            "memory" => MountSource::Memory(found(block, "size")?),
            _ => MountSource::Empty,
        })
    }

    fn bucket(&mut self, block: &Block, store: ObjectStore) -> Option<BucketMount> {
        let mut key = |name| self.secret_of(block, name);
        let keys = match (key("access-key"), key("secret-key")) {
            (Some(access), Some(secret)) => Some(BucketKeys { access, secret }),
            (None, None) => None,
            (access, _) => {
                let missing = if access.is_some() { "secret-key" } else { "access-key" };
                self.needs(block, missing, "`access-key` and `secret-key` open a bucket together");
                None
            }
        };
        let mut mount = BucketMount {
            store,
            path: block.argument(0)?.value,
            endpoint: found(block, "endpoint"),
            region: found(block, "region"),
            mode: found::<Arc<str>>(block, "mode").and_then(|word| BucketMode::of_word(&word)),
            read_only: found(block, "read-only")?,
            live: false,
            keys,
        };
        let live = block.property::<bool>("live");
        match live.as_ref().map(|live| live.value) {
            // It says what is so.
            Some(true) if mount.is_live() => {}
            Some(false) if mount.is_live() => {
                let why = if mount.read_only { "that is not copied" } else { "that instances write to" };
                let message = format!("a folder of a bucket {why} is always live");
                let problem = Problem::error(Code::MountAccess, message).at(live.and_then(|live| live.at), "it is");
                self.report(problem.help("remove `live`, or mount a copy: `mode=\"sync\" read-only=#true`".to_owned()));
                return None;
            }
            given => mount.live = given.unwrap_or(false),
        }
        Some(mount)
    }

    fn git(&mut self, block: &Block) -> Option<GitMount> {
        let password = self.secret_of(block, "password");
        let username = found(block, "username");
        if password.is_none() && username.is_some() {
            self.needs(block, "password", "`username` opens nothing without it");
        }
        Some(GitMount {
            url: block.argument(0)?.value,
            branch: found(block, "branch"),
            commit: found(block, "commit"),
            username,
            password,
        })
    }

    /// Processes share memory through `/dev/shm`; nothing else can stand there.
    fn check_shared_memory(&mut self, path: &MountPath, block: &Block, source: &MountSource) {
        if path.as_str() == MountPath::SHM && !matches!(source, MountSource::Memory(_)) {
            let message = format!("`{path}` is memory that processes share, and `{}` is not memory", block.row.name());
            let problem = Problem::error(Code::MountConflict, message).at(block.title_at(), "not memory");
            self.report(problem.help("write `memory size=\"1GiB\"`, or mount this elsewhere".to_owned()));
        }
    }

    fn note_mount(&mut self, address: &Address, node: &Block, path: &MountPath, mount: &Mount) {
        let at = node.title_at();
        let mut note = |field, at| self.note(address, FieldPath::at(field, path.as_str()), at);
        note(mount.source.field(), at);
        if mount.as_folder().is_some() || mount.copied_from().is_some() {
            note(Field::Content, at);
        }
        let server = node.child("nfs").and_then(|nfs| nfs.properties.get("resource-group")?.at);
        note(Field::MountResourceGroup, server);
        for field in [Field::MountCache, Field::MountCacheSize, Field::MountCacheLive] {
            note(field, node.child("cache").and_then(|cache| cache.at));
        }
        note(Field::MountLabel, node.child("label").and_then(Block::title_at));
        let keep = node.child("data").and_then(|data| data.properties.get("keep-on-delete"));
        if let (Some(service), Some(keep)) = (address.service(), keep) {
            let data = Address::Mount(service.clone(), path.clone());
            self.note(&data, FieldPath::of(Field::KeepOnDelete), keep.at);
        }
        for (what, _) in mount.secrets() {
            let at = node.children.iter().find_map(|child| child.properties.get(what)?.at);
            self.note(address, FieldPath::at(Field::MountSecret, format!("{path} {what}")), at);
        }
    }

    fn folder(&mut self, block: &Block) -> Option<FolderMount> {
        let folder = block.argument::<Arc<str>>(0)?;
        if folder.value.is_empty() {
            let problem =
                Problem::error(Code::InvalidValue, "the folder of a mount has no name").at(folder.at, "empty");
            self.report(problem.help("`folder \".\"` is the project's own folder".to_owned()));
            return None;
        }
        let read_only = block.property::<bool>("read-only")?;
        let live = block.property::<bool>("live");
        let access = match (read_only.value, live.as_ref().map(|live| live.value)) {
            (true, Some(true)) => Access::LiveReadOnly,
            (true, _) => Access::Snapshot,
            (false, Some(false)) => {
                let message = "a folder that instances write to is always live";
                let at = live.and_then(|live| live.at);
                let problem = Problem::error(Code::MountAccess, message).at(at, "cannot be kept");
                let problem = problem.and(read_only.at, "may be written to");
                self.report(problem.help("add `read-only=#true` to mount a copy, or remove `live`".to_owned()));
                return None;
            }
            (false, _) => Access::LiveReadWrite,
        };
        Some(FolderMount { folder: FolderPath(folder.value), access })
    }

    /// A mount inside another would depend on the order in which they are made.
    fn check_nesting(&mut self, places: &HashMap<String, Option<Place>>) {
        let mut inner: Vec<_> = places.keys().collect();
        inner.sort();
        for path in inner {
            let mut parents = path.match_indices('/').map(|(end, _)| &path[..end]);
            let Some(outer) = parents.find(|parent| places.contains_key(*parent)) else { continue };
            let problem = Problem::error(Code::MountConflict, format!("mount `{path}` lies in mount `{outer}`"));
            let problem = problem.at(places[path], "inside the other").and(places[outer], "the other");
            self.report(problem.help("mount them side by side".to_owned()));
        }
    }
}

/// Whether the mount starts empty each time.
fn is_scratch(source: &MountSource) -> bool {
    matches!(source, MountSource::Empty | MountSource::Memory(_))
}
