//! Keeps what a supervisor and an init have in memory out of dumps: they hold the values of an instance's secrets for as
//! long as they may have to start its program, or a check, once more.
//!
//! They must stay open to those who look at their namespaces in `/proc`, and the kernel shuts out ordinary users along
//! with dumps. So it is the limit that is lowered, and what they start is given back the one that they were given.

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, set_dumpable_behavior, setrlimit,
};

/// Too short for any dump, and the one length at which the kernel starts no program that would take it either.
const NOTHING: u64 = 1;

/// That this process is not dumped.
#[derive(Debug)]
pub(crate) struct Undumped {
    given: Rlimit,
}

impl Undumped {
    /// From now on this process is not dumped.
    pub(crate) fn begin() -> std::io::Result<Self> {
        let given = getrlimit(Resource::Core);
        limit(NOTHING, &given)?;
        Ok(Self { given })
    }

    /// Starts something that may be dumped as whoever started this process wanted. This one may not, meanwhile either.
    pub(crate) fn start<T>(&self, start: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
        let before = dumpable_behavior()?;
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        setrlimit(Resource::Core, self.given)?;
        let started = start();
        limit(NOTHING, &self.given)?;
        set_dumpable_behavior(before)?;
        started
    }
}

fn limit(bytes: u64, given: &Rlimit) -> std::io::Result<()> {
    // Who is allowed less than that is dumped no more than with it.
    let current = given.maximum.map_or(bytes, |most| most.min(bytes));
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(current), maximum: given.maximum })?)
}
