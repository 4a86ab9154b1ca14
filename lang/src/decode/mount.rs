//! Mounts.

use super::Decode;
use crate::{
    block::Block,
    problem::{Code, Problem},
    source::Place,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use wharf_model::{Access, Address, Field, FieldPath, FolderPath, Mount, MountPath, ServiceName};

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
            for field in [Field::Mount, Field::Content] {
                self.note(address, FieldPath::at(field, path.value.as_str()), path.at);
            }
            places.insert(path.value.to_string(), path.at);
            if let Some(mount) = self.mount(node) {
                mounts.insert(path.value, mount);
            }
        }
        self.check_nesting(&places);
        mounts
    }

    fn mount(&mut self, node: &Block) -> Option<Mount> {
        let block = node.child("folder")?;
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
        Some(Mount { folder: FolderPath(folder.value), access })
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
