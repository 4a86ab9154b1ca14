//! Locks that tell whether a process lives: the kernel drops them when it dies, and names the process that holds one.
//! A process id that was written down is never trusted.

use rustix::{
    fs::{FlockOperation, fcntl_lock},
    io::Errno,
    process::{Flock, FlockType, Pid, PidfdFlags, Signal, fcntl_getlk, pidfd_open, pidfd_send_signal},
};
use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, Write as _},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt as _},
    path::Path,
};

/// A lock that this process holds until it ends. Within the process, no other handle on the file may be opened:
/// closing it would let go of the lock.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Makes the file that is to be locked.
    pub(crate) fn create(path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map(drop)
    }

    /// Takes the lock; `None` when another process holds it. The file must be there: a process that comes too late must
    /// not make one in a folder that is being removed.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a word into the locked file.
    pub(crate) fn write(&mut self, text: &str) -> io::Result<()> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        self.0.write_all(text.as_bytes())
    }
}

/// Who holds the lock, as the kernel sees it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Nobody.
    Nobody,
    /// This process.
    Process(Pid),
    /// A process that cannot be named from here, as it lives in another process namespace.
    Elsewhere,
}

/// Asks who holds the lock. Without a file, nobody does.
pub(crate) fn holder(path: &Path) -> io::Result<Holder> {
    match File::open(path) {
        Ok(file) => ask(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Holder::Nobody),
        Err(error) => Err(error),
    }
}

fn ask(file: &File) -> io::Result<Holder> {
    let found = fcntl_getlk(file, &Flock::from(FlockType::WriteLock))?;
    Ok(found.map_or(Holder::Nobody, |lock| lock.pid.map_or(Holder::Elsewhere, Holder::Process)))
}

/// A hold on the process that has the lock, which stays its own even when the process is gone and its id used again.
#[derive(Debug)]
pub(crate) struct Grip {
    process: OwnedFd,
    /// Its id, while it lives.
    pub(crate) pid: Pid,
}

impl Grip {
    /// Gets hold of the process that has the lock; `None` when nobody has it.
    pub(crate) fn on(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let pid = match holder(path)? {
                Holder::Nobody => return Ok(None),
                Holder::Elsewhere => return Err(io::Error::other("the lock is held in another process namespace")),
                Holder::Process(pid) => pid,
            };
            let process = match pidfd_open(pid, PidfdFlags::empty()) {
                Ok(process) => process,
                Err(Errno::SRCH) => continue,
                Err(error) => return Err(error.into()),
            };
            // The id may have been given to somebody else between the question and the hold; not if the lock's
            // holder is still called so.
            if holder(path)? == Holder::Process(pid) {
                return Ok(Some(Self { process, pid }));
            }
        }
    }

    /// Sends a signal; one that is gone gets none.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.process, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_what_is_not_there_or_not_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert_eq!(holder(&path).unwrap(), Holder::Nobody);
        std::fs::write(&path, "").unwrap();
        assert_eq!(holder(&path).unwrap(), Holder::Nobody);
        assert!(Grip::on(&path).unwrap().is_none());
        assert!(path.exists());
    }
}
