//! Moving a record from one store to another. What is there already stays, so a move that ended on the way is finished by
//! the next, and a record can go back to where it came from. The old place says where it went, and is used no more.
//!
//! A lease's turns count on at the new place, as journals are named by them.

use crate::{
    Backend, Created, Epoch, Holder, Look, Patience, Reader, Standing, StoreError, commit, journal,
    lease::{self, Held},
    store::KEY,
};
use std::sync::Arc;
use wharf_model::{EnvironmentName, ProjectName};

/// The object that says where the record went.
const MOVED: &str = "moved";

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// How many commits the new place has.
    pub commits: usize,
    /// The number of the last one.
    pub serial: u64,
    /// How many of all objects had to be copied; the others were there.
    pub copied: usize,
}

/// Fails when the record was moved elsewhere.
pub(crate) fn check(look: &dyn Look) -> Result<(), StoreError> {
    match gone_to(look)? {
        Some(to) => Err(StoreError::Moved { place: place(look), to }),
        None => Ok(()),
    }
}

fn gone_to(look: &dyn Look) -> Result<Option<String>, StoreError> {
    Ok(look.read(MOVED)?.map(|to| String::from_utf8_lossy(&to).trim().to_owned()))
}

fn place(look: &dyn Look) -> String {
    look.place("").trim_end_matches('/').to_owned()
}

/// Moves all that is recorded, and sees that the new place tells the same. Nobody else is at work at either meanwhile.
///
/// # Errors
/// When somebody is, when the new place holds another history, or when either cannot be read or written. Then the old
/// place still is the one to use.
pub fn migrate(
    from: &Arc<dyn Backend>,
    to: &Arc<dyn Backend>,
    whose: (&ProjectName, &EnvironmentName),
    holder: &Holder,
    patience: &mut Patience<'_>,
) -> Result<Moved, StoreError> {
    if let Some(gone) = gone_to(&**from)?.filter(|gone| *gone != place(&**to)) {
        return Err(StoreError::Moved { place: place(&**from), to: gone });
    }
    let here = lease::acquire(from, holder, patience)?;
    let _there = acquire_after(to, here.epoch(), holder, patience)?;
    fits(&**from, &**to)?;
    let copied = copy(&**from, &**to)?;
    let standing = verify(from, to, whose)?;
    if standing.serial > 0 || standing.has_journal {
        // One that was made by a move that ended here says the same.
        let _made: Created = from.create(MOVED, place(&**to).as_bytes())?;
    }
    to.delete(MOVED)?;
    Ok(Moved { commits: commit::serials(&**to)?.len(), serial: standing.serial, copied })
}

/// Takes the lease in a turn after this one.
fn acquire_after(
    to: &Arc<dyn Backend>,
    epoch: Epoch,
    holder: &Holder,
    patience: &mut Patience<'_>,
) -> Result<Held, StoreError> {
    let held = lease::acquire(to, holder, patience)?;
    if held.epoch() > epoch {
        return Ok(held);
    }
    drop(held);
    // Whoever was faster holds it, and is waited for.
    let _made = lease::try_claim(&**to, epoch, holder)?;
    lease::release(&**to, epoch)?;
    lease::acquire(to, holder, patience)
}

/// Whether what the new place holds is a beginning of what the old one does.
fn fits(from: &dyn Look, to: &dyn Look) -> Result<(), StoreError> {
    let other = |why: &str| StoreError::OtherHistory { place: place(to), why: why.to_owned() };
    let Some(theirs) = commit::newest(to)? else { return Ok(()) };
    let Some(ours) = commit::newest(from)? else {
        return Err(other("it has commits, and there is none that they could go with"));
    };
    if theirs.lineage != ours.lineage {
        return Err(other("its commits belong to another history"));
    }
    if theirs.serial > ours.serial {
        return Err(other(&format!("it has commit {}, which is newer", theirs.serial)));
    }
    for key in objects(to)? {
        let (here, there) = (from.read(&key)?, to.read(&key)?);
        if here.is_some() && there.is_some() && here != there {
            return Err(other(&format!("its {key} is another")));
        }
    }
    let late = |(id, _): &(journal::JournalId, String)| id.serial >= ours.serial;
    let known: Vec<_> = journal::all(from)?.into_iter().map(|(_, key)| key).collect();
    match journal::all(to)?.into_iter().filter(late).find(|(_, key)| !known.contains(key)) {
        Some((_, key)) => Err(other(&format!("{key} tells of an apply that is known nowhere else"))),
        None => Ok(()),
    }
}

/// Copies what is not there. Answers how much that was.
fn copy(from: &dyn Backend, to: &dyn Backend) -> Result<usize, StoreError> {
    let mut copied = 0;
    for key in objects(from)? {
        let Some(bytes) = from.read(&key)? else { continue };
        if to.create(&key, &bytes)? == Created::Now {
            copied += 1;
        }
    }
    for (_, key) in journal::all(from)? {
        let bytes = from.read(&key)?.unwrap_or_default();
        let there = to.read(&key)?.unwrap_or_default();
        if let Some(rest) = bytes.strip_prefix(&*there).filter(|rest| !rest.is_empty()) {
            to.append(&key, there.len() as u64, rest)?;
            copied += 1;
        }
    }
    Ok(copied)
}

/// The keys of all that is made once.
fn objects(look: &dyn Look) -> Result<Vec<String>, StoreError> {
    let mut keys = look.list(commit::FOLDER)?;
    keys.push(KEY.to_owned());
    Ok(keys)
}

/// Sees that the new place holds the same, byte for byte, and tells the same.
fn verify(
    from: &Arc<dyn Backend>,
    to: &Arc<dyn Backend>,
    (project, environment): (&ProjectName, &EnvironmentName),
) -> Result<Standing, StoreError> {
    let logs = journal::all(&**from)?.into_iter().map(|(_, key)| key);
    for key in objects(&**from)?.into_iter().chain(logs) {
        if from.read(&key)? != to.read(&key)? {
            let why = format!("{} is not what {} is", to.place(&key), from.place(&key));
            return Err(StoreError::OtherHistory { place: place(&**to), why });
        }
    }
    let standing = |at: &Arc<dyn Backend>| Reader::over(at.clone(), project.clone(), environment.clone()).standing();
    let (ours, theirs) = (standing(from)?, standing(to)?);
    if ours.record != theirs.record || ours.unresolved != theirs.unresolved || ours.serial != theirs.serial {
        let why = "it tells otherwise how things stand".to_owned();
        return Err(StoreError::OtherHistory { place: place(&**to), why });
    }
    Ok(ours)
}
