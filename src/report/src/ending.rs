//! The end of an apply: what it changed.

use crate::{
    reading::Action,
    text::{cut, names, pad},
};
use std::{collections::BTreeMap, fmt::Write};
use wharf_model::Address;
use wharf_plan::Plan;

/// A line for every action, with the resources that it was carried out on.
pub fn ending(plan: &Plan, done: &[Address], columns: usize) -> String {
    let mut by_action: BTreeMap<Action, Vec<String>> = BTreeMap::new();
    for change in plan.changes().iter().filter(|change| done.contains(&change.address)) {
        by_action.entry(Action::of(&change.what)).or_default().push(change.address.to_string());
    }
    let mut out = String::new();
    let room = by_action.keys().map(|action| past(*action).len()).max().unwrap_or(0);
    for (action, resources) in &by_action {
        let resources = cut(&names(resources), columns.saturating_sub(room + 6).max(16));
        let _ = writeln!(out, "  {} {}  {resources}", action.sign(), pad(past(*action), room));
    }
    out
}

fn past(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "updated",
        Action::Roll => "rolled",
        Action::Replace => "replaced",
        Action::Move => "moved",
        Action::Adopt => "adopted",
        Action::Forget => "forgotten",
        Action::Delete => "deleted",
    }
}
