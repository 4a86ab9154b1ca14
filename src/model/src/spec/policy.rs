//! Rules that a plan must keep to.

use super::words::words;
use crate::{Kind, Origin, ServiceName};
use std::fmt;

words! {
    /// What a plan does to a resource.
    Action {
        /// It comes to be.
        Create => "create",
        /// It becomes as it should be, where it is.
        Update => "update",
        /// Its instances give way to others.
        Roll => "roll",
        /// It gives way to another.
        Replace => "replace",
        /// It goes on under another name.
        Move => "move",
        /// It becomes wharf's.
        Adopt => "adopt",
        /// It is wharf's no more.
        Forget => "forget",
        /// It goes.
        Delete => "delete",
    }
}

words! {
    /// What can hurt about a change.
    RiskKind {
        /// Data is lost.
        DataLoss => "data-loss",
        /// Nobody answers for a while.
        Downtime => "downtime",
        /// Fewer answer for a while.
        CapacityDip => "capacity-dip",
        /// An object gives way to another.
        Replacement => "replacement",
    }
}

/// Rules that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySpec {
    /// The rules, in the order of the file.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it demands.
    pub demand: Demand,
    /// Where it is written.
    pub origin: Option<Origin>,
}

/// What a rule demands of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// No such change.
    Deny(Matcher),
    /// Such changes are pointed out.
    Warn(Matcher),
    /// Such changes need somebody's word.
    Approval(Matcher),
    /// No rollout of a service that serves leaves fewer instances ready.
    MinReady {
        /// How many.
        count: u32,
        /// Of this service; of each when absent.
        service: Option<ServiceName>,
    },
    /// At most so many changes.
    MaxChanges {
        /// How many.
        count: u32,
    },
}

/// Which changes a rule is about: those to which all applies that it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matcher {
    /// One of these actions; any when empty.
    pub actions: Vec<Action>,
    /// Of this kind of resource.
    pub kind: Option<Kind>,
    /// Of this service, and of what belongs to it.
    pub service: Option<ServiceName>,
    /// With this risk.
    pub risk: Option<RiskKind>,
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deny(matcher) => write!(f, "deny {matcher}"),
            Self::Warn(matcher) => write!(f, "warn {matcher}"),
            Self::Approval(matcher) => {
                let (action, rest) = (matcher.actions.first().map_or("any", |action| action.as_str()), matcher);
                write!(f, "require approval={action}{}", rest.properties())
            }
            Self::MinReady { count, service } => {
                write!(f, "require min-ready={count}{}", super::words::after(" service=", service))
            }
            Self::MaxChanges { count } => write!(f, "require max-changes={count}"),
        }
    }
}

impl Matcher {
    fn properties(&self) -> String {
        let Self { actions: _, kind, service, risk } = self;
        let kind = super::words::after(" kind=", &kind.map(Kind::as_str));
        let risk = super::words::after(" risk=", &risk.map(RiskKind::as_str));
        format!("{kind}{}{risk}", super::words::after(" service=", service))
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.actions.iter().map(|action| action.as_str()).collect();
        let actions = if words.is_empty() { "any".to_owned() } else { words.join(" ") };
        write!(f, "{actions}{}", self.properties())
    }
}
