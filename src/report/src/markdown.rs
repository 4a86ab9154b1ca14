//! A plan for a pull request. Its first line is a marker that stays the same for a project and environment, so that a bot
//! finds the comment that it wrote before.
//!
//! Everything that comes from files or platforms stands in code, where it is neither markup nor a mention. A comment has
//! room for so many characters: what does not fit is left out in tiers, calm changes before risky ones, and the comment
//! says what it left out.

use crate::{
    Since,
    detail::{Extent, Kind, detail},
    escape,
    reading::{Group, LeftRow, Level, Reading, RiskRow, VerdictRow},
    text::{cut, names, plural},
};
use std::fmt::Write;
use wharf_plan::Plan;

/// A comment stays under so many characters.
pub const ROOM: usize = 60_000;
/// Kept free for what is said about what was left out.
const LAST_WORDS: usize = 600;
/// The most rows of a table.
const ROWS: usize = 25;
/// The most rules, and what each of them may say.
const RULES: usize = 12;
const SAYINGS: usize = 3;
/// The widest text in a row.
const WORDS: usize = 200;
/// How much is told of risky changes, and of the others; none for one line without details.
type Tier = (Option<Extent>, Option<Extent>);

const TIERS: [Tier; 5] = [
    (Some(Extent::Full), Some(Extent::Full)),
    (Some(Extent::Full), Some(Extent::Brief)),
    (Some(Extent::Full), None),
    (Some(Extent::Brief), None),
    (None, None),
];

/// The whole plan, with what changed since an earlier one if there was one; at most [`ROOM`] characters.
pub fn markdown(plan: &Plan, since: Option<&Since>) -> String {
    let reading = Reading::of(plan);
    let mut head = head(&reading);
    if let Some(since) = since {
        head.push_str(&news(since));
    }
    head.push_str(&verdicts(&reading.verdicts));
    head.push_str(&risks(&reading.risks));
    head.push_str(&not_selected(&reading));
    head.push_str(&notices(&reading.notices));
    let room = ROOM.saturating_sub(head.chars().count() + LAST_WORDS);
    let whole = TIERS.iter().find_map(|tier| changes(&reading.groups, *tier, room));
    let changes = whole.unwrap_or_else(|| as_many_as_fit(&reading.groups, room));
    head + &changes
}

fn head(reading: &Reading) -> String {
    let Reading { project, environment, provider, id, .. } = reading;
    let mut page = format!("<!-- wharf plan of {project} in {environment} -->\n<!-- plan id: {id} -->\n");
    let place = format!("{} in {} ({provider})", escape::code(project), escape::code(environment));
    if reading.is_empty {
        let mut nothing = reading.nothing();
        nothing[..1].make_ascii_uppercase();
        let _ = writeln!(page, "### Plan for {place}: no changes\n\n{nothing}. Plan `{id}`.");
        return page;
    }
    let told: Vec<_> = reading.counts.iter().map(|(action, count)| format!("{count} to {}", action.word())).collect();
    let _ = writeln!(page, "### Plan for {place}: {}\n", told.join(", "));
    let hurts = reading.risk_counts();
    if hurts.is_empty() {
        page.push_str("No risk was found");
    } else {
        let hurts: Vec<_> =
            hurts.iter().map(|(level, count)| format!("{} **{count} with {}**", sign(*level), level.word())).collect();
        page.push_str(&hurts.join(", "));
    }
    let kept = if reading.kept > 0 { format!("; {} to keep", reading.kept) } else { String::new() };
    let _ = writeln!(page, "{kept}. Plan `{id}`.");
    page
}

fn news(since: &Since) -> String {
    let mut page = format!("\n#### {}\n\n", since.headline());
    for row in since.rows().iter().take(ROWS) {
        let risk = if row.risks { "⚠️ " } else { "" };
        let (subject, words) = (escape::code(&cut(&row.subject, WORDS)), escape::code(&cut(&row.words, WORDS)));
        let _ = writeln!(page, "- {risk}{subject} {words}");
    }
    more(&mut page, (since.rows().len(), ROWS), "thing");
    page
}

fn risks(risks: &[RiskRow]) -> String {
    let mut page = String::new();
    if risks.is_empty() {
        return page;
    }
    page.push_str("\n#### Look at this first\n\n| risk | of | what happens | why |\n| --- | --- | --- | --- |\n");
    for risk in risks.iter().take(ROWS) {
        let of = escape::cell(&cut(&names(&risk.subjects), WORDS));
        let times = if risk.times > 1 { format!(" ×{}", risk.times) } else { String::new() };
        let words = cut(&risk.words, WORDS);
        let words = if risk.level == Level::Loss { escape::cell(&words) } else { words };
        let place = risk.place().map(|place| escape::cell(&cut(&place, WORDS))).unwrap_or_default();
        let _ = writeln!(page, "| {} **{}** | {of}{times} | {words} | {place} |", sign(risk.level), risk.level.word());
    }
    more(&mut page, (risks.len(), ROWS), "risk");
    page
}

fn verdicts(verdicts: &[VerdictRow]) -> String {
    let mut page = String::new();
    if !verdicts.is_empty() {
        page.push_str("\n#### What policies say\n\n");
    }
    for verdict in verdicts.iter().take(RULES) {
        let sign = if verdict.stops() { "⛔" } else { "⚠️" };
        let (policy, rule) = (escape::code(&verdict.policy), escape::code(&cut(&verdict.rule, WORDS)));
        let place = verdict.place.as_ref().map(|place| format!(" {}", escape::code(&cut(place, WORDS))));
        let _ =
            writeln!(page, "- {sign} **{}** by policy {policy}: {rule}{}", verdict.ruling, place.unwrap_or_default());
        for (says, place) in verdict.says.iter().take(SAYINGS) {
            let place = place.as_ref().map(|place| format!(" because {}", escape::code(&cut(place, WORDS))));
            let _ = writeln!(page, "  - {}{}", escape::code(&cut(says, WORDS)), place.unwrap_or_default());
        }
        if verdict.says.len() > SAYINGS {
            let _ = writeln!(page, "  - and {} more", verdict.says.len() - SAYINGS);
        }
    }
    more(&mut page, (verdicts.len(), RULES), "rule");
    page
}

fn not_selected(reading: &Reading) -> String {
    let Some(left) = &reading.left_out else { return String::new() };
    let mut page = "\n#### Left out, as you asked\n\n".to_owned();
    if left.is_empty() {
        page.push_str("Nothing: there is nothing else to do.\n");
    }
    for LeftRow { address, action, why } in left.iter().take(ROWS) {
        let _ = writeln!(page, "- {action} {}: {}", escape::code(&cut(address, WORDS)), escape::code(&cut(why, WORDS)));
    }
    more(&mut page, (left.len(), ROWS), "change");
    page
}

fn notices(notices: &[String]) -> String {
    let mut page = String::new();
    if !notices.is_empty() {
        page.push_str("\n#### Worth knowing\n\n");
    }
    for notice in notices.iter().take(ROWS) {
        let _ = writeln!(page, "- {}", escape::code(&cut(notice, WORDS)));
    }
    more(&mut page, (notices.len(), ROWS), "note");
    page
}

fn more(page: &mut String, (count, shown): (usize, usize), noun: &str) {
    if count > shown {
        let _ = writeln!(page, "\nand {} more, which are left out here.", plural(count - shown, noun));
    }
}

/// All changes at one tier; none when they need more room.
fn changes(groups: &[Group], (risky, calm): Tier, room: usize) -> Option<String> {
    let mut page = if groups.is_empty() { String::new() } else { "\n#### What changes\n\n".to_owned() };
    let mut used = page.chars().count();
    let mut brief = (0, 0);
    for group in groups {
        let extent = if group.level == Level::Calm { calm } else { risky };
        let part = part(group, extent);
        used += part.chars().count();
        if used > room {
            return None;
        }
        page.push_str(&part);
        match extent {
            Some(Extent::Full) => {}
            Some(Extent::Brief) => brief.0 += group.changes(),
            None => brief.1 += group.changes(),
        }
    }
    page.push_str(&left_out(brief, Left::default()));
    Some(page)
}

/// One line each, the riskiest first, for as many as fit.
fn as_many_as_fit(groups: &[Group], room: usize) -> String {
    let mut page = "\n#### What changes\n\n".to_owned();
    let mut used = page.chars().count();
    let mut order: Vec<_> = groups.iter().collect();
    order.sort_by_key(|group| group.level);
    let (mut told, mut left) = (0, Left::default());
    for group in order {
        let part = part(group, None);
        let needs = part.chars().count();
        if left.changes > 0 || used + needs > room {
            left.changes += group.changes();
            left.risky += if group.level == Level::Calm { 0 } else { group.changes() };
            continue;
        }
        used += needs;
        told += group.changes();
        page.push_str(&part);
    }
    page.push_str(&left_out((0, told), left));
    page
}

/// Changes that are not told at all.
#[derive(Debug, Clone, Copy, Default)]
struct Left {
    changes: usize,
    risky: usize,
}

fn left_out((brief, bare): (usize, usize), gone: Left) -> String {
    let mut told = Vec::new();
    if brief > 0 {
        told.push(format!("new fields, lines of texts and steps of {}", plural(brief, "change")));
    }
    if bare > 0 {
        told.push(format!("all but one line of {}", plural(bare, "change")));
    }
    if gone.changes > 0 {
        let risky = if gone.risky > 0 { format!(", {} of them with a risk", gone.risky) } else { String::new() };
        told.push(format!("{} altogether{risky}", plural(gone.changes, "change")));
    }
    if told.is_empty() {
        return String::new();
    }
    format!(
        "\n> **Left out**, as a comment has room for {ROOM} characters: {}. `wharf plan` tells everything, `wharf plan --format \
         html` as a page.\n",
        told.join("; ")
    )
}

fn part(group: &Group, extent: Option<Extent>) -> String {
    let Some(extent) = extent else { return bare(group) };
    let lines = detail(group, extent);
    let text: String = lines
        .iter()
        .map(|line| match line.kind {
            Kind::Head => format!("@@ {} @@\n", line.text),
            Kind::Risk => format!("! {}\n", line.text),
            Kind::Before => format!("- {}\n", line.text),
            Kind::After => format!("+ {}\n", line.text),
            Kind::Plain => format!("  {}\n", line.text),
        })
        .collect();
    let open = if group.level == Level::Calm { "" } else { " open" };
    let fence = escape::fence(&text);
    format!("<details{open}><summary>{}</summary>\n\n{fence}diff\n{text}{fence}\n\n</details>\n\n", summary(group))
}

/// What a group comes to in one line of HTML.
fn summary(group: &Group) -> String {
    let code = |text: &str| format!("<code>{}</code>", escape::html(text));
    headline(group, &code, ("<b>", "</b>"))
}

/// The same as a line of Markdown, for which there are no details.
fn bare(group: &Group) -> String {
    format!("- {}\n", headline(group, &|text| escape::code(text), ("**", "**")))
}

fn headline(group: &Group, code: &dyn Fn(&str) -> String, (open, close): (&str, &str)) -> String {
    let words = group.headline();
    let mut line = format!("{} {open}{}{close} {}", words.sign, words.action, code(&cut(&names(&group.names), WORDS)));
    if group.names.len() > 1 {
        let _ = write!(line, " {open}×{}{close}", group.names.len());
    }
    if let Some(from) = words.from {
        let _ = write!(line, " {}", code(&cut(&from, WORDS)));
    }
    if !words.also.is_empty() {
        let _ = write!(line, " and {open}{}{close}", words.also.join(", "));
    }
    if !words.fields.is_empty() {
        let fields: Vec<_> = words.fields.iter().map(|field| code(&cut(field, WORDS))).collect();
        let _ = write!(line, ": {}", fields.join(", "));
    }
    for level in words.levels {
        let _ = write!(line, " {} {open}{}{close}", sign(level), level.word());
    }
    line
}

fn sign(level: Level) -> &'static str {
    match level {
        Level::Loss => "⛔",
        Level::Downtime => "🔴",
        Level::Dip => "🟠",
        Level::Replacement => "🔷",
        Level::Calm => "",
    }
}
