//! The gateway's folder: who owns it, the last good configuration, the control socket's place.
//!
//! - `lock` is held with a POSIX record lock for the gateway's life. Any process can ask the kernel who holds it
//!   ([`holder`]), and it is gone when the process is, however it ended. Such a lock is given up when *any* descriptor
//!   of the file is closed, so the owner opens it once.
//! - `config.json` is written beside, synced and renamed, so a crash leaves the old one or the new one.
//! - `control.sock` may lie deeper than the 108 bytes that a socket's address has room for, so both sides reach it
//!   through the opened folder: `/proc/self/fd/N/control.sock`.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use socket2::{Domain, SockAddr, Socket, Type};
use thiserror::Error;

use crate::check::ConfigProblem;
use crate::config::{self, Config};
use crate::sink::Rotated;

const LOCK: &str = "lock";
const CONFIG: &str = "config.json";
const CONFIG_NEW: &str = "config.json.new";
const ACCESS_LOG: &str = "access.log";
const SOCKET: &str = "control.sock";

/// What can go wrong with a gateway's folder.
#[derive(Debug, Error)]
pub enum FolderError {
    /// Something in it can't be made, opened or written.
    #[error("cannot {attempt} {}", path.display())]
    Access {
        /// What was tried.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another gateway owns it.
    #[error("a gateway runs in {} already{}", dir.display(), process(*.pid))]
    Owned {
        /// The folder.
        dir: PathBuf,
        /// Its process, if it could be learnt.
        pid: Option<u32>,
    },
    /// The stored configuration can't be read.
    #[error("{} is not a configuration", path.display())]
    NotAConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The stored configuration can't be served.
    #[error("{} cannot be served: {}", path.display(), joined(problems))]
    BadConfig {
        /// The file.
        path: PathBuf,
        /// All that is wrong with it.
        problems: Vec<ConfigProblem>,
    },
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(", as process {pid}"))
}

fn joined(problems: &[ConfigProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The process whose gateway owns `dir`, if one does. Must not be called in that process itself: it would give up the
/// lock.
///
/// # Errors
///
/// The folder or its lock can't be read, for another reason than that it is not there.
pub fn holder(dir: &Path) -> io::Result<Option<u32>> {
    match OpenOptions::new().read(true).write(true).open(dir.join(LOCK)) {
        Ok(lock) => held_by(&lock),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn held_by(lock: &File) -> io::Result<Option<u32>> {
    let mut found = whole_file();
    fcntl(lock, FcntlArg::F_GETLK(&mut found))?;
    let free = i32::from(found.l_type) == libc::F_UNLCK;
    Ok(if free { None } else { u32::try_from(found.l_pid).ok() })
}

/// A write lock on a whole file.
fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// The file in which requests are told of. Whoever takes a folder over writes there before the folder is its own.
pub(crate) fn access_log(dir: &Path) -> Arc<Rotated> {
    Arc::new(Rotated { path: dir.join(ACCESS_LOG), full: config::full(), kept: config::kept() })
}

/// A folder that this process owns.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    opened: File,
    /// Holds the lock.
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be and takes it, or says who has it.
    pub(crate) fn own(path: &Path) -> Result<Self, FolderError> {
        let failed = |attempt| access(attempt, path);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("make"))?;
        let opened = File::open(path).map_err(failed("open"))?;
        let at = path.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&at).map_err(access("open", &at))?;
        if fcntl(&lock, FcntlArg::F_SETLK(&whole_file())).is_err() {
            let pid = held_by(&lock).ok().flatten();
            return Err(FolderError::Owned { dir: path.to_owned(), pid });
        }
        Ok(Self { path: path.to_owned(), opened, _lock: lock })
    }

    /// The configuration that was stored last. None if there never was one; a broken one is an error, because serving
    /// nothing in its place would be an outage that nobody is told of.
    pub(crate) fn config(&self) -> Result<Option<Config>, FolderError> {
        Self::stored(&self.path)
    }

    /// The same of a folder that somebody else owns.
    pub(crate) fn stored(folder: &Path) -> Result<Option<Config>, FolderError> {
        let path = folder.join(CONFIG);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FolderError::Access { attempt: "read", path, source }),
        };
        let config: Config = match serde_json::from_slice(&text) {
            Ok(config) => config,
            Err(source) => return Err(FolderError::NotAConfig { path, source }),
        };
        match config.check() {
            Ok(()) => Ok(Some(config)),
            Err(problems) => Err(FolderError::BadConfig { path, problems }),
        }
    }

    /// Stores a configuration. When this returns it survives a crash.
    pub(crate) fn store(&self, config: &Config) -> Result<(), FolderError> {
        let (path, beside) = (self.path.join(CONFIG), self.path.join(CONFIG_NEW));
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(&serde_json::to_vec_pretty(config)?)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            self.opened.sync_all()
        };
        write().map_err(access("write", &path))
    }

    /// Listens on the control socket. One that was left behind is replaced: the lock says that nobody is using it.
    pub(crate) fn listen(&self) -> Result<std::os::unix::net::UnixListener, FolderError> {
        let at = self.path.join(SOCKET);
        let short = through(&self.opened);
        let bind = || {
            self.remove_socket()?;
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.bind(&SockAddr::unix(&short)?)?;
            // Nobody can connect before it listens, so nobody can before the mode is set.
            fs::set_permissions(&short, Permissions::from_mode(0o600))?;
            socket.set_nonblocking(true)?;
            socket.listen(64)?;
            Ok(socket.into())
        };
        bind().map_err(access("listen on", &at))
    }

    /// Removes the control socket, if it is there.
    pub(crate) fn remove_socket(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join(SOCKET)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Connects to the control socket of the gateway that owns `dir`.
pub(crate) fn connect(dir: &Path) -> io::Result<std::os::unix::net::UnixStream> {
    let opened = File::open(dir)?;
    let stream = std::os::unix::net::UnixStream::connect(through(&opened))?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn through(opened: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd()))
}

fn access(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    move |source| FolderError::Access { attempt, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a folder whose `config.json` is `text`, and compares the error's words.
    fn check(text: &str, expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::own(dir.path()).unwrap();
        fs::write(dir.path().join(CONFIG), text).unwrap();
        let words = folder.config().unwrap_err().to_string();
        assert_eq!(words, format!("{}/config.json {expected}", dir.path().display()));
    }

    #[test]
    fn a_broken_configuration_is_an_error() {
        check("{", "is not a configuration");
        check(
            r#"{"format":9,"generation":1,"listeners":[],"routes":[]}"#,
            "cannot be served: the configuration has format 9; this build knows 1",
        );
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::own(dir.path()).unwrap();
        assert_eq!(folder.config().unwrap(), None);
        for generation in [1, 2] {
            let config = Config { generation, ..Config::empty() };
            folder.store(&config).unwrap();
            assert_eq!(folder.config().unwrap(), Some(config));
        }
        let mode = fs::metadata(dir.path().join(CONFIG)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!dir.path().join(CONFIG_NEW).exists());
    }

    #[test]
    fn a_deep_folder_has_a_socket_and_a_stale_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(100)).join("e".repeat(100));
        let folder = Folder::own(&deep).unwrap();
        drop(folder.listen().unwrap());
        assert!(connect(&deep).is_err());
        let listener = folder.listen().unwrap();
        connect(&deep).unwrap();
        let mode = fs::metadata(deep.join(SOCKET)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(listener);
    }
}
