//! What policies say of a plan.

use crate::text::{bad, bold, dim, tame, warn};
use std::fmt::Write;
use wharf_plan::{Ruling, Verdict};

/// How many verdicts of one rule are shown; the rest is counted.
const SHOWN: usize = 5;

/// Every verdict, those of one rule together. Empty when there are none.
pub fn verdicts(all: &[Verdict]) -> String {
    let mut out = String::new();
    let mut rest = all;
    while let Some(first) = rest.first() {
        let same = |verdict: &&Verdict| verdict.origin == first.origin && verdict.rule == first.rule;
        let count = rest.iter().take_while(same).count();
        let (group, later) = rest.split_at(count);
        tell(&mut out, first, group);
        rest = later;
    }
    out
}

fn tell(out: &mut String, first: &Verdict, group: &[Verdict]) {
    let sign = match first.ruling {
        Ruling::Refused => bad("✗ refused"),
        Ruling::NeedsApproval => warn("! needs approval"),
        Ruling::Warned => warn("! warning"),
    };
    let place = first.origin.as_ref().map(|origin| format!("   {}", dim(origin))).unwrap_or_default();
    let rule = bold(tame(&first.rule));
    let _ = writeln!(out, "{sign} by policy {}: {rule}{place}", tame(&first.policy));
    for verdict in group.iter().take(SHOWN) {
        let place = verdict.cause.as_ref().map(|origin| format!("   {}", dim(format!("because {origin}"))));
        let _ = writeln!(out, "    {}{}", tame(&verdict.says), place.unwrap_or_default());
    }
    if group.len() > SHOWN {
        let _ = writeln!(out, "    {}", dim(format!("… and {} more", group.len() - SHOWN)));
    }
}
