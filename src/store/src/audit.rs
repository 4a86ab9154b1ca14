//! The journals read as a log of what was done: who, when, from which commit of the project and which run of a pipeline.

use crate::{Entry, Reader, StoreError, journal};
use wharf_model::{Intent, IntentId, PlanId, Timestamp};

/// Who does something, as far as they and their pipeline say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Author {
    /// The user and host.
    pub who: String,
    /// The commit of the project's files.
    pub commit: Option<String>,
    /// The run of the pipeline, by its address or number.
    pub run: Option<String>,
}

/// One call that was made, or was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The commit that it stands behind.
    pub behind: u64,
    /// Who ran the apply.
    pub by: Author,
    /// Its plan.
    pub plan: PlanId,
    /// The call.
    pub intent: Intent,
    /// When it was about to be made.
    pub at: Option<Timestamp>,
    /// What came of it.
    pub verdict: Verdict,
    /// When that was known.
    pub ended: Option<Timestamp>,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was made.
    Done,
    /// It failed.
    Failed(String),
    /// Nobody has written that down.
    Open,
}

impl Reader {
    /// Every call behind the commits from `since` on, in the order in which they were begun.
    ///
    /// # Errors
    /// When a journal cannot be read or is not what was written.
    pub fn operations(&self, since: u64) -> Result<Vec<Logged>, StoreError> {
        let mut logged: Vec<Logged> = Vec::new();
        for (id, key) in journal::all(self.look())?.into_iter().filter(|(id, _)| id.serial >= since) {
            let (mut by, mut plan) = (Author::default(), PlanId("".into()));
            for line in journal::read(self.look(), &key)?.lines {
                match line.entry {
                    Entry::Begin(begin) => (by, plan) = (begin.by, begin.plan),
                    Entry::Intent(intent) => logged.push(Logged {
                        behind: id.serial,
                        by: by.clone(),
                        plan: plan.clone(),
                        intent,
                        at: line.at,
                        verdict: Verdict::Open,
                        ended: None,
                    }),
                    Entry::Done { intent, .. } => settle(&mut logged, id.serial, intent, Verdict::Done, line.at),
                    Entry::Failed { intent, error } => {
                        settle(&mut logged, id.serial, intent, Verdict::Failed(error), line.at);
                    }
                    Entry::Want(_) | Entry::Note(_) => {}
                }
            }
        }
        Ok(logged)
    }
}

fn settle(logged: &mut [Logged], behind: u64, intent: IntentId, verdict: Verdict, at: Option<Timestamp>) {
    let open = logged.iter_mut().rev().take_while(|known| known.behind == behind);
    if let Some(known) = open.into_iter().find(|known| known.intent.id == intent) {
        known.verdict = verdict;
        known.ended = at;
    }
}
