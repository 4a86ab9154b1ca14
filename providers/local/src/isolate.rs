//! The namespaces of an instance: a process namespace, so that the end of its first process is the end of all of them,
//! and, for whoever is not root, a user namespace that allows it. The mounts are the first process's own affair, see
//! `view`.

use crate::format::Refuser;
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::{getegid, geteuid},
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, configure_capability_in_ambient_set,
    set_capabilities,
};
use std::{fs, io};

/// What was tried when the host said no.
#[derive(Debug, thiserror::Error)]
#[error("{attempt}")]
pub(crate) struct Refused {
    pub(crate) refuser: Refuser,
    pub(crate) attempt: String,
    pub(crate) source: io::Error,
}

/// The kernel gives no namespace, or not the rights that should come with it.
pub(crate) fn by_kernel<E: Into<io::Error>>(attempt: &str) -> impl FnOnce(E) -> Refused {
    let attempt = attempt.to_owned();
    move |source| Refused { refuser: Refuser::Kernel, attempt, source: source.into() }
}

/// A file or folder is in the way.
pub(crate) fn by_files(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Refused {
    let attempt = attempt.into();
    move |source| Refused { refuser: Refuser::Files, attempt, source }
}

/// Makes the next child the first process of a namespace of its own, and lets it mount. The caller has one thread.
pub(crate) fn isolate() -> Result<(), Refused> {
    let processes = CloneFlags::CLONE_NEWPID;
    if may_mount()? {
        return unshare(processes).map_err(by_kernel("the kernel refuses a process namespace"));
    }
    own_user(processes)
}

/// Gives this process, and all that it starts, mounts of their own: what the host mounts or unmounts later is seen there;
/// what is mounted there is not seen on the host, and is gone with the last of them. The caller has one thread.
pub(crate) fn own_mounts() -> Result<(), Refused> {
    let mounts = CloneFlags::CLONE_NEWNS;
    match may_mount()? {
        true => unshare(mounts).map_err(by_kernel("the kernel refuses a mount namespace"))?,
        false => own_user(mounts)?,
    }
    let nothing: Option<&str> = None;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_SLAVE, nothing)
        .map_err(by_kernel("the kernel refuses mounts of our own"))
}

/// Whether no user namespace is needed to mount: root needs none, and one that was made before is good for what follows.
fn may_mount() -> Result<bool, Refused> {
    let held = capabilities(None).map_err(by_kernel("the kernel does not tell our rights"))?;
    Ok(geteuid().is_root() || held.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// Makes a user namespace, and others with it, and lets what is started mount.
fn own_user(flags: CloneFlags) -> Result<(), Refused> {
    let (user, group) = (geteuid(), getegid());
    unshare(flags | CloneFlags::CLONE_NEWUSER).map_err(by_kernel("the kernel refuses a user namespace"))?;
    let map = || -> io::Result<()> {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
        hand_down_mounting()
    };
    map().map_err(by_kernel("the kernel refuses a user namespace its rights"))
}

/// Lets the right to mount survive the start of the next program, though it runs as an ordinary user.
fn hand_down_mounting() -> io::Result<()> {
    let mut sets = capabilities(None)?;
    sets.inheritable |= CapabilitySet::SYS_ADMIN;
    set_capabilities(None, sets)?;
    configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, true)?;
    Ok(())
}

/// Gives up what [`isolate`] handed down; root keeps what root has.
pub(crate) fn give_up_mounting() -> io::Result<()> {
    clear_ambient_capability_set()?;
    if !geteuid().is_root() {
        let none = CapabilitySet::empty();
        set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    }
    Ok(())
}
