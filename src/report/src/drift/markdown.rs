//! Drift for an issue or a comment.

use super::{EditedFile, by_object, counts, restored, rule, sides, title, unified};
use crate::text::{duration, plural};
use std::fmt::Write;
use wharf_plan::drift::{Drift, Finding};

/// What a page may hold: forges refuse longer ones.
const ROOM: usize = 60_000;
/// Room for what stands below the table.
const TAIL: usize = 8_000;

/// Everything as Markdown. Its first line is the same in every report of this environment, so that a bot finds the page
/// it wrote before. What does not fit is counted.
pub fn drift_markdown(drift: &Drift, edited: &[EditedFile]) -> String {
    let place = format!("{} in {}", drift.project, drift.environment);
    let mut out = format!("<!-- wharf drift {}/{} -->\n", drift.project, drift.environment);
    if drift.is_none() {
        let _ = writeln!(
            out,
            "### No drift of {place}\n\n{} as recorded ({}).",
            plural(drift.compared, "object"),
            drift.provider
        );
    } else {
        let _ = writeln!(out, "### Drift of {place}: {}\n", counts(drift));
        let _ =
            writeln!(out, "{} compared ({}), at {}.\n", plural(drift.compared, "object"), drift.provider, drift.now);
        table(&mut out, drift);
        ways_out(&mut out, drift, edited);
    }
    restarted(&mut out, drift);
    ignored(&mut out, drift);
    out
}

fn restarted(out: &mut String, drift: &Drift) {
    if drift.restarted.is_empty() {
        return;
    }
    out.push_str("\n**Started again by itself**\n\n");
    for (id, restarts) in drift.restarted.iter().take(50) {
        let told = crate::status::restarted(restarts, drift.now);
        let _ = writeln!(out, "- {} {}", code(&id.to_string()), cell(&told));
    }
    if drift.restarted.len() > 50 {
        let _ = writeln!(out, "- … and {} more", drift.restarted.len() - 50);
    }
}

fn table(out: &mut String, drift: &Drift) {
    out.push_str("| what | | recorded → observed | for | to restore |\n| --- | --- | --- | --- | --- |\n");
    let mut left = drift.findings.len();
    'objects: for findings in by_object(&drift.findings) {
        let apply = restored(findings).unwrap_or_else(|| "nothing: apply leaves it".to_owned());
        for one in findings {
            let row = row(drift, one, &apply);
            if out.len() + row.len() + TAIL > ROOM {
                break 'objects;
            }
            out.push_str(&row);
            left -= 1;
        }
    }
    if left > 0 {
        let _ = writeln!(out, "\n… and {} that did not fit here; `wharf drift` tells all.", plural(left, "finding"));
    }
}

fn row(drift: &Drift, one: &Finding, apply: &str) -> String {
    let origin = one.origin.as_ref().map(|origin| format!("<br>{}", cell(&origin.to_string()))).unwrap_or_default();
    let age = if one.first_seen < drift.now { duration(one.age(drift.now)) } else { "new".to_owned() };
    let (title, sides) = (code(&title(one)), cell(&sides(one)));
    format!(
        "| {title}{origin} | {} {} | {sides} | {age} | {} |\n",
        one.class.as_str(),
        code(&one.aspect.to_string()),
        cell(apply)
    )
}

fn ways_out(out: &mut String, drift: &Drift, edited: &[EditedFile]) {
    out.push_str("\n**Ways out.** Restore what was recorded: `wharf apply`");
    if drift.files_differ {
        out.push_str(" (the files ask for other changes as well)");
    }
    out.push_str(". Leave it be for a while: an `ignore` node with a reason and a day.");
    if edited.is_empty() {
        return out.push('\n');
    }
    out.push_str(" Accept what is there: change the files, then `wharf apply`.\n\n");
    let diff: String = edited.iter().map(unified).collect();
    let fence = "`".repeat(longest_run(&diff).max(2) + 1);
    match diff.len() + fence.len() * 2 < TAIL / 2 {
        true => drop(write!(out, "{fence}diff\n{diff}{fence}\n")),
        false => out.push_str("That change is too long for this page; `wharf drift` shows it.\n"),
    }
}

fn longest_run(text: &str) -> usize {
    text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0)
}

fn ignored(out: &mut String, drift: &Drift) {
    for one in &drift.expired {
        let day = one.until.map(|day| day.to_string()).unwrap_or_default();
        let _ = writeln!(out, "\n> **Error:** {} ran out on {day}.", cell(&rule(one)));
    }
    if drift.ignored.is_empty() && drift.idle.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n<details><summary>{} ignored</summary>\n", plural(drift.ignored.len(), "finding"));
    for one in drift.ignored.iter().take(50) {
        let until = one.rule.until.map(|day| format!(", until {day}")).unwrap_or_default();
        let _ = writeln!(
            out,
            "- {} {}: {}{until}",
            one.finding.class.as_str(),
            code(&one.finding.path()),
            cell(&one.rule.reason)
        );
    }
    if drift.ignored.len() > 50 {
        let _ = writeln!(out, "- … and {} more", drift.ignored.len() - 50);
    }
    for one in drift.idle.iter().take(50) {
        let _ = writeln!(out, "- {} covers nothing now", cell(&rule(one)));
    }
    out.push_str("\n</details>\n");
}

/// A text in a cell of a table: nothing in it means anything.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '@' => cell.extend(['\\', letter]),
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '&' => cell.push_str("&amp;"),
            letter if letter.is_control() => cell.push(' '),
            letter => cell.push(letter),
        }
    }
    cell
}

/// A name in a cell of a table, as code where it can be.
fn code(text: &str) -> String {
    if text.contains(['`', '|']) || text.chars().any(char::is_control) { cell(text) } else { format!("`{text}`") }
}
