//! Keeps what this process has in memory out of dumps: values of secrets, and the tokens of callers.

use crate::arguments::Command;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// From now on this process is not dumped. What a command starts has the limit that wharf was given, and may be.
pub(crate) fn forbid(command: &Command) {
    // Where the kernel refuses, there is nothing that could be done instead.
    let _refused = match command {
        // It starts nothing but gateways, and a message about a port that is taken names it, whoever asks.
        Command::Gateway { .. } => nothing_is_short_enough(),
        _ => set_dumpable_behavior(DumpableBehavior::NotDumpable),
    };
}

/// A dump may have one byte: too short for any, and at that length the kernel starts no program to take it either.
fn nothing_is_short_enough() -> rustix::io::Result<()> {
    let maximum = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: Some(maximum.map_or(1, |most| most.min(1))), maximum })
}
