//! Drift on a terminal: the verdict, what was found of each object, what is ignored, and the ways out.

use super::{EditedFile, by_object, counts, name, restored, rule, sides, unified};
use crate::{
    terminal::Layout,
    text::{bad, bold, cut, dim, duration, good, pad, plural, tame, warn, width},
};
use std::fmt::Write;
use wharf_model::Address;
use wharf_plan::drift::{Class, Drift, Finding};

/// So many rows are told in full; the rest is counted. The other forms hold all.
const SHOWN: usize = 200;
/// So many rules are proposed: nobody ignores everything.
const PROPOSED: usize = 3;

/// Everything, on a terminal. `edited` is the project as it would accept what is there.
pub fn drift(drift: &Drift, edited: &[EditedFile], layout: Layout) -> String {
    let mut out = verdict(drift) + "\n";
    let objects: Vec<_> = by_object(&drift.findings).collect();
    let rows = fold(drift, &objects, layout);
    rows.iter().take(SHOWN).for_each(|row| out.push_str(row));
    if rows.len() > SHOWN {
        let _ = writeln!(out, "\n… and {} more", plural(rows.len() - SHOWN, "row"));
    }
    restarted(&mut out, drift);
    ignored(&mut out, drift);
    if !drift.is_none() {
        ways_out(&mut out, drift, &objects, edited);
    }
    out
}

fn verdict(drift: &Drift) -> String {
    let place = format!("{} in {} ({})", drift.project, drift.environment, drift.provider);
    let compared = plural(drift.compared, "object");
    let ignored = if drift.ignored.is_empty() { String::new() } else { format!(", {} ignored", drift.ignored.len()) };
    let title = bold("Drift of");
    if drift.is_none() {
        return format!("{title} {place}: {}{ignored}, {compared} compared.", good("none"));
    }
    format!("{title} {place}: {}{ignored}, {compared} compared.", bad(counts(drift)))
}

/// The objects as text. Neighbours of one kind of which the same is told fold into one.
fn fold(drift: &Drift, objects: &[&[Finding]], layout: Layout) -> Vec<String> {
    let mut rows: Vec<(std::mem::Discriminant<Address>, String, String, usize)> = Vec::new();
    for findings in objects {
        let Some(first) = findings.first() else { continue };
        let (kind, body) = (std::mem::discriminant(&first.address), body(drift, findings, layout));
        match rows.last_mut() {
            Some((last, _, told, times)) if *last == kind && *told == body => *times += 1,
            _ => rows.push((kind, head(first), body, 1)),
        }
    }
    let row = |(_, head, body, times): (_, String, String, usize)| {
        let more =
            if times > 1 { format!(" {}", bold(format!("and {} more like it", times - 1))) } else { String::new() };
        format!("\n{head}{more}\n{body}")
    };
    rows.into_iter().map(row).collect()
}

fn head(first: &Finding) -> String {
    let origin = first.origin.as_ref().map(|origin| format!("  {}", dim(origin))).unwrap_or_default();
    let object = first.object.as_ref().map(|object| format!("  {object}")).unwrap_or_default();
    format!("{} {}{object}{origin}", sign(first.class), bold(name(&first.address)))
}

fn body(drift: &Drift, findings: &[Finding], layout: Layout) -> String {
    let mut out = String::new();
    let aspects = findings.iter().map(|one| width(&one.aspect.to_string())).max().unwrap_or(0).min(32);
    for one in findings {
        let (class, aspect) = (one.class.as_str(), one.aspect.to_string());
        let age =
            if one.first_seen < drift.now { format!("for {}", duration(one.age(drift.now))) } else { "new".to_owned() };
        let room = layout.width.saturating_sub(aspects + width(&age) + 20).max(24);
        let row = format!("    {}  {}  {}", pad(class, 9), pad(&aspect, aspects), cut(&sides(one), room));
        let _ = writeln!(out, "{row}  {}", dim(age));
    }
    let restored = restored(findings)
        .map_or_else(|| "restore: apply leaves it as it is".to_owned(), |actions| format!("restore: {actions}"));
    let _ = writeln!(out, "    {}", dim(restored));
    out
}

fn sign(class: Class) -> String {
    match class {
        Class::Missing => bad("-"),
        Class::Changed => warn("~"),
        Class::Replaced => warn("±"),
        Class::Unhealthy => bad("!"),
        Class::Extra => warn("+"),
    }
}

fn restarted(out: &mut String, drift: &Drift) {
    if !drift.restarted.is_empty() {
        let _ = writeln!(out, "\n{}", bold("Started again by itself"));
    }
    for (id, restarts) in drift.restarted.iter().take(SHOWN) {
        let _ = writeln!(out, "  {id} {}", tame(&crate::status::restarted(restarts, drift.now)));
    }
    if let Some(more) = drift.restarted.len().checked_sub(SHOWN + 1) {
        let _ = writeln!(out, "  … and {} more", plural(more + 1, "instance"));
    }
}

fn ignored(out: &mut String, drift: &Drift) {
    if !drift.ignored.is_empty() {
        let _ = writeln!(out, "\n{}", bold("Ignored"));
    }
    for one in &drift.ignored {
        let until = one.rule.until.map(|day| format!(", until {day}")).unwrap_or_default();
        let why = format!("{}{until}", tame(&one.rule.reason));
        let _ = writeln!(
            out,
            "  {} {}  {}   {}",
            one.finding.class.as_str(),
            one.finding.path(),
            sides(&one.finding),
            dim(why)
        );
    }
    if !drift.expired.is_empty() || !drift.idle.is_empty() {
        out.push('\n');
    }
    for one in &drift.expired {
        let day = one.until.map(|day| day.to_string()).unwrap_or_default();
        let _ = writeln!(
            out,
            "{} {} ran out on {day}: mend what it covers, or give it another day",
            bad("error:"),
            rule(one)
        );
    }
    for one in &drift.idle {
        let _ = writeln!(out, "{} {} covers nothing now", warn("note:"), rule(one));
    }
}

fn ways_out(out: &mut String, drift: &Drift, objects: &[&[Finding]], edited: &[EditedFile]) {
    let _ = writeln!(out, "\n{}", bold("Ways out"));
    if objects.iter().any(|findings| restored(findings).is_some()) {
        let _ = writeln!(out, "  restore what was recorded: `wharf apply`");
        if drift.files_differ {
            let _ = writeln!(out, "    {}", dim("the files ask for other changes as well: `wharf plan` shows all"));
        }
    }
    if drift.count(Class::Extra) > 0 {
        let _ = writeln!(out, "  record what was never recorded, where the files describe it: `wharf adopt`");
    }
    if !edited.is_empty() {
        let _ = writeln!(out, "  accept what is there: change the files, then `wharf apply`");
        for file in edited {
            for line in unified(file).lines() {
                let line = tame(line);
                let line = match line.chars().next() {
                    Some('+') => good(line),
                    Some('-') => bad(line),
                    _ => dim(line),
                };
                let _ = writeln!(out, "    {line}");
            }
        }
    }
    let _ = writeln!(out, "  leave it be for a while: write into the files");
    let mut paths: Vec<_> = drift.findings.iter().map(Finding::path).collect();
    paths.dedup();
    for path in paths.iter().take(PROPOSED) {
        let _ = writeln!(out, "    {}", dim(format!("ignore {path:?} reason=\"…\" until=\"YYYY-MM-DD\"")));
    }
}
