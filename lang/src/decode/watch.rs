//! What is kept of a service's work, how prompts are routed, labels, and keys of a runtime.

use super::{Decode, found, plain};
use crate::{
    block::Block,
    problem::{Code, Problem},
    value::Typed,
};
use std::{collections::BTreeMap, sync::Arc};
use wharf_model::{
    Address, CallRecords, Field, FieldPath, Json, MountPath, RecordFile, RecordStore, RecordTable, Router,
    RouterBackend, RouterPolicy, RouterScheduler, Weights,
};

/// The values of a service's keys, for each runtime.
type Raw = BTreeMap<Arc<str>, BTreeMap<Arc<str>, Json>>;

impl Decode<'_> {
    pub(super) fn router(&mut self, service: &Block, address: &Address) -> Option<Router> {
        let records = match service.child("call-records").and_then(|block| block.child("file")) {
            Some(_) => Field::CallRecordsFile,
            None => Field::CallRecords,
        };
        self.note_each(address, service, &[("router", Field::Router), ("call-records", records)]);
        let block = service.child("router")?;
        for other in ["nacos", "queue"] {
            if let Some(other) = service.child(other) {
                self.exclusive(block, other, "a router is the only way to the instances behind it");
            }
        }
        let balanced = service.key().and_then(|name| self.known.balanced.get(&name)).map(|balanced| balanced.at);
        if let Some(listener) = balanced {
            let message = format!("an nlb leads to {}, past its router", service.title());
            let problem = Problem::error(Code::OnlyOneOf, message).at(block.at, "chooses instances");
            self.report(problem.and(listener, "leads past it").help("remove one of them".to_owned()));
        }
        let word = |name: &str| plain::<Arc<str>>(block, name);
        Some(Router {
            policy: word("policy").and_then(|word| RouterPolicy::of_word(&word))?,
            backend: word("backend").and_then(|word| RouterBackend::of_word(&word))?,
            instances: plain(block, "instances")?,
            queue_size: plain(block, "queue-size"),
            retries: plain(block, "retries"),
            patience: plain(block, "patience"),
            cpu: plain(block, "cpu"),
            memory: plain(block, "memory"),
            scheduler: block
                .child("scheduler")
                .map(|block| RouterScheduler { cpu: plain(block, "cpu"), memory: plain(block, "memory") }),
        })
    }

    /// A router chooses among all services of its group, so none of them can have another way in.
    pub(super) fn check_routed_groups(&mut self, services: &[&Block]) {
        let group = |service: &Block| service.child("group").and_then(Block::key);
        let routed = services.iter().filter_map(|service| Some((group(service)?, service.child("router")?)));
        let routed: BTreeMap<_, _> = routed.collect();
        for service in services.iter().filter(|service| service.child("router").is_none()) {
            let Some(router) = group(service).and_then(|group| routed.get(&group)) else { continue };
            for other in ["nacos", "queue"].iter().filter_map(|name| service.child(name)) {
                self.exclusive(router, other, "a router is the only way to the instances of its group");
            }
            let Some(listener) =
                service.key().and_then(|name| self.known.balanced.get(&name)).map(|balanced| balanced.at)
            else {
                continue;
            };
            let message = format!("an nlb leads to {}, past the router of its group", service.title());
            let problem = Problem::error(Code::OnlyOneOf, message).at(listener, "leads past it");
            self.report(problem.and(router.at, "chooses instances").help("remove one of them".to_owned()));
        }
    }

    pub(super) fn weights(&mut self, service: &Block, address: &Address) -> Option<Weights> {
        let fields = [
            ("weights", Field::Weights),
            ("weights", Field::WeightsLive),
            ("tracing", Field::Tracing),
            ("logs", Field::LogPaths),
        ];
        self.note_each(address, service, &fields);
        let block = service.child("weights")?;
        let path = block.argument::<MountPath>(0)?;
        let mounted = |mount: &Block| mount.argument::<MountPath>(0).is_some_and(|at| at.value.overlaps(&path.value));
        if !service.every("mount").any(mounted) {
            let problem = Problem::error(Code::Requires, format!("nothing is mounted at `{}`", path.value));
            let help = format!("add `mount \"{}\" {{ … }}`, or name a mount that holds them", path.value);
            self.report(problem.at(path.at, "no weights there").help(help));
        }
        Some(Weights { path: path.value, memory: found(block, "memory")? })
    }

    pub(super) fn labels(&mut self, service: &Block, address: &Address) -> BTreeMap<Arc<str>, Arc<str>> {
        let mut labels = BTreeMap::new();
        for (word, found) in service.child("labels").map_or(&[][..], |node| &node.entries) {
            if word.text.starts_with("wharf") {
                let message = format!("label `{}` is one of wharf's own", word.text);
                let problem = Problem::error(Code::InvalidValue, message).at(word.at, "would be taken for wharf's");
                self.report(problem.help("choose a name that does not begin with `wharf`".to_owned()));
            }
            if let Typed::Text(text) = &found.value {
                self.note(address, FieldPath::at(Field::Label, Arc::clone(&word.text)), found.at);
                labels.insert(Arc::clone(&word.text), Arc::clone(text));
            }
        }
        labels
    }

    pub(super) fn raw(&mut self, service: &Block, address: &Address) -> Raw {
        let mut raw = Raw::new();
        for node in service.every("raw") {
            let Some(runtime) = node.argument::<Arc<str>>(0) else { continue };
            for (word, found) in &node.entries {
                let Typed::Json(value) = &found.value else { continue };
                let key = format!("{} {}", runtime.value, word.text);
                self.note(address, FieldPath::at(Field::Raw, key), found.at);
                let keys = raw.entry(Arc::clone(&runtime.value)).or_default();
                keys.insert(Arc::clone(&word.text), value.clone());
            }
        }
        raw
    }

    /// Where requests and answers are kept.
    pub(super) fn call_records(&mut self, service: &Block) -> Option<CallRecords> {
        let records = service.child("call-records")?;
        let text = |block: &Block, name: &str| found::<Arc<str>>(block, name);
        if let Some(file) = records.child("file") {
            return self.record_file(file).map(CallRecords::File);
        }
        if let Some(table) = records.child("maxcompute") {
            return Some(CallRecords::MaxCompute(RecordTable {
                project: text(table, "project")?,
                table: text(table, "table")?,
            }));
        }
        let store = records.child("sls")?;
        Some(CallRecords::Sls(RecordStore { project: text(store, "project")?, logstore: text(store, "logstore")? }))
    }

    fn record_file(&mut self, file: &Block) -> Option<RecordFile> {
        let many = |name: &str| file.child(name).and_then(Block::all::<Arc<str>>).unwrap_or_default();
        let mut wrong = |name: &str, text: &str, says: &str, help: &str| {
            let at = file.child(name).and_then(Block::title_at);
            let problem = Problem::error(Code::InvalidValue, format!("`{text}` is no {says}"));
            self.report(problem.at(at, "not such a one").help(help.to_owned()));
        };
        let (redact_headers, redact_fields) = (many("redact-headers"), many("redact-fields"));
        let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        for name in redact_headers.iter().filter(|name| name.is_empty() || !name.chars().all(fits)) {
            wrong("redact-headers", name, "name of a header", "letters, digits and `-`, such as \"X-Session\"");
        }
        for pointer in redact_fields.iter().filter(|pointer| !pointer.starts_with('/')) {
            let help = "begin with `/`, such as \"/messages/*/content\"; `*` stands for every entry";
            wrong("redact-fields", pointer, "path into JSON", help);
        }
        let rotate = file.child("rotate");
        let usual = RecordFile::at("");
        Some(RecordFile {
            path: file.argument(0)?.value,
            sample: plain(file, "sample")?,
            max_body: plain(file, "max-body")?,
            rotate: rotate.map_or(Some(usual.rotate), |node| Some(node.argument(0)?.value))?,
            keep: rotate.and_then(|node| found(node, "keep")).unwrap_or(usual.keep),
            redact_headers,
            redact_fields,
        })
    }
}
