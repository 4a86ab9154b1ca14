//! Drift: what was recorded held against what is observed, where nobody asked for a change.
//!
//! Only what wharf wrote is compared, and only where the runtime tells of it. What follows from something else is not
//! told again: a gateway that is missing has no routes, an instance that has ended is not ready. What the files ask for
//! plays no part in what counts as drift; they only say what is ignored, and where a field is written. Each finding says
//! both ways out: what `apply` would restore, and how the files would have to read for reality to be right.

mod accept;
mod age;
pub(crate) mod altered;
mod contents;
mod format;
mod gateways;
mod ignore;
mod image;
mod instances;
mod normal;
mod objects;
mod restore;

pub use accept::Accept;
pub use age::{Former, FormerError};
use altered::Alteration;
pub use ignore::Ignored;

use std::{fmt, time::Duration};
use wharf_model::{
    Address, Capabilities, Deployment, EnvironmentName, FieldPath, Ignore, InstanceId, Observed, ObservedInstance,
    Origin, ProjectName, Record, Restarts, Timestamp, Value,
};

/// Everything that a search for drift depends on.
#[derive(Debug, Clone, Copy)]
pub struct DriftInput<'a> {
    /// The project's files: what they ignore, and where fields are written.
    pub files: &'a Deployment,
    /// What a change of each field costs.
    pub capabilities: &'a Capabilities,
    /// What was last written down.
    pub recorded: &'a Record,
    /// What is there now.
    pub observed: &'a Observed,
    /// When each finding of an earlier report was seen first.
    pub former: &'a Former,
    /// The time of the look.
    pub now: Timestamp,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The runtime's name.
    pub provider: &'static str,
    /// The time of the look.
    pub now: Timestamp,
    /// How many objects were compared.
    pub compared: usize,
    /// What counts, by address.
    pub findings: Vec<Finding>,
    /// What the files say is not to count.
    pub ignored: Vec<Ignored>,
    /// Rules that have run out. Their findings count.
    pub expired: Vec<Ignore>,
    /// Rules that nothing fits.
    pub idle: Vec<Ignore>,
    /// Instances whose programs were started again without anybody having asked. That mends, and differs from nothing: it
    /// is told beside what counts.
    pub restarted: Vec<(InstanceId, Restarts)>,
    /// Whether the files ask for something else than was recorded, so that `apply` would do more than restore.
    pub files_differ: bool,
}

/// One difference between what was recorded and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Of which resource.
    pub address: Address,
    /// The object's name on the runtime, where it says more than the address.
    pub object: Option<InstanceId>,
    /// Of which kind.
    pub class: Class,
    /// What about it.
    pub aspect: Aspect,
    /// What was recorded.
    pub recorded: Option<Value>,
    /// What is there.
    pub observed: Option<Value>,
    /// When it was seen first: in the earlier report that was handed in, else now.
    pub first_seen: Timestamp,
    /// Where the files speak of it.
    pub origin: Option<Origin>,
    /// What `apply` would do about it, by action and resource; nothing when it leaves it be.
    pub restore: Vec<(&'static str, Address)>,
    /// What the files would have to say for it to be right.
    pub accept: Option<Accept>,
}

/// Kinds of drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It was recorded and is not there.
    Missing,
    /// It is there and not as it was recorded.
    Changed,
    /// Something else stands in its place.
    Replaced,
    /// It is there and does not work.
    Unhealthy,
    /// It carries wharf's labels and was never recorded.
    Extra,
}

impl Class {
    /// Every class, in the order in which they are counted.
    pub const ALL: [Self; 5] = [Self::Missing, Self::Changed, Self::Replaced, Self::Unhealthy, Self::Extra];

    /// The class in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Replaced => "replaced",
            Self::Unhealthy => "unhealthy",
            Self::Extra => "extra",
        }
    }
}

/// What about a resource differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// The object as a whole.
    Object,
    /// Its process.
    Process,
    /// Whether it is ready.
    Readiness,
    /// The revision on its label.
    Revision,
    /// The operation on its label.
    Maker,
    /// Where it listens.
    Listen,
    /// Whether a gateway sends it requests.
    Requests,
    /// The fingerprint on its label, where nothing more exact is known.
    Settings,
    /// One of its fields.
    Field(FieldPath),
}

impl Aspect {
    /// What it is in one word, whichever entry of a field is meant.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Process => "process",
            Self::Readiness => "readiness",
            Self::Revision => "revision",
            Self::Maker => "made-by",
            Self::Listen => "listen",
            Self::Requests => "requests",
            Self::Settings => "settings",
            Self::Field(path) => path.field.as_str(),
        }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(path) => path.fmt(f),
            other => f.write_str(other.word()),
        }
    }
}

impl Finding {
    fn new(address: Address, class: Class, aspect: Aspect) -> Self {
        Self {
            address,
            object: None,
            class,
            aspect,
            recorded: None,
            observed: None,
            first_seen: Timestamp(0),
            origin: None,
            restore: Vec::new(),
            accept: None,
        }
    }

    fn of(mut self, instance: &InstanceId) -> Self {
        self.object = Some(instance.clone());
        self
    }

    fn sides(mut self, recorded: Option<Value>, observed: Option<Value>) -> Self {
        (self.recorded, self.observed) = (recorded, observed);
        self
    }

    /// What rules of the files call it: `route.public/hello.timeout`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.address, self.aspect)
    }

    /// How long it has been so, as far as anybody looked.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(self.first_seen)
    }
}

impl Drift {
    /// Whether nothing counts.
    pub fn is_none(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many findings there are of a class.
    pub fn count(&self, class: Class) -> usize {
        self.findings.iter().filter(|finding| finding.class == class).count()
    }

    /// The report as JSON: versioned, without secrets' values. Handed in as [`Former`], it keeps ages.
    pub fn json(&self) -> String {
        format::print(self)
    }
}

/// Holds the record against the look. Takes time in proportion to both.
pub fn drift(input: &DriftInput<'_>) -> Drift {
    let (recorded, observed) = (input.recorded, input.observed);
    let mut findings = gateways::findings(recorded, observed);
    findings.extend(instances::findings(recorded, observed));
    findings.extend(objects::findings(recorded, observed));
    findings.extend(contents::findings(recorded, observed));
    findings
        .sort_by(|one, two| (&one.address, &one.object, &one.aspect).cmp(&(&two.address, &two.object, &two.aspect)));
    restore::note(&mut findings, input);
    accept::note(&mut findings, input);
    for finding in &mut findings {
        finding.first_seen = input.former.first_seen(finding).unwrap_or(input.now).min(input.now);
    }
    let sorted = ignore::sort_out(findings, &input.files.ignores, input.now.date());
    Drift {
        project: input.files.project.clone(),
        environment: input.files.environment.clone(),
        provider: input.capabilities.provider(),
        now: input.now,
        compared: compared(recorded),
        findings: sorted.count,
        ignored: sorted.ignored,
        expired: sorted.expired,
        idle: sorted.idle,
        restarted: restarted(observed),
        files_differ: restore::files_differ(input),
    }
}

fn restarted(observed: &Observed) -> Vec<(InstanceId, Restarts)> {
    let restarts = |(id, seen): (&InstanceId, &ObservedInstance)| Some((id.clone(), seen.supervised.restarts.clone()?));
    observed.instances.iter().filter_map(restarts).collect()
}

fn compared(recorded: &Record) -> usize {
    let instances: usize = recorded.services.values().map(|service| service.instances.len()).sum();
    recorded.gateways.len() + recorded.routes.len() + recorded.objects.len() + recorded.contents.len() + instances
}
