//! Prepared contents: snapshots of folders and sets of libraries.

use super::Planner;
use crate::{Cause, Change, StepId, What};
use wharf_model::{
    Address, Call, ContentDigest, ContentRef, Difference, Entry, Field, FieldPath, Mount, Revision, ServiceName, Value,
};

impl Planner<'_> {
    /// Makes sure that what a revision needs is prepared. Answers the steps that do it.
    pub(super) fn prepare(
        &mut self,
        service: &ServiceName,
        revision: &Revision,
        before: Option<&Revision>,
    ) -> Vec<StepId> {
        let mut steps = Vec::new();
        for (path, content) in &revision.pins.mounts {
            let mount = revision.template.mounts.get(path);
            let Some(folder) = mount.and_then(Mount::as_folder).map(|mount| &mount.folder) else { continue };
            let address = Address::Mount(service.clone(), path.clone());
            let call = |content| Call::PrepareFolder { content, folder: folder.clone() };
            let content_ref = ContentRef::Folder(*content);
            let old = before.and_then(|before| before.pins.mounts.get(path)).copied();
            let path = FieldPath::at(Field::Content, path.as_str());
            steps.extend(self.prepare_one(address, path, content_ref, call(content_ref), (old, *content)));
        }
        if let (Some(content), Some(image)) = (revision.pins.image, &revision.template.image) {
            let address = Address::Image(service.clone());
            let content_ref = ContentRef::Image(content);
            let call = Call::PrepareImage { content: content_ref, image: image.clone() };
            let old = before.and_then(|before| before.pins.image);
            let path = FieldPath::of(Field::ImageContent);
            steps.extend(self.prepare_one(address, path, content_ref, call, (old, content)));
        }
        if let (Some(content), Some(libraries)) = (revision.pins.packages, revision.template.libraries()) {
            let address = Address::Packages(service.clone());
            let content_ref = ContentRef::Packages(content);
            let call = Call::PreparePackages { content: content_ref, libraries };
            let old = before.and_then(|before| before.pins.packages);
            steps.extend(self.prepare_one(address, FieldPath::of(Field::Packages), content_ref, call, (old, content)));
        }
        steps
    }

    fn prepare_one(
        &mut self,
        address: Address,
        path: FieldPath,
        content: ContentRef,
        call: Call,
        (old, new): (Option<ContentDigest>, ContentDigest),
    ) -> Option<StepId> {
        if self.present.contains(&content) {
            self.kept += usize::from(old == Some(new));
            return None;
        }
        if let Some(step) = self.prepared.get(&content) {
            return Some(*step);
        }
        let service = address.service().map(|name| Address::Service(name.clone())).unwrap_or_else(|| address.clone());
        let origin = self.origin(&service, &path);
        let entry = Entry { path: path.clone(), value: Value::Content(new) };
        let what = match old {
            None => What::Create { because: Cause::Declared(origin), entries: vec![entry], preview: None },
            Some(old) if old == new => {
                let saw = "missing".to_owned();
                What::Update { because: vec![Cause::Seen { field: "content", saw }], preview: None }
            }
            Some(old) => {
                let (before, after) = (Some(Value::Content(old)), Some(Value::Content(new)));
                let difference = Difference { path, before, after };
                What::Update { because: vec![Cause::Source { difference, origin }], preview: None }
            }
        };
        let step = self.call(address.clone(), call);
        self.changes.push(Change { address, what, risks: Vec::new() });
        self.prepared.insert(content, step);
        Some(step)
    }

    /// Drops the contents that no revision needs once everything is done.
    pub(super) fn unused_contents(&mut self) {
        let known: Vec<_> = self.input.observed.contents.union(&self.input.recorded.contents).copied().collect();
        for content in known {
            if self.needed.contains(&content) {
                continue;
            }
            let address = Address::Content(content);
            let step = self.call(address.clone(), Call::DropContent { content });
            self.changes.push(Change { address, what: What::Delete { because: Cause::Unused }, risks: Vec::new() });
            for user in self.users.get(&content).cloned().unwrap_or_default() {
                self.operations.order(user, step);
            }
        }
    }
}
