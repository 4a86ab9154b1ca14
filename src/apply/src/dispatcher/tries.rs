//! What a try of a call means: whether it is made again and when, or asked after, or at its end.

use super::{Answer, Dispatcher, Ended, Order, Task, Turn};
use std::time::Duration;
use wharf_model::{Operation, Timestamp};
use wharf_plan::rollout::Refusal;

/// How often a call that found nobody is made in all.
const TRIES: u32 = 4;
/// How long the first pause between two tries is; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How long a call that comes too often is tried.
const THROTTLED_FOR: Duration = Duration::from_secs(10 * 60);

/// A call that is under way, or pauses before its next try.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) operation: Operation,
    pub(super) tries: u32,
    /// When the platform first said that it came too often.
    throttled: Option<Timestamp>,
    /// Whether one of the tries may have done it, whatever the later ones say.
    doubtful: bool,
    /// The last thing that was said.
    said: Option<Refusal>,
}

impl Open {
    /// A call that is made for the first time.
    pub(super) fn new(operation: Operation) -> Self {
        Self { operation, tries: 0, throttled: None, doubtful: false, said: None }
    }
}

impl Dispatcher<'_> {
    /// Takes in what a try came to.
    pub(crate) fn answered(&mut self, task: &Task, answer: Answer, now: Timestamp) -> Turn {
        let Some(open) = self.open.get_mut(task) else { return Turn::Resolve };
        open.tries += 1;
        let verb = open.operation.call.verb();
        self.lanes.ended(verb, matches!(answer, Answer::Done(_)));
        let (refusal, until) = match answer {
            Answer::Done(outcome) => return Turn::Over(Ended::Done(outcome)),
            Answer::Refused(refusal) if !open.doubtful => return Turn::Over(Ended::Refused(refusal)),
            Answer::Refused(refusal) | Answer::Lost(refusal) => {
                open.said = Some(refusal);
                return Turn::Resolve;
            }
            Answer::Throttled(refusal, hint) => {
                let since = *open.throttled.get_or_insert(now);
                let until = self.lanes.throttle(verb, hint, now);
                // A throttled try was none, but it has been begun.
                open.tries = (open.tries - 1).max(1);
                (refusal, Some(until).filter(|until| until.since(since) < THROTTLED_FOR))
            }
            Answer::Unreachable(refusal, hint) => {
                open.throttled = None;
                open.doubtful = true;
                let pause = hint.unwrap_or(FIRST_PAUSE * 2_u32.pow(open.tries.saturating_sub(1).min(16)));
                (refusal, (open.tries < TRIES).then(|| now + pause))
            }
        };
        open.said = Some(refusal.clone());
        let doubtful = open.doubtful;
        match until.filter(|_| !self.stopping) {
            Some(until) => {
                self.pausing.insert((until, task.clone()));
                Turn::Later(until)
            }
            None if doubtful => Turn::Resolve,
            None => Turn::Over(Ended::Refused(refusal)),
        }
    }

    /// The last thing that was said of a call.
    pub(crate) fn said(&self, task: &Task) -> Refusal {
        let said = self.open.get(task).and_then(|open| open.said.clone());
        said.unwrap_or(Refusal { error: "nobody answered".to_owned(), help: None })
    }

    /// Lets go of a call that is not under way now, but was tried.
    pub(super) fn abandon(&mut self, task: Task, orders: &mut Vec<Order>) {
        match self.open.get(&task) {
            Some(Open { doubtful: false, said: Some(refusal), .. }) => {
                orders.push(Order::GiveUp(task, refusal.clone()));
            }
            _ => orders.push(Order::Resolve(task)),
        }
    }
}
