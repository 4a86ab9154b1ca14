//! Policies, held against a plan: what each rule has to say of it, and of which change.
//!
//! Nothing but the plan is looked at, so whoever reads a plan can tell what its policies say.

use crate::{Change, Plan, Risk, What};
use std::{fmt, sync::Arc};
use wharf_model::{Address, Demand, Matcher, Origin, RiskKind, Rule};

/// What a rule says of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The policy that the rule belongs to.
    pub policy: Arc<str>,
    /// The rule, as it is written.
    pub rule: String,
    /// Where.
    pub origin: Option<Origin>,
    /// What follows.
    pub ruling: Ruling,
    /// The change that it is about; none when it is about the plan as a whole.
    pub change: Option<Address>,
    /// Where the cause of that change is written, if it is written somewhere.
    pub cause: Option<Origin>,
    /// What is the matter, in a sentence.
    pub says: String,
}

/// What follows from a verdict, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ruling {
    /// Nothing; it is pointed out.
    Warned,
    /// The plan is carried out only when somebody stands by it.
    NeedsApproval,
    /// The plan is not carried out.
    Refused,
}

impl Ruling {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warned => "warned",
            Self::NeedsApproval => "needs-approval",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Every verdict on the plan: by policy, then in the order of its rules, then of the changes.
pub(crate) fn verdicts(plan: &Plan) -> Vec<Verdict> {
    let rules = plan.policies().iter().flat_map(|(name, policy)| policy.rules.iter().map(move |rule| (name, rule)));
    rules.flat_map(|(name, rule)| rulings(plan, name, rule)).collect()
}

fn rulings(plan: &Plan, policy: &Arc<str>, rule: &Rule) -> Vec<Verdict> {
    let about = |ruling: Ruling, change: Option<&Change>, says: String| Verdict {
        policy: policy.clone(),
        rule: rule.demand.to_string(),
        origin: rule.origin.clone(),
        ruling,
        change: change.map(|change| change.address.clone()),
        cause: change.and_then(|change| change.what.causes().iter().find_map(|cause| cause.origin())).cloned(),
        says,
    };
    let each = |ruling: Ruling, matcher: &Matcher| {
        let found = plan.changes().iter().filter(|change| matches(matcher, change));
        found.map(|change| about(ruling, Some(change), does(change, matcher))).collect()
    };
    match &rule.demand {
        Demand::Deny(matcher) => each(Ruling::Refused, matcher),
        Demand::Warn(matcher) => each(Ruling::Warned, matcher),
        Demand::Approval(matcher) => each(Ruling::NeedsApproval, matcher),
        Demand::MinReady { count, service } => {
            let concerns = |change: &&Change| {
                service.as_ref().is_none_or(|service| change.address.service() == Some(service))
                    && !matches!(change.what, What::Create { .. })
            };
            let lowest = |change: &'_ Change| change.what.preview().map(|preview| preview.lowest_ready);
            let short = plan.changes().iter().filter(concerns).filter_map(|change| Some((change, lowest(change)?)));
            let short = short.filter(|(_, lowest)| lowest < count);
            let says = |address: &Address, lowest| format!("{address} would have {lowest} ready at the lowest");
            short.map(|(change, lowest)| about(Ruling::Refused, Some(change), says(&change.address, lowest))).collect()
        }
        Demand::MaxChanges { count } => {
            let changes = plan.changes().len();
            let says = format!("there would be {changes} changes");
            if changes > *count as usize { vec![about(Ruling::Refused, None, says)] } else { Vec::new() }
        }
    }
}

fn matches(matcher: &Matcher, change: &Change) -> bool {
    let Matcher { actions, kind, service, risk } = matcher;
    (actions.is_empty() || actions.iter().any(|action| action.as_str() == change.what.action()))
        && kind.is_none_or(|kind| kind == change.address.kind())
        && service.as_ref().is_none_or(|service| change.address.service() == Some(service))
        && risk.is_none_or(|kind| change.risks.iter().any(|risk| risk.kind() == kind))
}

fn does(change: &Change, matcher: &Matcher) -> String {
    let action = format!(
        "{} would {}",
        change.address,
        match change.what {
            What::Create { .. } => "be created",
            What::Update { .. } => "be updated",
            What::Roll { .. } => "roll",
            What::Replace { .. } => "be replaced",
            What::Move { .. } => "be moved",
            What::Adopt { .. } => "be adopted",
            What::Forget { .. } => "be forgotten",
            What::Delete { .. } => "be deleted",
        }
    );
    let risk = matcher.risk.and_then(|kind| change.risks.iter().find(|risk| risk.kind() == kind));
    risk.map_or(action.clone(), |risk| format!("{action}: {risk}"))
}

impl Risk {
    /// Its kind, as policies name it.
    pub fn kind(&self) -> RiskKind {
        match self {
            Self::DataLoss { .. } => RiskKind::DataLoss,
            Self::Downtime => RiskKind::Downtime,
            Self::CapacityDip { .. } => RiskKind::CapacityDip,
            Self::Replacement => RiskKind::Replacement,
        }
    }
}
