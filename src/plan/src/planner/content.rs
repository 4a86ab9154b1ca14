//! Prepared contents: snapshots of folders and sets of libraries.

use super::Planner;
use crate::{Cause, Change, StepId, What, facts::pinned_source};
use wharf_model::{
    Address, Bytes, Call, ContentDigest, ContentRef, Difference, Entry, Field, FieldPath, Mount, MountPath,
    MountSource, Revision, ServiceName, SourcePin, Turnover, Value,
};

/// So many files are named of those that came, changed or went; the rest is counted.
const NAMED: usize = 3;

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
            let Some(mount) = revision.template.mounts.get(path) else { continue };
            let content_ref = revision.template.content_of(path, *content);
            let call = match &mount.source {
                MountSource::Folder(mount) => {
                    Call::PrepareFolder { content: content_ref, folder: mount.folder.clone() }
                }
                MountSource::Bucket(bucket) => Call::PrepareBucket { content: content_ref, bucket: bucket.clone() },
                MountSource::Git(git) => Call::PrepareGit { content: content_ref, git: git.clone() },
                MountSource::Image(part) => Call::PreparePart { content: content_ref, part: part.clone() },
                _ => continue,
            };
            let address = Address::Mount(service.clone(), path.clone());
            let old = before.and_then(|before| before.pins.mounts.get(path)).copied();
            let fetch = self.fetch(mount, path, (old, *content));
            let path = FieldPath::at(Field::Content, path.as_str());
            let step = self.prepare_one(address.clone(), path, content_ref, call, (old, *content));
            if let (Some(fetch), Some(change)) = (fetch, self.changes.last_mut())
                && step.is_some()
                && change.address == address
            {
                add(&mut change.what, fetch);
            }
            steps.extend(step);
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

    /// What it takes to bring a folder of a bucket, for people.
    fn fetch(
        &self,
        mount: &Mount,
        path: &MountPath,
        (old, new): (Option<ContentDigest>, ContentDigest),
    ) -> Option<Difference> {
        let source = pinned_source(mount, self.input.capabilities)?;
        let pin = self.input.observed.sources.get(&source)?.as_ref().ok().filter(|pin| pin.content == new)?;
        let fetch = pin.fetch.as_ref()?;
        let turnover = old.and_then(|old| fetch.since.get(&old));
        let after = Some(Value::Text(words(pin, fetch.bytes, turnover)));
        Some(Difference { path: FieldPath::at(Field::MountFetch, path.as_str()), before: None, after })
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
                let because = Cause::Seen { field: "content", saw: "missing".to_owned() };
                What::Create { because, entries: vec![entry], preview: None }
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

/// Lets a change say what it takes, beside what it is.
fn add(what: &mut What, fetch: Difference) {
    match what {
        What::Create { entries, .. } => {
            entries.extend(fetch.after.map(|value| Entry { path: fetch.path, value }));
        }
        What::Update { because, .. } => because.push(Cause::Source { difference: fetch, origin: None }),
        _ => {}
    }
}

/// `1.2GiB to fetch; 64 files, 13GiB; 2 changed: a, b; 1 removed: c`.
fn words(pin: &SourcePin, to_fetch: u64, turnover: Option<&Turnover>) -> String {
    let SourcePin { files, bytes, .. } = pin;
    let mut words = format!("{} to fetch; {files} files, {}", Bytes(to_fetch).about(), Bytes(*bytes).about());
    let Some(Turnover { added, changed, removed }) = turnover else { return words };
    for (what, names) in [("added", added), ("changed", changed), ("removed", removed)] {
        if !names.is_empty() {
            let shown: Vec<_> = names.iter().take(NAMED).map(|name| &**name).collect();
            let rest = if names.len() > NAMED { ", …" } else { "" };
            words.push_str(&format!("; {} {what}: {}{rest}", names.len(), shown.join(", ")));
        }
    }
    words
}
