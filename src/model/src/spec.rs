//! What a resource should be. A spec holds no secret's value and no place of one machine's file system but those the
//! user wrote; what a look at the outside world adds to it (the content of a folder, say) is in [`Pins`].

use crate::{Bytes, ContentDigest, CountOrPercent, EnvName, GatewayName, SecretDigest, SecretName, ServiceName};
use std::{collections::BTreeMap, fmt, net::IpAddr, str::FromStr, sync::Arc, time::Duration};

/// A service: what one instance is, how many there are, and how they are kept, replaced and reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// What one instance is.
    pub template: Template,
    /// How many instances there should be.
    pub instances: u32,
    /// How instances are replaced.
    pub rollout: RolloutPolicy,
    /// How an instance is stopped.
    pub shutdown: Shutdown,
    /// How long a request may take until its answer begins.
    pub timeout: Duration,
    /// Which tokens open the service; everybody may call it when there is none.
    pub tokens: Vec<TokenSpec>,
    /// Through which gateways it is reached, and under which paths.
    pub exposes: BTreeMap<GatewayName, Expose>,
}

/// What one instance is: the part of a service whose change means new instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The container image; none on a runtime where the host stands in for it.
    pub image: Option<Arc<str>>,
    /// What runs.
    pub program: Program,
    /// Where the program listens, unless the runtime gives each instance a port of its own.
    pub port: u16,
    /// Third-party libraries, one pip requirement each, in the order of the file.
    pub packages: Vec<Arc<str>>,
    /// Environment variables.
    pub env: BTreeMap<EnvName, EnvValue>,
    /// What is mounted where.
    pub mounts: BTreeMap<MountPath, Mount>,
    /// How it is found out whether an instance may get requests; a connection to its port when absent. It is part of the
    /// revision, so that each instance is asked what its own program answers.
    pub readiness: Option<Probe>,
}

impl Template {
    /// The readiness probe, or what counts as one.
    pub fn probe(&self) -> Probe {
        self.readiness.clone().unwrap_or_else(Probe::fallback)
    }
}

/// What runs in an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A program and its arguments, run without a shell. Never empty.
    Command(Vec<Arc<str>>),
    /// Text for `/bin/sh`.
    Script(Arc<str>),
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(words) => f.write_str(&words.join(" ")),
            Self::Script(text) => f.write_str(text),
        }
    }
}

/// The value of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// Written in the file.
    Plain(Arc<str>),
    /// The value of a secret, filled in when an instance starts.
    Secret(SecretName),
}

/// An absolute path inside an instance, without `.` and `..`, not the root and not a folder of the system.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountPath(Arc<str>);

/// Why a text is no path to mount at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountPathError {
    /// Relative, or with parts that lead elsewhere.
    #[error("`{0}` is not an absolute path without `.` and `..`")]
    Shape(String),
    /// A folder that the system needs.
    #[error("`{0}` belongs to the system and cannot be mounted over")]
    System(String),
}

/// Folders that no mount may hide or lie in.
const SYSTEM: [&str; 13] =
    ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/usr"];

impl MountPath {
    /// The path as text; no slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether one of the two lies in the other, or both are the same.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (short, long) = if self.0.len() <= other.0.len() { (self, other) } else { (other, self) };
        long.0.strip_prefix(&*short.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for MountPath {
    type Err = MountPathError;

    fn from_str(text: &str) -> Result<Self, MountPathError> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let parts = path.strip_prefix('/').ok_or_else(|| MountPathError::Shape(text.to_owned()))?;
        if parts.split('/').any(|part| matches!(part, "." | "..") || part.contains('\0') || part.is_empty()) {
            let root = path.is_empty();
            return Err(if root {
                MountPathError::System("/".to_owned())
            } else {
                MountPathError::Shape(text.to_owned())
            });
        }
        let system =
            |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if SYSTEM.into_iter().any(system) {
            return Err(MountPathError::System(path.to_owned()));
        }
        Ok(Self(path.into()))
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A folder of the host: absolute, or relative to the project's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderPath(pub Arc<str>);

impl fmt::Display for FolderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The folder.
    pub folder: FolderPath,
    /// What instances may do there, and whether they see later changes of the folder.
    pub access: Access,
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

/// A check that is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is asked.
    pub check: Check,
    /// How often; more than zero.
    pub every: Duration,
    /// How long an answer may take; more than zero.
    pub timeout: Duration,
    /// So many failures in a row make a ready instance not ready; at least 1.
    pub failures: u32,
    /// So many passes in a row make it ready again; at least 1.
    pub successes: u32,
}

impl Probe {
    /// What counts when a service names no readiness probe: a connection to its port.
    pub fn fallback() -> Self {
        Self {
            check: Check::Tcp,
            every: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            failures: 3,
            successes: 1,
        }
    }
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// `GET` of the path; a status from 200 to 399 passes.
    Http {
        /// The path, with its leading slash.
        path: Arc<str>,
    },
    /// A connection to the port.
    Tcp,
}

/// How instances are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutPolicy {
    /// How many instances there may be beyond the count; rounds up.
    pub max_surge: CountOrPercent,
    /// How many may be missing from the count; rounds down.
    pub max_unavailable: CountOrPercent,
    /// How long an instance must have been ready before it gets requests.
    pub min_ready: Duration,
    /// How long a rollout may go on without one more ready instance.
    pub deadline: Duration,
    /// What happens to a rollout that fails.
    pub on_failure: OnFailure,
}

impl Default for RolloutPolicy {
    fn default() -> Self {
        Self {
            max_surge: CountOrPercent::Count(1),
            max_unavailable: CountOrPercent::Count(0),
            min_ready: Duration::from_secs(1),
            deadline: Duration::from_secs(600),
            on_failure: OnFailure::RollBack,
        }
    }
}

/// What happens to a rollout that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// Go back to the revision before, once.
    RollBack,
    /// Stay, with the healthiest set of instances.
    Halt,
}

/// How an instance is stopped. As on EAS, the main process gets no signal but the last one unless it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// How long open requests may go on before the process is killed.
    pub grace: Duration,
    /// Whether the process gets SIGTERM as soon as it is draining.
    pub sigterm: bool,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { grace: Duration::from_secs(30), sigterm: false }
    }
}

/// A token that opens a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenSpec {
    /// Which secret holds it.
    pub secret: SecretName,
}

/// How a service is reached through a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expose {
    /// A path beside `/api/predict/<service>`, if one is given.
    pub path: Option<Arc<str>>,
}

/// A gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySpec {
    /// The port it listens on.
    pub port: u16,
    /// The address it listens on.
    pub address: IpAddr,
    /// The largest request body it lets through.
    pub max_body: Option<Bytes>,
}

/// The way from a gateway to a service, as both together say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSpec {
    /// The gateway.
    pub gateway: GatewayName,
    /// The service.
    pub service: ServiceName,
    /// The prefixes under which the service is found; the longest that fits wins.
    pub paths: Vec<Arc<str>>,
    /// Which tokens open it.
    pub tokens: Vec<TokenSpec>,
    /// The keyed digests of those tokens, where they are known.
    pub token_digests: BTreeMap<SecretName, SecretDigest>,
    /// How long a request may take until its answer begins.
    pub timeout: Duration,
    /// The largest request body.
    pub max_body: Option<Bytes>,
}

/// What a look outside fixed about a template: with it, a revision means the same for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// The content of each snapshot mount.
    pub mounts: BTreeMap<MountPath, ContentDigest>,
    /// The interpreter and the libraries; none when no libraries are asked for.
    pub packages: Option<ContentDigest>,
    /// The secrets among the environment variables; empty while the record has no key yet.
    pub secrets: BTreeMap<SecretName, SecretDigest>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_paths_are_checked() {
        for (text, path) in [("/mnt/data", "/mnt/data"), ("/mnt/data/", "/mnt/data"), ("/models", "/models")] {
            assert_eq!(text.parse::<MountPath>().unwrap().as_str(), path);
        }
        for bad in ["", "/", "mnt", "/mnt/../etc", "/mnt//x", "/./x", "/usr", "/etc/passwd", "/proc/self"] {
            assert!(bad.parse::<MountPath>().is_err(), "{bad}");
        }
        assert!("/users".parse::<MountPath>().is_ok());
    }

    #[test]
    fn overlap_is_by_whole_parts() {
        let path = |text: &str| text.parse::<MountPath>().unwrap();
        assert!(path("/a/b").overlaps(&path("/a")));
        assert!(path("/a").overlaps(&path("/a")));
        assert!(!path("/a/b").overlaps(&path("/a/bc")));
    }
}
