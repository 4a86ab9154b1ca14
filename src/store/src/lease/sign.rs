//! The lease as objects: `lease/0000007` is the claim of epoch 7, `lease/0000007.0000003` its third sign of life, and
//! `lease/0000007.end` says that it is over.

use super::{Epoch, Holder, Lease};
use crate::{Backend, Created, Look, StoreError, format};

const FOLDER: &str = "lease";
const END: &str = "end";

/// The newest sign that a holder has given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sign {
    pub(crate) epoch: Epoch,
    pub(crate) beat: u64,
    pub(crate) ended: bool,
}

fn claim(epoch: Epoch) -> String {
    format!("{FOLDER}/{:07}", epoch.0)
}

fn beat(epoch: Epoch, number: u64) -> String {
    format!("{}.{number:07}", claim(epoch))
}

fn end(epoch: Epoch) -> String {
    format!("{}.{END}", claim(epoch))
}

fn epoch_of(key: &str) -> Option<(Epoch, Option<&str>)> {
    let name = key.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let (epoch, rest) = name.split_once('.').map_or((name, None), |(epoch, rest)| (epoch, Some(rest)));
    Some((Epoch(epoch.parse().ok()?), rest))
}

/// The newest sign of the newest epoch; none when nobody ever held the lease.
pub(crate) fn latest(look: &(impl Look + ?Sized)) -> Result<Option<Sign>, StoreError> {
    let keys = look.list(FOLDER)?;
    let Some(epoch) = keys.iter().filter_map(|key| epoch_of(key)).map(|(epoch, _)| epoch).max() else {
        return Ok(None);
    };
    let rests =
        || keys.iter().filter_map(|key| epoch_of(key)).filter(|known| known.0 == epoch).filter_map(|known| known.1);
    let ended = rests().any(|rest| rest == END);
    let beat = rests().filter_map(|rest| rest.parse().ok()).max().unwrap_or(0);
    Ok(Some(Sign { epoch, beat, ended }))
}

/// How the lease stands; none when nobody ever held it.
pub(crate) fn read(look: &(impl Look + ?Sized)) -> Result<Option<Lease>, StoreError> {
    let Some(Sign { epoch, ended, .. }) = latest(look)? else { return Ok(None) };
    let key = claim(epoch);
    // A later holder clears away what is over.
    let Some(bytes) = look.read(&key)? else { return Ok(None) };
    let holder = format::read_lease(&bytes, &look.place(&key))?;
    Ok(Some(Lease { epoch, holder, ended }))
}

/// Tries to be the holder of `epoch`.
pub(crate) fn try_claim(backend: &dyn Backend, epoch: Epoch, holder: &Holder) -> Result<Created, StoreError> {
    backend.create(&claim(epoch), format::print_lease(holder).as_bytes())
}

/// Gives the `number`-th sign of life, and takes the one before away.
pub(crate) fn give(backend: &dyn Backend, epoch: Epoch, number: u64) -> Result<(), StoreError> {
    // Made before by nobody but us.
    let _made = backend.create(&beat(epoch, number), b"")?;
    if number > 1 { backend.delete(&beat(epoch, number - 1)) } else { Ok(()) }
}

/// Says that the epoch is over, whoever held it.
pub(crate) fn release(backend: &dyn Backend, epoch: Epoch) -> Result<(), StoreError> {
    // Saying it twice is saying it once.
    backend.create(&end(epoch), b"").map(drop)
}

/// Clears away what earlier epochs have left.
pub(crate) fn clear_before(backend: &dyn Backend, epoch: Epoch) -> Result<(), StoreError> {
    for key in backend.list(FOLDER)? {
        if epoch_of(&key).is_some_and(|known| known.0 < epoch) {
            backend.delete(&key)?;
        }
    }
    Ok(())
}
