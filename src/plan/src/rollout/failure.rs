//! Why a rollout failed.

use super::Breach;
use std::{fmt, time::Duration};
use wharf_model::{Exit, InstanceId, ProbeAnswer, Verb, print_duration};

/// Why a rollout failed, with what a person needs to see why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A new instance ended before it got requests.
    Ended {
        /// Which.
        instance: InstanceId,
        /// How.
        exit: Exit,
        /// What its probe heard last.
        answer: Option<ProbeAnswer>,
        /// The last lines of its log.
        last_lines: Vec<String>,
    },
    /// No progress for the whole deadline.
    Deadline {
        /// The deadline.
        after: Duration,
        /// The instance that is waited for, if one was started.
        instance: Option<InstanceId>,
        /// What its probe heard last.
        answer: Option<ProbeAnswer>,
        /// The last lines of its log.
        last_lines: Vec<String>,
    },
    /// New instances did not keep to the gate of a step.
    Gate {
        /// How many were new.
        share: u32,
        /// Of how many.
        count: u32,
        /// Which limit, with the arithmetic.
        breach: Breach,
    },
    /// Too few requests came to judge new instances by.
    Unjudged {
        /// How many were new.
        share: u32,
        /// Of how many.
        count: u32,
        /// How many requests they had.
        seen: u64,
        /// How many it takes.
        needed: u64,
        /// In how long.
        after: Duration,
    },
    /// Somebody asked to go back.
    Asked {
        /// Who.
        by: String,
    },
    /// The platform refused an action.
    Refused {
        /// To which instance.
        instance: InstanceId,
        /// Which action.
        verb: Verb,
        /// What it said.
        refusal: Refusal,
    },
    /// The way back failed as well.
    Twice {
        /// Why it turned back.
        first: Box<Failure>,
        /// Why it did not get there.
        second: Box<Failure>,
    },
}

/// How a call failed: what was said, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was said.
    pub error: String,
    /// The way out, where there is one.
    pub help: Option<String>,
}

impl Failure {
    /// What the failing instance's probe heard last.
    pub fn answer(&self) -> Option<&ProbeAnswer> {
        match self {
            Self::Ended { answer, .. } | Self::Deadline { answer, .. } => answer.as_ref(),
            Self::Gate { .. } | Self::Unjudged { .. } | Self::Asked { .. } | Self::Refused { .. } => None,
            Self::Twice { first, .. } => first.answer(),
        }
    }

    /// The way out, where a call failed that knows one.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Refused { refusal, .. } => refusal.help.as_deref(),
            Self::Twice { first, second } => second.help().or_else(|| first.help()),
            Self::Ended { .. } | Self::Deadline { .. } => None,
            Self::Gate { .. } | Self::Unjudged { .. } | Self::Asked { .. } => None,
        }
    }

    /// The last lines that the failing instance wrote, oldest first.
    pub fn last_lines(&self) -> &[String] {
        match self {
            Self::Ended { last_lines, .. } | Self::Deadline { last_lines, .. } => last_lines,
            Self::Gate { .. } | Self::Unjudged { .. } | Self::Asked { .. } | Self::Refused { .. } => &[],
            Self::Twice { first, .. } => first.last_lines(),
        }
    }

    /// The instance that failed.
    pub fn instance(&self) -> Option<&InstanceId> {
        match self {
            Self::Ended { instance, .. } | Self::Refused { instance, .. } => Some(instance),
            Self::Deadline { instance, .. } => instance.as_ref(),
            Self::Gate { .. } | Self::Unjudged { .. } | Self::Asked { .. } => None,
            Self::Twice { first, .. } => first.instance(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { instance, exit, .. } => write!(f, "{instance} {exit} before it was ready"),
            Self::Deadline { after, instance: Some(instance), .. } => {
                write!(f, "{instance} was not ready, and nothing moved for {}", print_duration(*after))
            }
            Self::Deadline { after, instance: None, .. } => write!(f, "nothing moved for {}", print_duration(*after)),
            Self::Gate { share, count, breach } => write!(f, "with {share} of {count} instances new, {breach}"),
            Self::Unjudged { share, count, seen, needed, after } => {
                let after = print_duration(Duration::from_secs(after.as_secs()));
                write!(
                    f,
                    "with {share} of {count} instances new, nothing could be said of them: {seen} requests came in {after}, \
                     and it takes {needed}"
                )
            }
            Self::Asked { by } => write!(f, "{by} asked to go back"),
            Self::Refused { instance, verb, refusal } => {
                let attempt = format!("cannot {verb} {instance}");
                // Most of those who refuse say as much.
                let said = refusal.error.starts_with(&attempt);
                if said { f.write_str(&refusal.error) } else { write!(f, "{attempt}: {}", refusal.error) }
            }
            Self::Twice { first, second } => write!(f, "{first}; and the way back failed: {second}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_said_once() {
        let refused = |error: &str| Failure::Refused {
            instance: "chat-0-g1".parse().unwrap(),
            verb: Verb::Start,
            refusal: Refusal { error: error.to_owned(), help: None },
        };
        let said = "cannot start chat-0-g1: there is no folder models";
        assert_eq!(refused("there is no folder models").to_string(), said);
        assert_eq!(refused(said).to_string(), said);
    }
}
