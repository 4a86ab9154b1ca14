//! Why there can be no plan, and what a plan says beside its changes.

use std::{fmt, sync::Arc};
use wharf_model::{Address, FieldPath, InstanceId, Origin, RecordedRollout, Rest, SecretName, SourceError, SourceRef};

/// Something in the project that this runtime, or this host, cannot do. A project with a problem has no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The runtime cannot honour a field that is set.
    Unsupported {
        /// Of which resource.
        address: Address,
        /// Which field.
        path: FieldPath,
        /// The runtime.
        provider: &'static str,
        /// Why not.
        why: String,
        /// The way out.
        help: String,
        /// Where it is written.
        origin: Option<Origin>,
    },
    /// The machine lacks GPUs, or the driver for them, that a service asks for.
    Gpu {
        /// Of which service.
        address: Address,
        /// Which field asks for it.
        path: FieldPath,
        /// What is lacking, with the arithmetic.
        why: String,
        /// The way out.
        help: String,
        /// Where it is written.
        origin: Option<Origin>,
    },
    /// Something that a template refers to cannot be read.
    Source {
        /// Of which resource.
        address: Address,
        /// Which field.
        path: FieldPath,
        /// What came of it.
        error: SourceError,
        /// Where it is written.
        origin: Option<Origin>,
    },
}

impl Problem {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unsupported { .. } => "wharf::plan::unsupported",
            Self::Gpu { .. } => "wharf::plan::gpu",
            Self::Source { .. } => "wharf::plan::source",
        }
    }

    /// The way out.
    pub fn help(&self) -> &str {
        match self {
            Self::Unsupported { help, .. } | Self::Gpu { help, .. } => help,
            Self::Source { error, .. } => &error.help,
        }
    }

    /// Where the cause is written.
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Unsupported { origin, .. } | Self::Gpu { origin, .. } | Self::Source { origin, .. } => {
                origin.as_ref()
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { address, path, provider, why, .. } => {
                write!(f, "the {provider} runtime cannot honour `{path}` of {address}: {why}")
            }
            Self::Gpu { address, why, .. } => write!(f, "{address}: {why}"),
            Self::Source { address, error, .. } => write!(f, "{address}: {error}"),
        }
    }
}

/// What is said of a source that nobody looked at.
pub(crate) fn not_looked_at(source: &SourceRef) -> SourceError {
    SourceError { attempt: format!("{source} was not looked at"), help: "run the command again".to_owned() }
}

/// Something worth knowing that a plan does nothing about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// An instance runs and is not ready; only its own program can change that.
    NotReady {
        /// Which.
        instance: InstanceId,
        /// What its probe heard.
        heard: String,
    },
    /// Something is there that is not recorded, and not what the files describe.
    NotAdopted {
        /// What.
        address: Address,
        /// Why, in a sentence.
        why: String,
    },
    /// The last rollout of a service did not end well.
    LastRollout {
        /// The service's address.
        address: Address,
        /// How it ended, in a sentence.
        how: String,
    },
    /// A rollout waits until somebody lets it go on.
    Resting {
        /// The service's address.
        address: Address,
        /// How it stands.
        rollout: RecordedRollout,
    },
    /// What goes and what comes are so alike that it may be one thing under another name.
    LooksRenamed {
        /// What goes.
        from: Address,
        /// What comes.
        to: Address,
        /// In how many fields they differ.
        unlike: usize,
    },
    /// A supervisor comes that holds the socket of an engine.
    HoldsSocket {
        /// The supervisor's address.
        address: Address,
        /// The socket.
        socket: Arc<str>,
    },
    /// New instances have secrets among their variables, which the runtime's own command shows.
    Shown {
        /// The service's address.
        address: Address,
        /// Which.
        secrets: Vec<SecretName>,
        /// The command.
        by: &'static str,
    },
    /// A rename that is done.
    RenameDone {
        /// What it is called.
        address: Address,
        /// What it was called.
        from: Address,
    },
}

/// The name in an address.
fn bare(address: &Address) -> String {
    let text = address.to_string();
    text.split_once('.').map_or(text.clone(), |(_, name)| name.to_owned())
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady { instance, heard } => write!(f, "{instance} runs but is not ready: {heard}"),
            Self::NotAdopted { address, why } => write!(f, "{address} is not taken over: {why}"),
            Self::LooksRenamed { from, to, unlike } => {
                let alike = match unlike {
                    0 => "say the same".to_owned(),
                    1 => "differ in one field".to_owned(),
                    many => format!("differ in {many} fields"),
                };
                let name = bare(from);
                write!(f, "{from} goes and {to} comes, and they {alike}: if it is one and the same, ")?;
                write!(f, "write `was \"{name}\"` in {to}, and it is moved")
            }
            Self::RenameDone { address, from } => {
                write!(f, "{address} says that it was {}; that is done here, and the line can go", bare(from))
            }
            Self::Resting { address, rollout } => {
                let RecordedRollout { to, passed, steps, rest, .. } = rollout;
                let name = bare(address);
                let why = match rest {
                    Some(Rest::Partition) => "as its file keeps the others as they are".to_owned(),
                    Some(Rest::Pause) => format!("behind step {passed} of {steps}, as its file says"),
                    Some(Rest::File) => {
                        write!(f, "the rollout of {address} to {to} waits as long as its file says `paused`: ")?;
                        return write!(f, "take that away and apply, or `wharf rollout abort {name}` goes back");
                    }
                    Some(Rest::Asked | Rest::Aborted) | None => "as somebody asked".to_owned(),
                };
                write!(f, "the rollout of {address} to {to} waits {why}; `wharf rollout resume {name}` goes on, ")?;
                write!(f, "`wharf rollout abort {name}` goes back")
            }
            Self::HoldsSocket { address, socket } => {
                write!(
                    f,
                    "{address} holds {socket}, and with it all that the engine may do, to make the checks that no "
                )?;
                f.write_str("gateway makes and to start programs again; it listens nowhere")
            }
            Self::Shown { address, secrets, by } => {
                let secrets: Vec<_> = secrets.iter().map(SecretName::as_str).collect();
                let what = if secrets.len() == 1 { "secret" } else { "secrets" };
                write!(f, "`{by}` shows the {what} {} of {address} to whoever may use it", secrets.join(", "))
            }
            Self::LastRollout { address, how } => write!(f, "the last rollout of {address} {how}"),
        }
    }
}
