//! What stands beside the changes of a plan: what policies say of them, and what is left out.

use crate::text::tame;
use wharf_plan::{LeftOut, Plan, Ruling, Verdict, WhyLeftOut};

/// Sentences under a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aside {
    pub(crate) title: &'static str,
    /// Whether something is not as somebody wants it.
    pub(crate) is_bad: bool,
    /// At least one.
    pub(crate) rows: Vec<String>,
    /// What one of them is called.
    pub(crate) noun: &'static str,
}

/// Everything that stands beside the changes.
pub(super) fn asides(plan: &Plan) -> Vec<Aside> {
    let verdicts = plan.verdicts();
    let is_bad = verdicts.iter().any(|verdict| verdict.ruling > Ruling::Warned);
    let rows = verdicts.iter().map(verdict).collect();
    let policies = Aside { title: "What policies say", is_bad, rows, noun: "verdict" };
    let mut rows: Vec<_> = plan.left_out().iter().map(left_out).collect();
    if !plan.selection().is_all() && rows.is_empty() {
        rows.push("nothing: there is nothing else to do".to_owned());
    }
    let left = Aside { title: "Left out, as you asked", is_bad: false, rows, noun: "change" };
    [policies, left].into_iter().filter(|aside| !aside.rows.is_empty()).collect()
}

fn verdict(verdict: &Verdict) -> String {
    let Verdict { policy, rule, origin, ruling, change: _, cause, says } = verdict;
    let ruling = match ruling {
        Ruling::Refused => "refused",
        Ruling::NeedsApproval => "needs approval",
        Ruling::Warned => "warning",
    };
    let place = origin.as_ref().map(|origin| format!(", {origin}")).unwrap_or_default();
    let cause = cause.as_ref().map(|cause| format!(", because {cause}")).unwrap_or_default();
    tame(&format!("{ruling}: {says}{cause} (policy {policy}: {rule}{place})"))
}

fn left_out(left: &LeftOut) -> String {
    let why = match &left.why {
        WhyLeftOut::NotSelected => "it belongs to no service that you named".to_owned(),
        WhyLeftOut::Excepted => "you left it out".to_owned(),
        WhyLeftOut::Needs(address) => format!("it comes after {address}, which is left out"),
    };
    tame(&format!("{} {}: {why}", left.action, left.address))
}
