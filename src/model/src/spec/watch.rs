//! What is kept of a service's work, how weights are shared, and how requests for language models are routed.

use super::{
    Mount,
    words::{after, quoted, words},
};
use crate::{Bytes, Decimal, Field, MountPath, Sample, print_duration};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

/// Where requests and answers are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallRecords {
    /// A table of MaxCompute.
    MaxCompute(RecordTable),
    /// A store of Simple Log Service.
    Sls(RecordStore),
    /// A file.
    File(RecordFile),
}

/// A file of requests and answers, and what of them is kept in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFile {
    /// Where it is.
    pub path: Arc<str>,
    /// So many of the calls are kept.
    pub sample: Sample,
    /// So much of each body is kept.
    pub max_body: Bytes,
    /// When the file is full, and another is begun.
    pub rotate: Bytes,
    /// So many full ones are kept.
    pub keep: u32,
    /// Headers whose values are not kept, besides those that hold secrets by their nature.
    pub redact_headers: Vec<Arc<str>>,
    /// What in JSON bodies is not kept, as JSON pointers, in which `*` stands for every entry.
    pub redact_fields: Vec<Arc<str>>,
}

impl RecordFile {
    /// All calls, with the first part of each body.
    pub fn at(path: impl Into<Arc<str>>) -> Self {
        let (max_body, rotate) = (Bytes(64 << 10), Bytes(64 << 20));
        let (redact_headers, redact_fields) = (Vec::new(), Vec::new());
        Self { path: path.into(), sample: Sample::ALL, max_body, rotate, keep: 4, redact_headers, redact_fields }
    }
}

/// What is otherwise than in [`RecordFile::at`] is said.
impl fmt::Display for RecordFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, sample, max_body, rotate, keep, redact_headers, redact_fields } = self;
        let usual = Self::at("");
        f.write_str(&quoted(&[path]))?;
        if *sample != usual.sample {
            write!(f, ", sample {sample}")?;
        }
        if *max_body != usual.max_body {
            write!(f, ", max-body {max_body}")?;
        }
        if (rotate, keep) != (&usual.rotate, &usual.keep) {
            write!(f, ", rotate {rotate} keep {keep}")?;
        }
        for (what, redacted) in [("redact-headers", redact_headers), ("redact-fields", redact_fields)] {
            if !redacted.is_empty() {
                write!(f, ", {what} {}", quoted(redacted))?;
            }
        }
        Ok(())
    }
}

/// A table of MaxCompute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordTable {
    /// The project.
    pub project: Arc<str>,
    /// The table.
    pub table: Arc<str>,
}

/// A store of Simple Log Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordStore {
    /// The project.
    pub project: Arc<str>,
    /// The store.
    pub logstore: Arc<str>,
}

impl fmt::Display for CallRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxCompute(RecordTable { project, table }) => write!(f, "maxcompute {project}.{table}"),
            Self::Sls(RecordStore { project, logstore }) => write!(f, "sls {project}/{logstore}"),
            Self::File(file) => write!(f, "file {file}"),
        }
    }
}

/// Instances of a machine share the weights that they have loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    /// Where the weights are mounted.
    pub path: MountPath,
    /// How much memory of each machine is for them.
    pub memory: Bytes,
}

impl Weights {
    /// The mounts that they are in, each with the folder in it that is meant; an empty one stands for all of it.
    pub fn within<'a, M>(
        &self,
        mounts: &'a BTreeMap<MountPath, M>,
    ) -> impl Iterator<Item = (&'a MountPath, &'a M, &str)> {
        mounts.iter().filter(|(at, _)| at.overlaps(&self.path)).map(|(at, mount)| {
            let below = self.path.as_str().strip_prefix(at.as_str()).unwrap_or_default();
            (at, mount, below.trim_start_matches('/'))
        })
    }

    /// The field under which they are listed: what is copied once for a machine is shared there by itself, and what may
    /// change while instances run is not.
    pub(crate) fn field(&self, mounts: &BTreeMap<MountPath, Mount>) -> Field {
        let shared = |mount: &Mount| mount.copied_from().is_some() && mount.as_written().is_none();
        if self.within(mounts).all(|(_, mount, _)| shared(mount)) { Field::Weights } else { Field::WeightsLive }
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.path, self.memory)
    }
}

words! {
    /// By what a router chooses an instance.
    RouterPolicy {
        /// Which has seen the beginning of the prompt.
        PrefixCache => "prefix-cache",
        /// Which has the fewest requests.
        LeastRequests => "least-requests",
        /// Which has the most room for keys and values.
        KvCache => "kv-cache",
        /// One after the other.
        RoundRobin => "round-robin",
    }
}

words! {
    /// What serves the model.
    RouterBackend {
        /// vLLM.
        Vllm => "vllm",
        /// SGLang.
        Sglang => "sglang",
    }
}

/// Chooses an instance for each prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Router {
    /// By what.
    pub policy: RouterPolicy,
    /// What serves the model.
    pub backend: RouterBackend,
    /// How many copies of the router there are.
    pub instances: u32,
    /// How many requests wait at most.
    pub queue_size: Option<u32>,
    /// How often a request that failed is tried again.
    pub retries: Option<u32>,
    /// How long a request waits for an instance.
    pub patience: Option<Duration>,
    /// The cores of each copy.
    pub cpu: Option<Decimal>,
    /// The memory of each copy.
    pub memory: Option<Bytes>,
    /// What the program that chooses gets, which runs once.
    pub scheduler: Option<RouterScheduler>,
}

/// What the program that chooses instances gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterScheduler {
    /// Its cores.
    pub cpu: Option<Decimal>,
    /// Its memory.
    pub memory: Option<Bytes>,
}

impl fmt::Display for RouterScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scheduler{}{}", after(" cpu ", &self.cpu), after(" memory ", &self.memory))
    }
}

impl fmt::Display for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, backend, instances, queue_size, retries, patience, cpu, memory, scheduler } = self;
        let patience = patience.map(print_duration);
        write!(f, "{} for {}, instances {instances}", policy.as_str(), backend.as_str())?;
        write!(f, "{}{}", after(", queue-size ", queue_size), after(", retries ", retries))?;
        write!(f, "{}{}", after(", patience ", &patience), after(", cpu ", cpu))?;
        write!(f, "{}{}", after(", memory ", memory), after(", ", scheduler))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, FolderPath};

    #[test]
    fn weights_are_shared_where_all_that_is_meant_is_a_copy() {
        let mount = |access| Mount::folder(FolderPath("models".into()), access);
        let mounts = BTreeMap::from([
            ("/mnt/a".parse().unwrap(), mount(Access::Snapshot)),
            ("/mnt/b".parse().unwrap(), mount(Access::LiveReadOnly)),
        ]);
        let check = |path: &str, within: &[(&str, &str)], field| {
            let weights = Weights { path: path.parse().unwrap(), memory: Bytes(1) };
            let found: Vec<_> = weights.within(&mounts).map(|(at, _, below)| (at.as_str(), below)).collect();
            assert_eq!((found.as_slice(), weights.field(&mounts)), (within, field), "{path}");
        };
        check("/mnt/a", &[("/mnt/a", "")], Field::Weights);
        check("/mnt/a/llama/7b", &[("/mnt/a", "llama/7b")], Field::Weights);
        check("/mnt/b", &[("/mnt/b", "")], Field::WeightsLive);
        check("/mnt", &[("/mnt/a", ""), ("/mnt/b", "")], Field::WeightsLive);
    }
}
