//! Why nothing is happening, as a value.

use super::{Rollout, Stage, Verdict};
use std::fmt;
use wharf_model::{InstanceId, Timestamp};

/// What a rollout waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// An instance to pass its probe.
    Ready {
        /// Which.
        instance: InstanceId,
        /// What the probe heard last.
        heard: Option<String>,
    },
    /// An instance to have been ready for long enough.
    MinReady {
        /// Which.
        instance: InstanceId,
        /// Until when.
        until: Timestamp,
    },
    /// The instances of a step to have been watched for long enough.
    Watched {
        /// How many are of the new revision.
        share: u32,
        /// Of how many.
        count: u32,
        /// Until when.
        until: Timestamp,
    },
    /// Requests, to judge the instances of a step by.
    Requests {
        /// How many of the new instances' are known of, to a tenth of what it takes.
        seen: u64,
        /// How many it takes.
        needed: u64,
    },
    /// An instance to finish its requests.
    Drained {
        /// Which.
        instance: InstanceId,
        /// How many it still has, where that is known.
        in_flight: Option<u64>,
        /// When it is stopped whatever it still has.
        until: Timestamp,
    },
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { instance, heard: Some(heard) } => write!(f, "waiting until {instance} is ready ({heard})"),
            Self::Ready { instance, heard: None } => write!(f, "waiting until {instance} is ready"),
            Self::MinReady { instance, .. } => write!(f, "{instance} is ready; making sure it stays so"),
            Self::Watched { share, count, .. } => {
                write!(f, "{share} of {count} are new; watching them before it goes on")
            }
            Self::Requests { seen, needed } => {
                write!(f, "the gate takes {needed} requests of the new ones to judge by; at least {seen} came")
            }
            Self::Drained { instance, in_flight: Some(1), .. } => write!(f, "draining {instance}: 1 request under way"),
            Self::Drained { instance, in_flight: Some(count), .. } => {
                write!(f, "draining {instance}: {count} requests under way")
            }
            Self::Drained { instance, in_flight: None, .. } => write!(f, "draining {instance}"),
        }
    }
}

impl Rollout {
    /// What it waits for now.
    pub fn waits(&self) -> Vec<Wait> {
        let wait = |(instance, tracked): (&InstanceId, &super::Tracked)| match tracked.stage {
            Stage::Waiting => Some(Wait::Ready {
                instance: instance.clone(),
                heard: tracked.sight.as_ref().and_then(|sight| sight.answer.as_ref()).map(ToString::to_string),
            }),
            Stage::Ready { since } => {
                Some(Wait::MinReady { instance: instance.clone(), until: since + self.order.min_ready })
            }
            Stage::Draining { since, in_flight } => {
                Some(Wait::Drained { instance: instance.clone(), in_flight, until: since + self.order.grace })
            }
            Stage::Starting | Stage::Serving { .. } | Stage::Ended => None,
        };
        let step = self.pace_step().zip(self.held_until());
        let watched = step.map(|(step, until)| Wait::Watched { share: step.share, count: self.goal().count, until });
        // To a tenth, so that nobody is told of every single request.
        let requests = self.verdict().and_then(|verdict| match verdict {
            Verdict::Wait { seen, needed } => {
                let tenth = needed.div_ceil(10).max(1);
                Some(Wait::Requests { seen: seen / tenth * tenth, needed })
            }
            Verdict::Pass | Verdict::Fail(_) => None,
        });
        self.instances.iter().filter_map(wait).chain(watched).chain(requests).collect()
    }
}
