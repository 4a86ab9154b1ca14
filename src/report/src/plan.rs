//! A plan on a terminal: the verdict, the risks, then each change with its reasons and its steps.

use crate::text::{bad, bold, cut, dim, duration, good, pad, plural, tame, warn, width};
use anstyle::{AnsiColor, Style};
use similar::TextDiff;
use std::fmt::Write;
use wharf_model::{Address, ContentRef, Difference, Entry, Origin, Value};
use wharf_plan::{Cause, Change, Plan, Risk, What, rollout::Preview};

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Columns.
    pub width: usize,
}

/// How many steps of a rollout are shown before the rest is only counted.
const STEPS: usize = 12;
/// How many instances of one step are named.
const NAMES: usize = 4;

/// The whole plan.
pub fn plan(plan: &Plan, layout: Layout) -> String {
    let mut out = verdict(plan) + "\n";
    risks(&mut out, plan);
    for row in fold(plan.changes(), layout) {
        out.push('\n');
        out.push_str(&row);
    }
    notices(&mut out, plan);
    out
}

fn verdict(plan: &Plan) -> String {
    let place = format!("{} in {} ({})", plan.project(), plan.environment(), plan.provider());
    if plan.is_empty() {
        let kept = plural(plan.kept(), "resource");
        return format!("{} {place}: {}, {kept} as recorded and as described.", bold("Plan for"), good("no changes"));
    }
    let counts = plan.counts();
    let parts = [
        (counts.create, "to create"),
        (counts.update, "to update"),
        (counts.roll, "to roll"),
        (counts.replace, "to replace"),
        (counts.moved, "to move"),
        (counts.adopt, "to adopt"),
        (counts.forget, "to forget"),
        (counts.delete, "to delete"),
        (plan.kept(), "to keep"),
    ];
    let told: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect();
    format!("{} {place}: {}.   {}", bold("Plan for"), told.join(", "), dim(format!("plan {}", plan.id())))
}

fn risks(out: &mut String, plan: &Plan) {
    let risky = plan.changes().iter().flat_map(|change| change.risks.iter().map(move |risk| (&change.address, risk)));
    let mut told: Vec<_> = risky.collect();
    told.sort_by_key(|(_, risk)| *risk);
    if told.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", bad("Look at this first"));
    for (address, risk) in told {
        let words = match (risk, address) {
            (Risk::Downtime, Address::Service(_)) => "will have no ready instance".to_owned(),
            (Risk::Downtime, _) => "will be out of reach where it is now".to_owned(),
            (risk, _) => risk.to_string(),
        };
        let _ = writeln!(out, "  {} {address}: {words}", bad("!"));
    }
}

fn notices(out: &mut String, plan: &Plan) {
    if !plan.notices().is_empty() {
        out.push('\n');
    }
    for notice in plan.notices() {
        let _ = writeln!(out, "{} {}", warn("note:"), tame(&notice.to_string()));
    }
}

/// The changes as text. Neighbours of one kind that say the same fold into one.
fn fold(changes: &[Change], layout: Layout) -> Vec<String> {
    let mut rows: Vec<(String, String, String, usize)> = Vec::new();
    for change in changes {
        let kind = change.address.to_string().split('.').next().unwrap_or_default().to_owned();
        let body = body(change, layout);
        match rows.last_mut() {
            Some((last_kind, _, last_body, times)) if *last_kind == kind && *last_body == body && foldable(change) => {
                *times += 1;
            }
            _ => rows.push((kind, head(change), body, 1)),
        }
    }
    let row = |(_, head, body, times): (String, String, String, usize)| {
        let times =
            if times > 1 { format!(" {}", bold(format!("and {} more like it", times - 1))) } else { String::new() };
        format!("{head}{times}\n{body}")
    };
    rows.into_iter().map(row).collect()
}

/// A change whose steps name its own instances says something of its own.
fn foldable(change: &Change) -> bool {
    change.what.preview().is_none()
}

fn head(change: &Change) -> String {
    let (sign, style) = match &change.what {
        What::Create { .. } => ("+", AnsiColor::Green.on_default()),
        What::Update { .. } => ("~", AnsiColor::Yellow.on_default()),
        What::Roll { .. } => ("↻", AnsiColor::Cyan.on_default()),
        What::Replace { .. } => ("±", AnsiColor::Magenta.on_default()),
        What::Move { .. } => ("→", AnsiColor::Cyan.on_default()),
        What::Adopt { .. } => ("⊕", AnsiColor::Green.on_default()),
        What::Forget { .. } => ("⊖", AnsiColor::Yellow.on_default()),
        What::Delete { .. } => ("-", AnsiColor::Red.on_default()),
    };
    let style: Style = style;
    let more = match &change.what {
        What::Roll { from, to, .. } => format!(" {from} → {to}"),
        What::Replace { from, .. } => format!(" {from}"),
        What::Move { from, .. } => format!(" from {from}"),
        _ => String::new(),
    };
    format!("{style}{sign}{style:#} {}  {style}{}{style:#}{more}", bold(name(&change.address)), change.what.action())
}

/// An address for people: digests are cut to what tells them apart.
fn name(address: &Address) -> String {
    match address {
        Address::Content(ContentRef::Folder(digest)) => format!("content.folder-{}", digest.short()),
        Address::Content(ContentRef::Packages(digest)) => format!("content.packages-{}", digest.short()),
        address => address.to_string(),
    }
}

fn body(change: &Change, layout: Layout) -> String {
    let mut out = String::new();
    match &change.what {
        What::Create { because, entries, .. } => {
            fields(&mut out, entries, layout);
            cause(&mut out, because);
        }
        What::Delete { because } | What::Forget { because } => cause(&mut out, because),
        What::Update { because, .. }
        | What::Roll { because, .. }
        | What::Replace { because, .. }
        | What::Move { because, .. }
        | What::Adopt { because } => {
            differences(&mut out, because, layout);
        }
    }
    if let Some(preview) = change.what.preview() {
        steps(&mut out, preview, layout);
    }
    out
}

fn fields(out: &mut String, entries: &[Entry], layout: Layout) {
    let columns = entries.iter().map(|entry| width(&entry.path.to_string())).max().unwrap_or(0).min(32);
    for entry in entries {
        let path = pad(&entry.path.to_string(), columns);
        let room = layout.width.saturating_sub(columns + 8).max(16);
        let _ = writeln!(out, "    {}  {}", dim(path), one_line(&entry.value, room));
    }
}

fn cause(out: &mut String, cause: &Cause) {
    let words = match cause {
        Cause::Declared(Some(origin)) => format!("declared at {origin}"),
        Cause::Declared(None) => "declared".to_owned(),
        Cause::NotDeclared => "not declared any more".to_owned(),
        Cause::Seen { field, saw } => format!("its {field} was seen: {saw}"),
        Cause::Unfinished(why) => why.clone(),
        Cause::Unused => "no revision that is kept needs it".to_owned(),
        Cause::Renamed { from, origin: Some(origin) } => format!("{origin} says that it was {from}"),
        Cause::Renamed { from, origin: None } => format!("it was {from}"),
        Cause::Follows(address) => format!("{address} is replaced"),
        Cause::KeptOnDelete => "not declared any more, and it was to be kept".to_owned(),
        Cause::Asked => "you asked for it".to_owned(),
        Cause::Written { .. } | Cause::Source { .. } => return,
    };
    let _ = writeln!(out, "    {}", dim(format!("because: {}", tame(&words))));
}

fn differences(out: &mut String, causes: &[Cause], layout: Layout) {
    let columns = causes.iter().filter_map(difference_of).map(|(one, _)| width(&one.path.to_string())).max();
    let columns = columns.unwrap_or(0).min(32);
    for one in causes {
        match difference_of(one) {
            Some((difference, origin)) => {
                let word = if matches!(one, Cause::Source { .. }) { "its content changed" } else { "" };
                write_difference(out, difference, (word, origin), columns, layout);
            }
            None => cause(out, one),
        }
    }
}

fn difference_of(cause: &Cause) -> Option<(&Difference, Option<&Origin>)> {
    match cause {
        Cause::Written { difference, origin } | Cause::Source { difference, origin } => {
            Some((difference, origin.as_ref()))
        }
        _ => None,
    }
}

fn write_difference(
    out: &mut String,
    difference: &Difference,
    (word, origin): (&str, Option<&Origin>),
    columns: usize,
    layout: Layout,
) {
    let path = pad(&difference.path.to_string(), columns);
    let place = origin.map(|origin| format!("because {origin} {word}")).unwrap_or_else(|| word.to_owned());
    let place = dim(place.trim());
    if let (Some(Value::Lines(before)), Some(Value::Lines(after))) = (&difference.before, &difference.after)
        && (before.contains('\n') || after.contains('\n'))
    {
        let _ = writeln!(out, "    {path}  {place}");
        write_lines(out, before, after);
        return;
    }
    if let (Some(Value::Secret(before, _)), Some(Value::Secret(after, _))) = (&difference.before, &difference.after)
        && before == after
    {
        let _ = writeln!(out, "    {path}  (secret){after} has another value   {place}");
        return;
    }
    let room = layout.width.saturating_sub(columns + 10).max(16);
    let side = |value: &Option<Value>| value.as_ref().map(|value| one_line(value, room));
    let (before, after) = (side(&difference.before), side(&difference.after));
    let none = "–".to_owned();
    let arrow = format!("{} → {}", bad(before.as_ref().unwrap_or(&none)), good(after.as_ref().unwrap_or(&none)));
    if columns + width(&arrow) + width(&place) + 9 <= layout.width {
        let _ = writeln!(out, "    {path}  {arrow}   {place}");
        return;
    }
    // Beside each other they would lose the very part that differs.
    let _ = writeln!(out, "    {path}  {place}");
    let rows = before
        .map(|before| bad(format!("- {before}")))
        .into_iter()
        .chain(after.map(|after| good(format!("+ {after}"))));
    for row in rows {
        let _ = writeln!(out, "    {}  {row}", pad("", columns));
    }
}

fn write_lines(out: &mut String, before: &str, after: &str) {
    let diff = TextDiff::from_lines(before, after);
    for change in diff.grouped_ops(2).iter().flatten().flat_map(|op| diff.iter_changes(op)) {
        let line = tame(change.value().trim_end_matches('\n'));
        let line = match change.tag() {
            similar::ChangeTag::Delete => bad(format!("- {line}")),
            similar::ChangeTag::Insert => good(format!("+ {line}")),
            similar::ChangeTag::Equal => dim(format!("  {line}")),
        };
        let _ = writeln!(out, "      {line}");
    }
}

fn one_line(value: &Value, room: usize) -> String {
    let text = match value {
        Value::Text(text) | Value::Lines(text) => tame(&text.replace('\n', " ⏎ ")),
        Value::Secret(name, _) => format!("(secret){name}"),
        Value::Content(digest) => digest.short(),
    };
    cut(&text, room)
}

fn steps(out: &mut String, preview: &Preview, layout: Layout) {
    if preview.steps.is_empty() {
        return;
    }
    let least = if preview.lowest_ready > 0 {
        format!("never fewer than {} ready, ", preview.lowest_ready)
    } else {
        String::new()
    };
    let takes = if preview.at_least.is_zero() {
        String::new()
    } else {
        format!(", takes {} at least", duration(preview.at_least))
    };
    let bounds = format!("rollout: {least}at most {} running{takes}", preview.most_living);
    let _ = writeln!(out, "    {}", dim(bounds));
    let digits = preview.steps.len().min(STEPS).to_string().len();
    for (number, step) in preview.steps.iter().take(STEPS).enumerate() {
        let mut names: Vec<_> = step.instances.iter().take(NAMES).map(ToString::to_string).collect();
        if step.instances.len() > NAMES {
            names.push(format!("and {} more", step.instances.len() - NAMES));
        }
        let names = cut(&names.join(", "), layout.width.saturating_sub(36).max(24));
        let verb = pad(step.verb.as_str(), 5);
        let ready = dim(format!("{} ready", step.ready));
        let _ = writeln!(out, "      {:>digits$}  {verb}  {}  {ready}", number + 1, pad(&names, 24));
    }
    if preview.steps.len() > STEPS {
        let _ = writeln!(out, "      {}", dim(format!("… and {} more steps", preview.steps.len() - STEPS)));
    }
}
