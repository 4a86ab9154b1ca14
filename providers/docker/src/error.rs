//! What the engine says, in the words of the contract: which kind of failure it is, and the way out.

use bollard::errors::Error as EngineError;
use std::{error::Error, io, time::Duration};
use wharf_provider::ProviderError;

/// What an engine said.
#[derive(Debug, thiserror::Error)]
#[error("the engine says: {0}")]
pub(crate) struct Said(pub(crate) String);

/// What ssh said.
#[derive(Debug, thiserror::Error)]
#[error("ssh says: {0}")]
pub(crate) struct SshSaid(pub(crate) String);

/// What git said.
#[derive(Debug, thiserror::Error)]
#[error("git says: {0}")]
pub(crate) struct GitSaid(pub(crate) String);

/// Why an engine elsewhere cannot be talked to, and the way out.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Trouble {
    kind: TroubleKind,
    what: String,
    help: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Debug)]
enum TroubleKind {
    Rejected,
    Denied,
    Away,
}

impl Trouble {
    /// Something is wrong with how we ask.
    pub(crate) fn rejected(what: String, help: impl Into<String>) -> Self {
        Self { kind: TroubleKind::Rejected, what, help: help.into(), source: None }
    }

    /// One of the two does not trust the other.
    pub(crate) fn denied(what: String, help: impl Into<String>) -> Self {
        Self { kind: TroubleKind::Denied, what, help: help.into(), source: None }
    }

    /// It may be there again in a while.
    pub(crate) fn away(what: String) -> Self {
        Self { kind: TroubleKind::Away, what, help: String::new(), source: None }
    }

    pub(crate) fn because(self, cause: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(cause)), ..self }
    }

    /// The same in the words of the contract.
    pub(crate) fn of(self, attempt: &str) -> ProviderError {
        let Self { kind, what, help, source } = self;
        let attempt = format!("{attempt}: {what}");
        match kind {
            TroubleKind::Rejected => ProviderError::Rejected { attempt, help, source },
            TroubleKind::Denied => ProviderError::Denied { attempt, help, source },
            TroubleKind::Away => ProviderError::Unreachable { attempt, retry_after: Some(RESTART), source },
        }
    }
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        Self::other(trouble)
    }
}

/// What an attempt on the engine failed with.
pub(crate) fn engine(attempt: impl Into<String>) -> impl FnOnce(EngineError) -> ProviderError {
    let attempt = attempt.into();
    move |error| sort(attempt, error)
}

/// The status that the engine answered with.
pub(crate) fn status(error: &EngineError) -> Option<u16> {
    match error {
        EngineError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// An answer that says that the thing is not there.
pub(crate) fn is_missing(error: &EngineError) -> bool {
    status(error) == Some(404)
}

/// An answer that says that something of that name is there, or that the thing is being worked on.
pub(crate) fn is_conflict(error: &EngineError) -> bool {
    // Podman answers so with 500.
    status(error) == Some(409) || status(error) == Some(500) && error.to_string().contains("name is already in use")
}

/// Takes "it is not there" as an answer.
pub(crate) fn absent<T>(result: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How long an engine that restarts is left alone before it is asked again: it ends its containers first.
const RESTART: Duration = Duration::from_secs(4);

/// What the engine's words mean and what helps, for what users meet most.
const KNOWN: [(&str, &str); 12] = [
    ("port is already allocated", "stop what listens there, or give the gateway another port"),
    ("address already in use", "stop what listens there, or give the gateway another port"),
    (
        "failed to mount local volume",
        "see that the file server exports the folder to the engine's machine, and that this machine can mount it \
         (Debian: `apt install nfs-common`)",
    ),
    (
        "user configured subnets",
        "instances keep their addresses, and the engine chose this network's: have it made with \
         `docker network create --subnet 10.20.0.0/24 …`",
    ),
    (
        "http request to an https server",
        "the engine speaks TLS: name the folder of its certificates, `certificates=\"…\"` beside `host`, or set DOCKER_TLS_VERIFY \
         and DOCKER_CERT_PATH",
    ),
    ("pquota", "mount the engine's folder with the option `pquota`, or leave `disk` out of the resources"),
    ("executable file not found", "see that the image holds the program that `command` names"),
    ("no such file or directory", "see that what `command` names is in the image or in a mount"),
    ("permission denied", "see that what `command` names may be run"),
    ("no space left on device", "make room on the engine's disk: `docker system df` shows what takes it"),
    ("could not select device driver", "install the container toolkit of the GPU's maker on the engine's machine"),
    ("bind source path does not exist", "create the folder on the engine's machine, or correct the mount"),
];

fn sort(attempt: String, error: EngineError) -> ProviderError {
    match error {
        EngineError::IOError { err } if err.get_ref().is_some_and(|inner| inner.is::<Trouble>()) => {
            let inner = err.into_inner().and_then(|inner| inner.downcast::<Trouble>().ok());
            inner.expect("it was looked at").of(&attempt)
        }
        EngineError::DockerResponseServerError { status_code, message } => said(attempt, status_code, message),
        EngineError::DockerStreamError { error } => said(attempt, 500, error),
        EngineError::SocketNotFoundError(path) => ProviderError::Missing {
            attempt: format!("{attempt}: no Docker Engine listens at {path}"),
            help: "start the engine (`systemctl start docker`), or name another with `provider \"docker\" host=\"…\"`"
                .to_owned(),
        },
        EngineError::UnsupportedURISchemeError { uri } => ProviderError::Rejected {
            attempt: format!("{attempt}: {uri} is no address of an engine"),
            help: "write `host=\"unix:///path/to/docker.sock\"`, `host=\"tcp://host:port\"`, or `host=\"ssh://user@host\"`".to_owned(),
            source: None,
        },
        // Trying again would bring the same: Podman calls states of containers by names of its own.
        EngineError::JsonDataError { ref message, .. } if message.contains("unknown variant") => {
            ProviderError::Rejected {
                attempt: format!("{attempt}: what answers is no Docker Engine of API 1.41 or newer"),
                help:
                    "name a Docker Engine with `provider \"docker\" host=\"…\"`; docs/podman.md says how Podman differs"
                        .to_owned(),
                source: Some(Box::new(error)),
            }
        }
        error => match io_kind(&error) {
            Some(io::ErrorKind::PermissionDenied) => ProviderError::Denied {
                attempt: format!("{attempt}: you may not use the engine's socket"),
                help: "join the group that owns it (`sudo usermod -aG docker $USER`, then log in again)".to_owned(),
                source: None,
            },
            // It was there and is gone: it comes back when the engine has restarted.
            Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                ProviderError::Unreachable { attempt, retry_after: Some(RESTART), source: Some(Box::new(error)) }
            }
            _ => ProviderError::Unreachable { attempt, retry_after: None, source: Some(Box::new(error)) },
        },
    }
}

fn said(attempt: String, status: u16, message: String) -> ProviderError {
    let lower = message.to_lowercase();
    let known = KNOWN.iter().find(|(words, _)| lower.contains(words));
    let help = known.map_or("look at the cause; when it is mended, apply again", |(_, help)| help).to_owned();
    let source: Option<Box<dyn Error + Send + Sync>> = Some(Box::new(Said(one_line(&message))));
    match status {
        401 | 403 if known.is_none() => ProviderError::Denied { attempt, help, source },
        404 => ProviderError::Missing { attempt: format!("{attempt}: {}", one_line(&message)), help },
        409 => ProviderError::Conflict { attempt: format!("{attempt}: {}", one_line(&message)), help },
        503 => ProviderError::Unreachable { attempt, retry_after: None, source },
        _ if lower.contains("port is already allocated") || lower.contains("address already in use") => {
            ProviderError::Conflict { attempt: format!("{attempt}: {}", one_line(&message)), help }
        }
        _ => ProviderError::Rejected { attempt, help, source },
    }
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The kind of the input or output error at the bottom, if there is one.
fn io_kind(error: &EngineError) -> Option<io::ErrorKind> {
    // Both are transparent: as a source, each would be passed over.
    let mut cause: Option<&(dyn Error + 'static)> = match error {
        EngineError::IOError { err } => Some(err),
        EngineError::HyperLegacyError { err } => Some(err),
        error => Some(error),
    };
    let mut found = None;
    while let Some(error) = cause {
        found = error.downcast_ref::<io::Error>().map(io::Error::kind).or(found);
        cause = error.source();
    }
    found
}

/// The error of this kind at the bottom, if there is one.
pub(crate) fn beneath<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // As a source, what an input or output error was made from would be passed over.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

/// What an attempt on this host's files failed with.
pub(crate) fn disk(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> ProviderError {
    let attempt = attempt.into();
    move |source| ProviderError::Rejected {
        attempt,
        help: "see that the user who runs wharf may do so, and try again".to_owned(),
        source: Some(Box::new(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of an answer of the engine.
    fn check(status_code: u16, message: &str) -> ProviderError {
        engine("cannot start x")(EngineError::DockerResponseServerError { status_code, message: message.to_owned() })
    }

    #[test]
    fn each_answer_has_its_kind_and_its_way_out() {
        let error = check(
            500,
            "driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated",
        );
        assert!(matches!(&error, ProviderError::Conflict { help, .. } if help.contains("another port")), "{error:?}");
        assert!(matches!(check(404, "no such container"), ProviderError::Missing { .. }));
        assert!(matches!(check(409, "in use"), ProviderError::Conflict { .. }));
        assert!(matches!(check(503, "busy"), ProviderError::Unreachable { .. }));
        let error =
            check(400, "OCI runtime create failed: exec: \"nope\": executable file not found in $PATH: unknown");
        assert!(
            matches!(&error, ProviderError::Rejected { help, .. } if help.contains("`command` names")),
            "{error:?}"
        );
    }

    #[test]
    fn a_socket_that_is_missing_or_refused_is_told() {
        let error = engine("cannot look")(EngineError::SocketNotFoundError("/run/x.sock".to_owned()));
        assert_eq!(error.to_string(), "cannot look: no Docker Engine listens at /run/x.sock");
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(matches!(engine("x")(EngineError::IOError { err: denied }), ProviderError::Denied { .. }));
        for away in [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound] {
            let away = EngineError::IOError { err: away.into() };
            assert!(matches!(engine("x")(away), ProviderError::Unreachable { retry_after: Some(_), .. }));
        }
    }
}
