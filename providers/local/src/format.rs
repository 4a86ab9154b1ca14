//! What is stored and what the roles say to each other, as JSON. Stored files carry a format number. No type of the
//! model is written as it is, and no secret's value is ever stored: the [`Document`] travels over pipes only.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};
use wharf_model::Exit;
use wharf_serving::{Care, Heard, Kind};

/// The format that this build writes.
pub(crate) const FORMAT: u32 = 1;

/// `labels.json` of an instance.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InstanceLabels {
    pub(crate) format: u32,
    pub(crate) project: String,
    pub(crate) environment: String,
    pub(crate) address: String,
    pub(crate) generation: u32,
    pub(crate) revision: u32,
    /// What the revision is made of; absent in labels of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<String>,
    pub(crate) operation: String,
    pub(crate) endpoint: SocketAddr,
    /// Milliseconds since the Unix epoch.
    pub(crate) made: u64,
    pub(crate) probe: StoredProbe,
}

/// How an instance is asked whether it is ready.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredProbe {
    /// The path to ask for; without one, a connection is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// The service that the health service of gRPC is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grpc: Option<String>,
    /// Whether the supervisor is asked, and not the instance.
    #[serde(default)]
    pub(crate) told: bool,
    pub(crate) timeout_ms: u64,
}

/// `labels.json` of a gateway.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GatewayLabels {
    pub(crate) format: u32,
    pub(crate) project: String,
    pub(crate) environment: String,
    pub(crate) address: String,
    pub(crate) operation: String,
    pub(crate) fingerprint: String,
    /// Whether the gateway took what the fingerprint stands for.
    pub(crate) settled: bool,
}

/// `labels.json` of an object beside gateways and instances.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ObjectLabels {
    pub(crate) format: u32,
    pub(crate) project: String,
    pub(crate) environment: String,
    pub(crate) address: String,
    pub(crate) generation: u32,
    pub(crate) operation: String,
    /// What it was made from; absent while it is not brought there.
    pub(crate) fingerprint: Option<String>,
}

/// The labels of a content, beside its folder.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ContentLabels {
    pub(crate) format: u32,
    pub(crate) project: String,
    pub(crate) environment: String,
    pub(crate) address: String,
    pub(crate) operation: String,
}

/// `routes.json` of a gateway: by service, what its route was set from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RouteLabels {
    pub(crate) format: u32,
    pub(crate) routes: BTreeMap<String, RouteLabel>,
}

/// One route of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RouteLabel {
    pub(crate) operation: String,
    pub(crate) fingerprint: String,
}

/// `exit.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredExit {
    pub(crate) format: u32,
    #[serde(flatten)]
    pub(crate) end: End,
    /// Milliseconds since the Unix epoch.
    pub(crate) at: u64,
}

/// How a main process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    Code(i32),
    Signal(i32),
    NotStarted(String),
    /// A check failed so often that it was ended.
    Unhealthy(String),
}

impl From<End> for Exit {
    fn from(end: End) -> Self {
        match end {
            End::Code(code) => Self::Code(code),
            End::Signal(number) => Self::Signal(number),
            End::NotStarted(why) => Self::NotStarted(why),
            End::Unhealthy(why) => Self::Unhealthy(why),
        }
    }
}

/// All that the roles need to run an instance. It holds secrets' values: never print or store it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Document {
    /// Never empty.
    pub(crate) command: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) work: PathBuf,
    /// An empty folder in which the view is put together.
    pub(crate) view: PathBuf,
    pub(crate) mounts: Vec<MountPoint>,
    /// What clients serve, to be kept up for as long as the instance has a supervisor.
    pub(crate) systems: Vec<FileSystem>,
    /// What is to be held in memory for as long as that.
    pub(crate) weights: Option<Held>,
    /// Folders that the instance sees where they are, read-only.
    pub(crate) protected: Vec<PathBuf>,
    /// Where it is to listen.
    pub(crate) port: u16,
    /// What its supervisor sees to.
    pub(crate) care: Care,
}

/// One mount of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MountPoint {
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) read_only: bool,
    /// Where the client mounts that serves it. It is then passed on by the source, which is empty in itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) served: Option<PathBuf>,
}

impl MountPoint {
    /// A folder of the host.
    pub(crate) fn folder(source: PathBuf, target: PathBuf, read_only: bool) -> Self {
        Self { source, target, read_only, served: None }
    }
}

/// A file system that a client serves.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FileSystem {
    /// What is served, for people.
    pub(crate) what: String,
    /// The client, and what it is started with. Never empty.
    pub(crate) command: Vec<String>,
    /// Its variables; keys are among them.
    pub(crate) env: BTreeMap<String, String>,
    /// Whether instances only read it. It must hold something then: a client takes a bucket that is not there for an empty one.
    pub(crate) read_only: bool,
    /// Where the client mounts it: a folder that is made, and seen by nobody else.
    pub(crate) served: PathBuf,
    /// The folder that passes it on to the instance; it is made.
    pub(crate) place: PathBuf,
    /// Where the instance sees it.
    pub(crate) target: PathBuf,
}

/// Files that are to be held in memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    /// What holds them.
    pub(crate) program: PathBuf,
    /// Copies on the host, each with the folder in it that is meant; an empty one stands for all of it.
    pub(crate) folders: Vec<(PathBuf, PathBuf)>,
    /// How many bytes they may have.
    pub(crate) most: u64,
    /// A file that is there once all of them are held.
    pub(crate) told: PathBuf,
    /// Where the instance sees them.
    pub(crate) target: String,
}

/// Which part of the host does not let us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Refuser {
    /// The kernel, which gives no namespaces.
    Kernel,
    /// Something on the way to the mounts.
    Files,
    /// A client that serves a file system.
    Client,
    /// The limit of memory that may be held.
    Memory,
}

/// What a supervisor says to the one who started it, a line each.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Word {
    /// It holds the lock and waits for the document.
    Locked,
    /// The main process runs, or ended, or could not be started: whatever it is, it is found in the folder.
    Started,
    /// The host does not let us; nothing runs.
    Refused { refuser: Refuser, attempt: String, why: String },
}

/// What an init says to its supervisor, a line each.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Report {
    /// The main process runs.
    Started,
    /// The view could not be made.
    Refused { refuser: Refuser, attempt: String, why: String },
    /// The main process ended, or could not be started.
    Ended(End),
    /// What came of a program that was run as a check.
    Ran(Ran),
}

/// What a supervisor wants of an init, a line each.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// The main process is told to end.
    Terminate,
    /// Everything is to end at once.
    End,
    /// A program is to be run as a check.
    Run(ToRun),
}

/// A program to run as a check.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ToRun {
    pub(crate) number: u64,
    pub(crate) words: Vec<String>,
    pub(crate) timeout_ms: u64,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ran {
    pub(crate) number: u64,
    pub(crate) heard: Heard,
}

/// What those who check want of their supervisor, a line each.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wish {
    /// A program is to be run in the instance.
    Run(ToRun),
    /// The program must end.
    End { why: String },
}

/// `health.json` of an instance: what each of its checks heard last.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredHealth {
    pub(crate) format: u32,
    pub(crate) checks: BTreeMap<Kind, Heard>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_exit_reads_back() {
        let text = r#"{"format":1,"signal":9,"at":5}"#;
        let stored: StoredExit = serde_json::from_str(text).unwrap();
        assert_eq!(stored.end, End::Signal(9));
        assert_eq!(serde_json::to_string(&stored).unwrap(), text);
    }
}
