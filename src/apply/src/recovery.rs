//! What a writing command does first: it finds out what became of the calls whose outcome nobody wrote down.

use crate::ApplyError;
use wharf_model::{Effect, Intent, IntentId, Record, Timestamp, Wanted};
use wharf_provider::{Execute, Resolution};
use wharf_store::{Author, Entry, Made, Standing, Writer};

/// What was found.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// The record, with everything in it that is known.
    pub record: Record,
    /// The number of the commit that it stands on.
    pub serial: u64,
    /// Calls of an earlier apply that were resolved now, and whether they had been made.
    pub resolved: Vec<(Intent, bool)>,
    /// Calls of which the platform does not say what became of them, and why. They hold back what touches the same.
    pub unknown: Vec<(Intent, String)>,
    /// Whether an earlier apply had not come to its end.
    pub unfinished: bool,
    /// The number for the next intent.
    pub next_intent: IntentId,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It was made, with this effect.
    Applied(Effect),
    /// It was not made; making it again is safe.
    NotApplied,
    /// Nobody can tell, and why.
    Unknown(String),
}

/// Asks the platform what became of each unresolved call, and writes nothing down. The platform may clear away what a call
/// that never came about has left.
pub async fn look_into(provider: &dyn Execute, standing: &Standing) -> Vec<(Intent, Found)> {
    let mut found = Vec::new();
    for intent in &standing.unresolved {
        found.push((intent.clone(), resolve(provider, intent).await));
    }
    found
}

/// Brings the record up to date. When there is nothing behind the last commit, nothing is written. Doing it again, also
/// after dying on the way, comes to the same.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn recover(
    provider: &dyn Execute,
    writer: &mut Writer,
    by: &Author,
    now: Timestamp,
) -> Result<Recovered, ApplyError> {
    let standing = writer.read()?;
    let found = look_into(provider, &standing).await;
    let Standing { mut record, wanted, .. } = standing;
    let (mut resolved, mut unknown) = (Vec::new(), Vec::new());
    let mut journal = writer.journal()?;
    for (intent, found) in found {
        let entry = match found {
            Found::Applied(effect) => {
                record.absorb(&effect, &wanted);
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
        journal.add(&entry, now);
    }
    if let Some(batch) = journal.batch() {
        batch.write()?;
    }
    let (mut serial, mut next_intent) = (standing.serial, standing.next_intent);
    if standing.has_journal && unknown.is_empty() {
        serial = writer.commit(&record, Made { at: now, doing: "recover".to_owned(), by: by.clone(), plan: None })?;
        next_intent = IntentId(1);
    }
    Ok(Recovered { record, serial, resolved, unknown, unfinished: standing.has_journal, next_intent })
}

/// Writes down something that is no call, outside an apply, and commits it.
///
/// # Errors
/// When the store cannot be written.
pub fn note(writer: &mut Writer, mut record: Record, effect: Effect, made: Made) -> Result<u64, ApplyError> {
    let mut journal = writer.journal()?;
    record.absorb(&effect, &Wanted::default());
    journal.add(&Entry::Note(effect), made.at);
    if let Some(batch) = journal.batch() {
        batch.write()?;
    }
    Ok(writer.commit(&record, made)?)
}

async fn resolve(provider: &dyn Execute, intent: &Intent) -> Found {
    match provider.resolve(intent).await {
        Ok(Resolution::NotApplied) => Found::NotApplied,
        Ok(Resolution::Applied(outcome)) => intent.effect(&outcome).map_or(Found::NotApplied, Found::Applied),
        Ok(Resolution::CannotTell(why)) => Found::Unknown(why),
        Err(error) => Found::Unknown(crate::call::chain(&error)),
    }
}
