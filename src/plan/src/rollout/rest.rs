//! Waiting for somebody: a rollout comes to rest where its file says so, or where it is when somebody asks, and serves on
//! there with what stands. And what else somebody can ask of one that is under way.

use super::{Failure, Phase, Rollout, Stage, Tracked, step::count};
use wharf_model::{RecordedRollout, Rest, Timestamp, Verb};

/// What somebody can ask of a rollout that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wish {
    /// Finish what is begun, and wait.
    Pause,
    /// Go on.
    Resume,
    /// Go all the way, without any further step.
    Promote,
    /// Go back.
    Abort,
}

impl Wish {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pause, Self::Resume, Self::Promote, Self::Abort];

    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Promote => "promote",
            Self::Abort => "abort",
        }
    }
}

impl Rollout {
    /// Takes in a wish. The answer says whether it makes a difference: only a rollout that replaces instances and is on
    /// its way forward can be asked anything.
    #[must_use]
    pub fn wish(mut self, wish: Wish, by: &str, now: Timestamp) -> (Self, bool) {
        if !matches!(self.phase, Phase::Forward) || !self.replaces {
            return (self, false);
        }
        let taken = match wish {
            Wish::Pause if self.rest.is_none() => {
                self.rest = Some((Rest::Asked, self.share_at_rest(Rest::Asked)));
                true
            }
            Wish::Pause => false,
            // Whoever wants that says so in the file.
            Wish::Resume | Wish::Promote if matches!(self.rest, Some((Rest::File, _))) => false,
            Wish::Resume => self.rest.take().is_some(),
            Wish::Promote => {
                self.rest = None;
                self.pace = super::pace::Progress::at(self.order.pace.len());
                true
            }
            Wish::Abort => {
                self.order.back = self.order.before;
                self.fail(Failure::Asked { by: by.to_owned() }, now);
                true
            }
        };
        if taken {
            self.progress_at = now;
        }
        (self, taken)
    }

    /// How many instances of the goal there are while it rests.
    pub(super) fn share_at_rest(&self, why: Rest) -> u32 {
        let passed = self.pace.passed.checked_sub(1).and_then(|at| self.order.pace.get(at));
        match (why, passed) {
            (Rest::Pause | Rest::Partition, Some(step)) => step.share.min(self.goal().count),
            _ => {
                // What was begun is finished, and as many old ones as are left serve on.
                let goal = self.order.goal.revision;
                let stays = |tracked: &&Tracked| !matches!(tracked.stage, Stage::Draining { .. } | Stage::Ended);
                let staying = || self.instances.values().filter(stays).filter(|tracked| !tracked.is_leaving());
                let new = count(staying().filter(|tracked| tracked.revision == goal));
                let old = count(staying().filter(|tracked| tracked.revision != goal));
                new.max(self.goal().count.saturating_sub(old).min(self.ceiling()))
            }
        }
    }

    /// The share at which it rests, or is about to. On the way back nothing rests.
    pub(super) fn resting(&self) -> Option<u32> {
        let (_, share) = self.rest?;
        (matches!(self.phase, Phase::Forward) && self.replaces).then_some(share)
    }

    /// Why it rests: everything that is to stand serves, and nothing else is there.
    pub(super) fn at_rest(&self) -> Option<Rest> {
        let (why, _) = self.rest.filter(|_| self.resting().is_some())?;
        let goal = self.order.goal.revision;
        let settled = |tracked: &Tracked| match tracked.stage {
            Stage::Serving { ready } => tracked.pending.is_none() && (ready || tracked.revision != goal),
            _ => false,
        };
        self.instances.values().all(settled).then_some(why)
    }

    /// How many steps are behind it, and how many there are; none of one that replaces nothing.
    pub fn passed(&self) -> Option<(usize, usize)> {
        self.replaces.then_some((self.pace.passed, self.order.pace.len()))
    }

    /// How it is to be recorded; none of one that goes to its end without a step. One that turned back begins anew.
    pub fn stands(&self, now: Timestamp) -> Option<RecordedRollout> {
        let (passed, steps) = self.passed()?;
        let (passed, rest) = match &self.phase {
            Phase::Forward => (passed, None),
            Phase::Resting(why) => (passed, Some(*why)),
            // Whoever takes this up goes on with it.
            Phase::Back(Failure::Asked { .. }) => (0, Some(Rest::Aborted)),
            Phase::Back(_) => (0, None),
            Phase::Done | Phase::RolledBack(_) | Phase::Halted(_) => return None,
        };
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let (passed, steps) = (number(passed), number(steps));
        let to = self.order.goal.revision;
        (steps > 0 || rest.is_some()).then_some(RecordedRollout { to, passed, steps, since: now, rest })
    }
}

impl Tracked {
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.pending, Some(Verb::Drain | Verb::Stop))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Goal, Order, Standing, Traffic};
    use super::*;
    use std::{collections::BTreeMap, time::Duration};
    use wharf_model::{RevisionNumber, RolloutPolicy};

    const NOW: Timestamp = Timestamp(1_000);

    /// On its way from one revision to the next, with nothing done yet.
    fn rollout(rest: Option<Rest>) -> Rollout {
        let goal = |revision| Goal { revision: RevisionNumber(revision), count: 2 };
        let policy = RolloutPolicy::default();
        let order = Order::new("hello".parse().unwrap(), goal(2), Some(goal(1)), &policy, Duration::ZERO);
        let old = Standing { revision: RevisionNumber(1), traffic: Traffic::Served };
        let standing = ["hello-0-g1", "hello-1-g1"].map(|name| (name.parse().unwrap(), old));
        Rollout::new(Order { rest, ..order }, standing, BTreeMap::new(), NOW)
    }

    #[test]
    fn what_somebody_takes_back_is_recorded_as_that() {
        assert_eq!(rollout(None).stands(NOW), None);
        let (back, taken) = rollout(None).wish(Wish::Abort, "ada", NOW);
        let stands = back.stands(NOW).unwrap();
        assert!(taken && stands.rest == Some(Rest::Aborted) && stands.to == RevisionNumber(2), "{stands:?}");
    }

    #[test]
    fn what_a_file_holds_nobody_lets_go() {
        for wish in [Wish::Resume, Wish::Promote] {
            let (held, taken) = rollout(Some(Rest::File)).wish(wish, "ada", NOW);
            assert!(!taken && held.resting() == Some(0), "{wish:?}: {held:?}");
            assert!(rollout(Some(Rest::Asked)).wish(wish, "ada", NOW).1, "{wish:?}");
        }
        assert!(rollout(Some(Rest::File)).wish(Wish::Abort, "ada", NOW).1);
    }
}
