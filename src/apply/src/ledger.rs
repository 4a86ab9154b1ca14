//! The record and its journal, kept in step: an intent is durable before its call is made. What came of a call need not be
//! durable before the next is intended, as a journal is durable in its order.

use crate::{ApplyError, Recovered, Settings, dispatcher::Ended};
use wharf_model::Timestamp;
use wharf_model::{Address, Effect, Intent, IntentId, Operation, Record, Wanted};
use wharf_plan::{Operations, Plan, Step};
use wharf_store::{Batch, Begin, Entry, Journal, Made, Mark, Want, Writer, Written};

/// How many commits are kept beside those that a rollback needs.
const KEPT_COMMITS: usize = 200;

/// Writes down what happens during one apply.
pub(crate) struct Ledger<'a> {
    writer: &'a mut Writer,
    journal: Journal,
    record: Record,
    wanted: Wanted,
    next: u64,
    /// How many calls nobody knows the outcome of.
    open: usize,
    made: Made,
}

impl<'a> Ledger<'a> {
    /// Opens the journal and writes down that an apply begins, and what its effects will refer to.
    pub(crate) fn begin(
        writer: &'a mut Writer,
        ground: Recovered,
        plan: &Plan,
        settings: &Settings,
    ) -> Result<Self, ApplyError> {
        let mut journal = writer.journal()?;
        let (by, at, id) = (settings.by.clone(), settings.started, plan.id());
        journal.add(&Entry::Begin(Begin { plan: id.clone(), by: by.clone() }), at);
        for want in wants(plan.operations(), plan.wanted()) {
            journal.add(&Entry::Want(Box::new(want)), at);
        }
        let made = Made { at, doing: settings.doing.clone(), by, plan: Some(id) };
        let (wanted, next, open) = (plan.wanted().clone(), ground.next_intent.0, ground.unknown.len());
        Ok(Self { writer, journal, record: ground.record, wanted, next, open, made })
    }

    /// Adds that a call is about to be made. It may be made when the journal is durable up to the mark.
    pub(crate) fn intend(&mut self, operation: &Operation, now: Timestamp) -> (Intent, Mark) {
        let intent = Intent::of(IntentId(self.next), operation);
        self.next += 1;
        let mark = self.journal.add(&Entry::Intent(intent.clone()), now);
        (intent, mark)
    }

    /// Adds what came of a call. Of one that nobody knows about nothing is written: it stays to be resolved.
    pub(crate) fn settle(&mut self, intent: &Intent, ended: &Ended, now: Timestamp) {
        let entry = match ended {
            Ended::Unknown(_) => {
                self.open += 1;
                return;
            }
            Ended::Refused(refusal) => Entry::Failed { intent: intent.id, error: refusal.error.clone() },
            Ended::Done(outcome) => match intent.effect(outcome) {
                None => Entry::Failed { intent: intent.id, error: "the answer does not fit the call".to_owned() },
                Some(effect) => {
                    self.record.absorb(&effect, &self.wanted);
                    Entry::Done { intent: intent.id, effect }
                }
            },
        };
        self.journal.add(&entry, now);
    }

    /// Adds something that is no call.
    pub(crate) fn note(&mut self, effect: Effect, now: Timestamp) {
        self.record.absorb(&effect, &self.wanted);
        self.journal.add(&Entry::Note(effect), now);
    }

    /// What has gathered and is to be made durable.
    pub(crate) fn batch(&mut self) -> Option<Batch> {
        self.journal.batch()
    }

    /// Makes the commit that ends an apply, with all that was written down in it. As long as somebody must find out what
    /// became of a call there is none: the journal stays, and tells the same.
    pub(crate) fn commit(mut self, now: Timestamp) -> Result<(Record, Option<u64>, Written), ApplyError> {
        if let Some(batch) = self.journal.batch() {
            batch.write()?;
        }
        let written = self.journal.written();
        if self.open > 0 {
            return Ok((self.record, None, written));
        }
        let serial = self.writer.commit(&self.record, Made { at: now, ..self.made })?;
        if let Err(error) = self.writer.prune(KEPT_COMMITS) {
            // The next commit tries again; what is old does no harm.
            tracing::warn!(%error, "cannot remove old commits");
        }
        Ok((self.record, Some(serial), written))
    }
}

/// What the steps set out to make: all that their effects refer to, and no more.
fn wants(operations: &Operations, wanted: &Wanted) -> Vec<Want> {
    let touched: std::collections::BTreeSet<Address> = operations.steps().map(|(_, step)| step.address()).collect();
    let services: std::collections::BTreeSet<_> = operations
        .steps()
        .filter(|(_, step)| !matches!(step, Step::Call(operation) if matches!(operation.address, Address::Route(..))))
        .filter_map(|(_, step)| step.address().service().cloned())
        .collect();
    let gateways = wanted.gateways.iter().filter(|(name, _)| touched.contains(&Address::Gateway((*name).clone())));
    let gateways = gateways.map(|(name, spec)| Want::Gateway(name.clone(), spec.clone()));
    let routes = wanted
        .routes
        .iter()
        .filter(|((gateway, service), _)| touched.contains(&Address::Route(gateway.clone(), service.clone())));
    let routes = routes.map(|(_, spec)| Want::Route(spec.clone()));
    let objects = wanted.objects.iter().filter(|(address, _)| touched.contains(*address));
    let objects = objects.map(|(address, object)| Want::Object(address.clone(), object.clone()));
    let services = wanted.services.iter().filter(|(name, _)| services.contains(*name));
    let services =
        services.map(|(name, (spec, revision))| Want::Service(name.clone(), Box::new(spec.clone()), revision.clone()));
    gateways.chain(routes).chain(objects).chain(services).collect()
}
