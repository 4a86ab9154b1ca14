//! What somebody agreed to before a plan is carried out, and what stands against it: another plan than the one that was
//! reviewed, a policy, or nobody who says yes.

use crate::{
    arguments::{Agreement, View},
    exit::Exit,
    fault::{Ends, Fault},
    out,
};
use std::io::{BufRead, Write};
use wharf_model::Deployment;
use wharf_plan::{Plan, Ruling};
use wharf_report::{Layout, bad, bold, dim};

/// Whether somebody is to say yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Before anything is done.
    First,
    /// Somebody did already.
    Nobody,
}

/// What was agreed to.
pub(super) struct Consent<'a> {
    /// The command.
    pub(super) doing: &'a str,
    /// What there will be.
    pub(super) desired: &'a Deployment,
    /// Whether somebody is to say yes.
    pub(super) ask: Ask,
    /// The id of the plan that somebody said yes to.
    pub(super) expected: Option<&'a str>,
    /// What policies ask to be approved, and is.
    pub(super) approved: &'a [String],
    /// Who else is told what happens.
    pub(super) view: Option<&'a View>,
}

impl<'a> Consent<'a> {
    /// What was typed.
    pub(super) fn of(doing: &'a str, desired: &'a Deployment, agreement: &'a Agreement) -> Self {
        let expected = agreement.expect_plan.as_deref();
        let ask = if agreement.yes || expected.is_some() { Ask::Nobody } else { Ask::First };
        Self { doing, desired, ask, expected, approved: &agreement.approve, view: None }
    }

    /// Why a plan that was shown is not carried out, if something stands against it; says so.
    pub(super) fn objection(&self, plan: &Plan) -> Ends<Option<Exit>> {
        if let Some(expected) = self.expected.filter(|id| *plan.id().0 != **id) {
            let found = plan.id();
            out::alert(format!(
                "{} this is plan {found}, and plan {expected} was expected; nothing was done",
                bad("✗")
            ));
            out::alert(format!("  {} review this one, and expect its id", dim("help:")));
            return Ok(Some(Exit::Stale));
        }
        if is_refused(plan, self.approved)? {
            return Ok(Some(Exit::Refused));
        }
        if self.ask == Ask::First && !confirmed(self.doing)? {
            out::note("Nothing was done.");
            return Ok(Some(Exit::Interrupted));
        }
        Ok(None)
    }
}

/// Shows a plan and leaves it at that.
pub(super) fn show_only(plan: &Plan) -> Exit {
    out::result(wharf_report::terminal(plan, None, Layout { width: out::width() }));
    if plan.verdicts().iter().any(|verdict| verdict.ruling == Ruling::Refused) {
        Exit::Refused
    } else if plan.is_empty() {
        Exit::Done
    } else {
        Exit::Changes
    }
}

/// Whether a policy is against the plan; says so if one is.
fn is_refused(plan: &Plan, approved: &[String]) -> Ends<bool> {
    if let Some(unknown) = approved.iter().find(|name| !plan.policies().contains_key(name.as_str())) {
        let names: Vec<_> = plan.policies().keys().map(|name| &**name).collect();
        let fault = Fault::new(format!("there is no policy `{unknown}` in this environment"));
        return Err(fault.help(wharf_lang::did_you_mean(unknown, names).unwrap_or_else(|| "leave it out".to_owned())));
    }
    let verdicts = plan.verdicts();
    let refused = verdicts.iter().any(|verdict| verdict.ruling == Ruling::Refused);
    let waits = verdicts.iter().find(|verdict| {
        verdict.ruling == Ruling::NeedsApproval && !approved.iter().any(|name| **name == *verdict.policy)
    });
    if refused {
        out::alert(format!("{} a policy is against this plan; nothing was done", bad("✗")));
    } else if let Some(verdict) = waits {
        let policy = &verdict.policy;
        out::alert(format!("{} policy {policy} wants this plan approved; nothing was done", bad("✗")));
        out::alert(format!("  {} whoever stands by it adds `--approve {policy}`", dim("help:")));
    }
    Ok(refused || waits.is_some())
}

fn confirmed(doing: &str) -> Ends<bool> {
    if !out::can_ask() {
        let attempt = format!("`wharf {doing}` asks before it changes anything, and there is nobody to ask");
        return Err(Fault::new(attempt).help(format!("`wharf {doing} --yes` does not ask")));
    }
    let mut error = std::io::stderr();
    // When the question cannot be shown, the answer will not be yes.
    drop(write!(error, "\n{} [y/N] ", bold(format!("Do you want to {doing} this?"))).and_then(|()| error.flush()));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|cause| Fault::new("cannot read the answer").because(cause))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
