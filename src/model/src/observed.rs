//! What a provider reports now.

use crate::{
    BucketMount, Bytes, ContentDigest, Entry, Field, Figures, Fingerprint, FolderPath, GatewayName, GitMount, Gpus,
    ImageMount, InstanceId, ObjectId, OperationId, Release, RevisionNumber, ServiceName, Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

/// One look at an environment: everything there that carries wharf's labels, and what the desired sources hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The gateways.
    pub gateways: BTreeMap<GatewayName, ObservedGateway>,
    /// The instances, running or not.
    pub instances: BTreeMap<InstanceId, ObservedInstance>,
    /// The other objects, each incarnation for itself.
    pub objects: BTreeMap<ObjectId, ObservedObject>,
    /// What balancers do with instances, all of them together, where the runtime tells.
    pub balanced: BTreeMap<InstanceId, EndpointState>,
    /// Contents that are there, whole.
    pub contents: BTreeSet<ContentRef>,
    /// What the runtime knows of GPUs, where it tells of them.
    pub gpus: Option<Gpus>,
    /// Why no instance's disk can be limited here, where that depends on the machine.
    pub unlimited_disk: Option<String>,
    /// What each source that was asked for holds now.
    pub sources: BTreeMap<SourceRef, Result<SourcePin, SourceError>>,
}

/// A gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedGateway {
    /// Whether it answers. One that is down still has the routes that it would take up again.
    pub running: bool,
    /// Where it listens.
    pub listen: Option<SocketAddr>,
    /// The fingerprint of the spec that it was made from.
    pub fingerprint: Option<Fingerprint>,
    /// Its routes.
    pub routes: BTreeMap<ServiceName, ObservedRoute>,
    /// What it tells of its settings.
    pub told: Told,
    /// Of which release of wharf its program is, where it is wharf's and runs.
    pub release: Option<Release>,
    /// What it lost since it was started.
    pub lost: Lost,
}

/// What a gateway should have kept or sent, and could not. No request fails of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Lines of records and logs.
    pub lines: u64,
    /// Spans of traces.
    pub spans: u64,
}

/// What a runtime tells of the fields of an object: what they are now, wherever they came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The fields that it speaks of. One of these without an entry is not set; of any other nothing is known.
    pub about: BTreeSet<Field>,
    /// Their entries, sorted by path.
    pub entries: Vec<Entry>,
}

/// An object of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedObject {
    /// The fingerprint of the spec that it was made from.
    pub fingerprint: Option<Fingerprint>,
    /// Of which release of wharf its program is, where it has one that is wharf's and runs.
    pub release: Option<Release>,
}

impl ObservedObject {
    /// One without a program.
    pub fn made_from(fingerprint: Option<Fingerprint>) -> Self {
        Self { fingerprint, release: None }
    }
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRoute {
    /// The fingerprint of the spec that it was set from.
    pub fingerprint: Option<Fingerprint>,
    /// The instances behind it.
    pub endpoints: BTreeMap<InstanceId, EndpointState>,
    /// What it has counted about their requests, where it tells.
    pub figures: BTreeMap<InstanceId, Figures>,
    /// What it tells of its settings.
    pub told: Told,
}

/// What a gateway does with an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointState {
    /// It gets requests, while `ready`.
    Serving {
        /// Whether the gateway's own probe passes.
        ready: bool,
        /// Requests under way.
        in_flight: u64,
    },
    /// It gets no new requests.
    Draining {
        /// Requests under way.
        in_flight: u64,
    },
}

impl EndpointState {
    /// Adds what another entry does with the same instance: it gets requests while one of them sends it any.
    pub fn add(&mut self, other: &Self) {
        let counted = |state: &Self| match state {
            Self::Serving { ready, in_flight } => (Some(*ready), *in_flight),
            Self::Draining { in_flight } => (None, *in_flight),
        };
        let ((one, own), (two, others)) = (counted(self), counted(other));
        let in_flight = own + others;
        *self = match (one, two) {
            (None, None) => Self::Draining { in_flight },
            _ => Self::Serving { ready: one == Some(true) || two == Some(true), in_flight },
        };
    }
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedInstance {
    /// Of which revision its label says it is.
    pub revision: RevisionNumber,
    /// Which operation its label says made it.
    pub operation: Option<OperationId>,
    /// The fingerprint of the revision that it was started from, where its label has one.
    pub fingerprint: Option<Fingerprint>,
    /// Where it listens.
    pub endpoint: SocketAddr,
    /// Whether it runs.
    pub phase: Phase,
    /// What the readiness probe heard; none when nobody asked, or when it does not run.
    pub answer: Option<ProbeAnswer>,
    /// The last lines of its log, oldest first; only of one that does not run or is not ready.
    pub last_lines: Vec<String>,
    /// What the runtime tells of what it was made from.
    pub told: Told,
    /// What its supervisor tells, where it has one.
    pub supervised: Supervised,
}

/// What the supervisor of an instance tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supervised {
    /// How often it started the program again; none when it never did.
    pub restarts: Option<Restarts>,
    /// How the program ended, where it is started again in a moment.
    pub between: Option<Exit>,
    /// What its checks heard last, by their names.
    pub checks: BTreeMap<Arc<str>, ProbeAnswer>,
    /// What it was told to do about the program; none where nobody can tell, or nobody has to be told.
    pub marked: Option<Marked>,
}

/// What the supervisor of an instance was told by applies, which say it when they let the instance get requests and when
/// they end that. Only a program that is routed is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    /// Nothing yet: whoever starts the instance waits for it.
    New,
    /// Somebody needs it.
    Routed,
    /// Nobody needs it any more.
    Drained,
}

impl Marked {
    /// What was told last: an instance that was drained is never let in again.
    pub fn of(routed: bool, drained: bool) -> Self {
        match (routed, drained) {
            (_, true) => Self::Drained,
            (true, false) => Self::Routed,
            (false, false) => Self::New,
        }
    }
}

/// How often the program of an instance was started again without anybody having asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restarts {
    /// So often since the instance was made.
    pub count: u32,
    /// Why the last time.
    pub because: String,
    /// When that was.
    pub at: Timestamp,
}

impl Observed {
    /// What was heard of an instance that is not ready; none where it is, was not asked or does not run. A look asks once, and
    /// once can be too little on a machine under load: a gateway that asks all the time, counts in a row and finds it ready
    /// knows better. It does not know better than a supervisor, from which it has that, and has it later.
    pub fn unready(&self, id: &InstanceId) -> Option<&ProbeAnswer> {
        let seen = self.instances.get(id).filter(|seen| matches!(seen.phase, Phase::Running { .. }))?;
        let heard = seen.answer.as_ref().filter(|answer| !answer.passed)?;
        (!self.is_found_ready(id, seen)).then_some(heard)
    }

    /// Whether an instance runs and is ready: what was heard of it passed, or a gateway that knows better finds that it is.
    pub fn is_ready(&self, id: &InstanceId) -> bool {
        let runs = |seen: &&ObservedInstance| matches!(seen.phase, Phase::Running { .. });
        let seen = self.instances.get(id).filter(runs);
        seen.is_some_and(|seen| seen.is_ready() || self.is_found_ready(id, seen))
    }

    fn is_found_ready(&self, id: &InstanceId, seen: &ObservedInstance) -> bool {
        if seen.answer.as_ref().is_some_and(|answer| answer.sure) {
            return false;
        }
        let is_ready = |endpoint: &EndpointState| matches!(endpoint, EndpointState::Serving { ready: true, .. });
        let mut routes = self.gateways.values().filter_map(|gateway| gateway.routes.get(&id.service));
        routes.any(|route| route.endpoints.get(id).is_some_and(is_ready))
    }
}

impl ObservedInstance {
    /// Whether it runs and its last probe passed.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Running { .. }) && self.answer.as_ref().is_some_and(|answer| answer.passed)
    }
}

/// Whether an instance runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Its main process runs.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// Its main process ended.
    Ended(Exit),
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// By the kernel, as it used more memory than it may.
    OutOfMemory(Option<Bytes>),
    /// As one of the containers that it is made of ended.
    Member {
        /// Which.
        rank: u32,
        /// How that one did.
        how: Box<Self>,
    },
    /// It could not be started.
    NotStarted(String),
    /// By wharf, as one of its checks failed too often.
    Unhealthy(String),
    /// Nobody was there to see how.
    Unseen,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(9) => f.write_str("killed by SIGKILL"),
            Self::Signal(15) => f.write_str("ended by SIGTERM"),
            Self::Signal(number) => write!(f, "ended by signal {number}"),
            Self::OutOfMemory(Some(limit)) => write!(f, "killed, as it used more memory than its {limit}"),
            Self::OutOfMemory(None) => f.write_str("killed, as the machine ran out of memory"),
            Self::Member { rank, how } => write!(f, "lost rank {rank}: {how}"),
            Self::NotStarted(why) => write!(f, "could not start: {why}"),
            Self::Unhealthy(why) => write!(f, "ended, as {why}"),
            Self::Unseen => f.write_str("gone, with everything that watched it"),
        }
    }
}

/// What a probe heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// Whether that counts as ready.
    pub passed: bool,
    /// In words: `HTTP 500: no model`, `connection refused`.
    pub heard: String,
    /// Whether nobody knows better: it comes from one who asks all the time and counts in a row, as a supervisor does, or
    /// there is nobody who could answer. A look asks once, and is not sure.
    pub sure: bool,
    /// Where the process listens instead, when it does not listen where it should.
    pub hint: Option<ListenHint>,
}

impl ProbeAnswer {
    /// What was heard when it was asked once.
    pub fn once(passed: bool, heard: impl Into<String>) -> Self {
        Self { passed, heard: heard.into(), sure: false, hint: None }
    }

    /// What nobody knows better.
    pub fn sure(passed: bool, heard: impl Into<String>) -> Self {
        Self { sure: true, ..Self::once(passed, heard) }
    }
}

impl fmt::Display for ProbeAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.heard)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

/// Where a process listens that does not listen on its `PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenHint {
    /// Where it should listen.
    pub expected: u16,
    /// Where it listens.
    pub found: Vec<SocketAddr>,
}

impl fmt::Display for ListenHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.found.is_empty() {
            return write!(f, "the process listens nowhere; it should listen on PORT={}", self.expected);
        }
        let found: Vec<_> = self.found.iter().map(SocketAddr::to_string).collect();
        write!(f, "the process listens on {} and not on PORT={}", found.join(", "), self.expected)
    }
}

/// A prepared, immutable content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentRef {
    /// A snapshot of a folder.
    Folder(ContentDigest),
    /// A set of third-party libraries.
    Packages(ContentDigest),
    /// A container image.
    Image(ContentDigest),
    /// A folder of a bucket, as it was listed.
    Bucket(ContentDigest),
    /// A repository at a commit: the digest is the beginning of the commit's own name.
    Git(ContentDigest),
    /// A folder of a container image.
    Part(ContentDigest),
}

impl ContentRef {
    /// What tells it from others of its kind.
    pub fn digest(self) -> ContentDigest {
        match self {
            Self::Folder(digest)
            | Self::Packages(digest)
            | Self::Image(digest)
            | Self::Bucket(digest)
            | Self::Git(digest)
            | Self::Part(digest) => digest,
        }
    }
}

impl fmt::Display for ContentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(digest) => write!(f, "folder-{digest}"),
            Self::Packages(digest) => write!(f, "packages-{digest}"),
            Self::Image(digest) => write!(f, "image-{digest}"),
            Self::Bucket(digest) => write!(f, "bucket-{digest}"),
            Self::Git(digest) => write!(f, "git-{digest}"),
            Self::Part(digest) => write!(f, "part-{digest}"),
        }
    }
}

impl FromStr for ContentRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('-') {
            Some(("folder", digest)) => digest.parse().map(Self::Folder),
            Some(("packages", digest)) => digest.parse().map(Self::Packages),
            Some(("image", digest)) => digest.parse().map(Self::Image),
            Some(("bucket", digest)) => digest.parse().map(Self::Bucket),
            Some(("git", digest)) => digest.parse().map(Self::Git),
            Some(("part", digest)) => digest.parse().map(Self::Part),
            _ => Err(format!("`{text}` names no content")),
        }
    }
}

/// Something outside the project's files that they refer to: what a template names, a revision pins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceRef {
    /// A folder of the host.
    Folder(FolderPath),
    /// An interpreter with these libraries.
    Packages(Libraries),
    /// A container image.
    Image(Arc<str>),
    /// A folder of a bucket.
    Bucket(BucketMount),
    /// A repository.
    Git(GitMount),
    /// A folder of a container image.
    Part(ImageMount),
    /// A network of the engine, by its name or id.
    Network(Arc<str>),
}

impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "folder {path}"),
            Self::Packages(Libraries { image, requirements }) => {
                write!(f, "packages {}", requirements.join(" "))?;
                image.as_ref().map_or(Ok(()), |image| write!(f, " in {image}"))
            }
            Self::Image(image) => write!(f, "image {image}"),
            Self::Bucket(bucket) => write!(f, "bucket {bucket}"),
            Self::Git(git) => write!(f, "git {git}"),
            Self::Part(part) => write!(f, "folder {part}"),
            Self::Network(network) => write!(f, "network {network}"),
        }
    }
}

/// Third-party libraries, and what they are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Libraries {
    /// The image with the interpreter; the host's own interpreter when absent.
    pub image: Option<Arc<str>>,
    /// One pip requirement each, in the order of the file. Never empty.
    pub requirements: Vec<Arc<str>>,
}

/// What a source holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePin {
    /// The digest of it all.
    pub content: ContentDigest,
    /// How many files; zero where that says nothing.
    pub files: u64,
    /// How many bytes; zero where that says nothing.
    pub bytes: u64,
    /// What it takes to bring it, where it is somewhere else.
    pub fetch: Option<Fetching>,
}

/// What it takes to bring a folder that is somewhere else, beside what is here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetching {
    /// In how many bytes.
    pub bytes: u64,
    /// In what it differs from earlier states of itself that are here.
    pub since: BTreeMap<ContentDigest, Turnover>,
}

/// In what a folder differs from an earlier state of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turnover {
    /// Files that were not there before.
    pub added: Vec<Arc<str>>,
    /// Files that hold something else.
    pub changed: Vec<Arc<str>>,
    /// Files that are there no more.
    pub removed: Vec<Arc<str>>,
}

/// Why a source could not be looked at: the attempt and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{attempt}")]
pub struct SourceError {
    /// What was tried, and what came of it.
    pub attempt: String,
    /// What helps.
    pub help: String,
}

impl ObservedInstance {
    /// How long it has run; zero when it does not.
    pub fn age(&self, now: Timestamp) -> Duration {
        match self.phase {
            Phase::Running { since } => now.since(since),
            Phase::Ended(_) => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Generation, Slot};

    /// One of which this was heard, behind a gateway that finds it ready or not.
    fn is_ready(phase: Phase, answer: ProbeAnswer, found: bool) -> bool {
        let id = InstanceId { service: "hello".parse().unwrap(), slot: Slot(0), generation: Generation(1) };
        let seen = ObservedInstance {
            revision: RevisionNumber(1),
            operation: None,
            fingerprint: None,
            endpoint: ([127, 0, 0, 1], 8000).into(),
            phase,
            answer: Some(answer),
            last_lines: Vec::new(),
            told: Told::default(),
            supervised: Supervised::default(),
        };
        let endpoint = EndpointState::Serving { ready: found, in_flight: 0 };
        let route = ObservedRoute {
            fingerprint: None,
            endpoints: BTreeMap::from([(id.clone(), endpoint)]),
            figures: BTreeMap::new(),
            told: Told::default(),
        };
        let gateway = ObservedGateway {
            running: true,
            listen: None,
            fingerprint: None,
            routes: BTreeMap::from([(id.service.clone(), route)]),
            told: Told::default(),
            release: None,
            lost: Lost::default(),
        };
        let gateways = BTreeMap::from([("public".parse().unwrap(), gateway)]);
        let observed = Observed { instances: BTreeMap::from([(id.clone(), seen)]), gateways, ..Observed::default() };
        let runs = matches!(observed.instances[&id].phase, Phase::Running { .. });
        assert_eq!(observed.unready(&id).is_none(), observed.is_ready(&id) || !runs);
        observed.is_ready(&id)
    }

    #[test]
    fn a_gateway_that_finds_an_instance_ready_knows_better_than_one_look() {
        let runs = || Phase::Running { since: Timestamp(0) };
        let look = |passed| ProbeAnswer::once(passed, "no answer within 1s");
        assert!(is_ready(runs(), look(true), false));
        assert!(is_ready(runs(), look(false), true));
        assert!(!is_ready(runs(), look(false), false));
        assert!(
            !is_ready(Phase::Ended(Exit::Code(1)), look(false), true),
            "what has ended is not ready, whoever says so"
        );
    }

    #[test]
    fn a_gateway_does_not_know_better_than_the_supervisor_that_tells_it() {
        let runs = || Phase::Running { since: Timestamp(0) };
        let told = |passed| ProbeAnswer::sure(passed, "starting: connection refused");
        assert!(is_ready(runs(), told(true), false));
        assert!(!is_ready(runs(), told(false), true), "the gateway has not heard of it yet");
    }
}
