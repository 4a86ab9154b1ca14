//! What a writing command does first: it finds out what became of the calls whose outcome nobody wrote down.

use crate::ApplyError;
use wharf_model::{Effect, Intent, Record};
use wharf_provider::{Execute, Resolution};
use wharf_store::{Entry, Writer};

/// What was found.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// The record, with everything in it that is known.
    pub record: Record,
    /// The number of the commit that it stands on.
    pub serial: u64,
    /// Calls of an earlier apply that were resolved now, and whether they had been made.
    pub resolved: Vec<(Intent, bool)>,
    /// Whether an earlier apply had not come to its end.
    pub unfinished: bool,
}

/// Brings the record up to date. When there is nothing behind the last commit, nothing is written. Doing it again, also
/// after dying on the way, comes to the same.
///
/// # Errors
/// When the store or the platform cannot be asked, or the platform cannot tell.
pub async fn recover(provider: &dyn Execute, writer: &mut Writer) -> Result<Recovered, ApplyError> {
    let standing = writer.reader().read()?;
    let mut record = standing.record;
    if !standing.has_journal {
        return Ok(Recovered { record, serial: standing.serial, resolved: Vec::new(), unfinished: false });
    }
    let mut journal = writer.journal()?;
    let (mut resolved, mut unknown) = (Vec::new(), Vec::new());
    for intent in standing.unresolved {
        let entry = match resolve(provider, &intent).await? {
            Found::Applied(effect) => {
                record.absorb(&effect, &standing.wanted);
                resolved.push((intent.clone(), true));
                Entry::Done { intent: intent.id, effect }
            }
            Found::NotApplied => {
                let error = "not made, as a later look found".to_owned();
                resolved.push((intent.clone(), false));
                Entry::Failed { intent: intent.id, error }
            }
            Found::Unknown(why) => {
                unknown.push((intent, why));
                continue;
            }
        };
        journal.append(&entry)?;
    }
    if !unknown.is_empty() {
        return Err(ApplyError::CannotTell { intents: unknown });
    }
    let serial = writer.commit(&record)?;
    Ok(Recovered { record, serial, resolved, unfinished: true })
}

enum Found {
    Applied(Effect),
    NotApplied,
    Unknown(String),
}

async fn resolve(provider: &dyn Execute, intent: &Intent) -> Result<Found, ApplyError> {
    let unresolved = |source| ApplyError::Unresolved { operation: intent.operation.clone(), source };
    Ok(match provider.resolve(intent).await.map_err(unresolved)? {
        Resolution::NotApplied => Found::NotApplied,
        Resolution::Applied(outcome) => intent.effect(&outcome).map_or(Found::NotApplied, Found::Applied),
        Resolution::CannotTell(why) => Found::Unknown(why),
    })
}
