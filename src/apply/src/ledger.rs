//! The record and its journal, kept in step: an intent is on disk before its call, an effect is on disk before anything
//! is decided on it.

use crate::ApplyError;
use wharf_model::{Effect, Intent, IntentId, Operation, Outcome, Record, Wanted};
use wharf_store::{Begin, Entry, Journal, StoreError, Writer};

/// Writes down what happens during one apply.
pub(crate) struct Ledger<'a> {
    writer: &'a mut Writer,
    journal: Journal,
    record: Record,
    wanted: Wanted,
    next: u64,
}

impl<'a> Ledger<'a> {
    /// Opens the journal and writes down that an apply begins.
    pub(crate) fn begin(writer: &'a mut Writer, record: Record, begin: Begin) -> Result<Self, ApplyError> {
        let mut journal = writer.journal()?;
        let wanted = begin.wanted.clone();
        journal.append(&Entry::Begin(Box::new(begin)))?;
        Ok(Self { writer, journal, record, wanted, next: 1 })
    }

    /// Writes down that a call is about to be made.
    pub(crate) fn intend(&mut self, operation: &Operation) -> Result<Intent, StoreError> {
        let intent = Intent::of(IntentId(self.next), operation);
        self.next += 1;
        self.journal.append(&Entry::Intent(intent.clone()))?;
        Ok(intent)
    }

    /// Writes down what came of a call.
    pub(crate) fn settle(&mut self, intent: &Intent, result: Result<&Outcome, &str>) -> Result<(), StoreError> {
        match result.map(|outcome| intent.effect(outcome)) {
            Ok(Some(effect)) => {
                self.record.absorb(&effect, &self.wanted);
                self.journal.append(&Entry::Done { intent: intent.id, effect })
            }
            Ok(None) => {
                let error = "the answer does not fit the call".to_owned();
                self.journal.append(&Entry::Failed { intent: intent.id, error })
            }
            Err(error) => self.journal.append(&Entry::Failed { intent: intent.id, error: error.to_owned() }),
        }
    }

    /// Writes down something that is no call.
    pub(crate) fn note(&mut self, effect: Effect) -> Result<(), StoreError> {
        self.record.absorb(&effect, &self.wanted);
        self.journal.append(&Entry::Note(effect))
    }

    /// Makes the commit that ends an apply. What was written down so far is in it.
    pub(crate) fn commit(self) -> Result<(Record, u64), StoreError> {
        let serial = self.writer.commit(&self.record)?;
        Ok((self.record, serial))
    }
}
