//! Why a saved plan cannot be carried out: what it rests on, then and now, beside what the files ask for.

use crate::text::{bad, bold, cut, dim, pad, tame, width};
use std::fmt::Write;
use wharf_model::PlanId;
use wharf_plan::{Became, Side, Stale, StaleReason};

/// How much of a value is shown.
const ROOM: usize = 60;
/// How many reasons are shown; the rest is counted.
const SHOWN: usize = 20;

/// The whole report.
pub fn stale(plan: &PlanId, stale: &Stale) -> String {
    let mut out = format!("{} {} is stale; nothing was done\n", bad("✗"), bold(format!("plan {plan}")));
    let mut last = String::new();
    for reason in stale.0.iter().take(SHOWN) {
        tell(&mut out, reason, &mut last);
    }
    if stale.0.len() > SHOWN {
        let _ = writeln!(out, "  {}", dim(format!("… and {} more", stale.0.len() - SHOWN)));
    }
    let _ = writeln!(out, "  {} plan again, and review what is different", dim("help:"));
    out
}

fn tell(out: &mut String, reason: &StaleReason, last: &mut String) {
    match reason {
        StaleReason::Elsewhere { then, now } => {
            let _ = writeln!(out, "  it was made for {}, and this is {}", tame(then), tame(now));
        }
        StaleReason::File { name, became } => {
            let became = match became {
                Became::Changed => "was changed",
                Became::Added => "was added",
                Became::Removed => "was removed",
            };
            let name = if name == "(inputs)" { "what the inputs come to".to_owned() } else { bold(tame(name)) };
            let _ = writeln!(out, "  {name} {became} since");
        }
        StaleReason::Otherwise { operation } => {
            let _ = writeln!(out, "  it would not be done like this now: {}", tame(operation));
        }
        StaleReason::Fact { address, side, field, then, now, wanted } => {
            if address != last {
                let _ = writeln!(out, "  {}", bold(tame(address)));
                address.clone_into(last);
            }
            let field = field.as_deref().unwrap_or("it");
            let says = if *side == Side::Recorded { "recorded" } else { "observed" };
            let _ = writeln!(out, "    {} {}", tame(field), dim(says));
            let rows = [("then", then), ("now", now), ("wanted", wanted)];
            let known = rows.into_iter().filter(|(when, value)| *when != "wanted" || value.is_some());
            for (when, value) in known {
                let value = value.as_deref().map_or_else(|| "–".to_owned(), |value| tame(&value.replace('\n', " ⏎ ")));
                let _ = writeln!(out, "      {}  {}", dim(pad(when, width("wanted"))), cut(&value, ROOM));
            }
        }
    }
}
