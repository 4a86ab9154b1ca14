//! A plan as one page for a browser: verdict, risks, picture, changes. It holds all that it needs, asks nobody for anything,
//! and runs no script; its policy forbids both.

use crate::{
    Since,
    detail::{Extent, Kind, detail},
    escape::html as safe,
    picture::picture,
    reading::{Group, LeftRow, Level, Reading, RiskRow, VerdictRow},
    text::{names, plural},
};
use std::fmt::Write;
use wharf_plan::Plan;

const STYLE: &str = include_str!("style.css");
/// The most groups of changes that are told in full; a browser is slow with more.
const GROUPS: usize = 1_000;
/// The most rows of a table.
const ROWS: usize = 500;

/// The whole page, with what changed since an earlier plan if there was one.
pub fn html(plan: &Plan, since: Option<&Since>) -> String {
    let reading = Reading::of(plan);
    let mut page = begin(&reading);
    if let Some(since) = since {
        news(&mut page, since);
    }
    verdicts(&mut page, &reading.verdicts);
    risks(&mut page, &reading.risks);
    if !reading.is_empty {
        let _ = writeln!(page, "<h2>Picture</h2>\n<figure>{}</figure>", picture(plan, &reading));
    }
    not_selected(&mut page, &reading);
    notices(&mut page, &reading.notices);
    changes(&mut page, &reading.groups);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn begin(reading: &Reading) -> String {
    let place = format!("{} in {} ({})", reading.project, reading.environment, reading.provider);
    let title = safe(&format!("Plan for {place}"));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n<meta \
         name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light \
         dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<header>\n<p class=\"soft\">plan <code>{}</code></p>\n<h1>{title}</h1>\n",
        reading.id
    );
    if reading.is_empty {
        let _ = writeln!(page, "<p class=\"verdict\">No changes: {}.</p>\n</header>", reading.nothing());
        return page;
    }
    page.push_str("<ul class=\"verdict\">\n");
    for (level, count) in reading.risk_counts() {
        let _ =
            writeln!(page, "<li class=\"{}\">{}<b>{count}</b> with {}</li>", class(level), mark(level), level.word());
    }
    for (action, count) in &reading.counts {
        let _ = writeln!(page, "<li><b>{count}</b> to {}</li>", action.word());
    }
    if reading.kept > 0 {
        let _ = writeln!(page, "<li class=\"soft\"><b>{}</b> to keep</li>", reading.kept);
    }
    page.push_str("</ul>\n</header>\n");
    page
}

fn news(page: &mut String, since: &Since) {
    let _ = writeln!(page, "<h2>{}</h2>\n<ul class=\"news\">", safe(&since.headline()));
    for row in since.rows().iter().take(ROWS) {
        let risk = if row.risks { "<b class=\"new-risk\">!</b> " } else { "" };
        let _ = writeln!(page, "<li>{risk}<code>{}</code> {}</li>", safe(&row.subject), safe(&row.words));
    }
    more(page, "li", since.rows().len(), "thing");
    page.push_str("</ul>\n");
}

fn risks(page: &mut String, risks: &[RiskRow]) {
    if risks.is_empty() {
        return;
    }
    page.push_str("<h2>Look at this first</h2>\n<ul class=\"risks\">\n");
    for risk in risks.iter().take(ROWS) {
        let times = if risk.times > 1 { format!(" <b>×{}</b>", risk.times) } else { String::new() };
        let place = risk.place().map(|place| format!(" <span class=\"soft\">because {}</span>", safe(&place)));
        let _ = writeln!(
            page,
            "<li class=\"{}\">{}<span><b>{}</b> <code>{}</code>{times} {}{}</span></li>",
            class(risk.level),
            mark(risk.level),
            risk.level.word(),
            safe(&names(&risk.subjects)),
            safe(&risk.words),
            place.unwrap_or_default()
        );
    }
    more(page, "li", risks.len(), "risk");
    page.push_str("</ul>\n");
}

fn verdicts(page: &mut String, verdicts: &[VerdictRow]) {
    if verdicts.is_empty() {
        return;
    }
    page.push_str("<h2>What policies say</h2>\n<ul class=\"policies\">\n");
    let place = |place: &Option<String>| match place {
        Some(place) => format!(" <span class=\"soft\">{}</span>", safe(place)),
        None => String::new(),
    };
    for verdict in verdicts {
        let class = if verdict.stops() { "downtime" } else { "dip" };
        let _ = writeln!(
            page,
            "<li class=\"{class}\"><b>{}</b> by policy <code>{}</code>: <code>{}</code>{}\n<ul>",
            verdict.ruling,
            safe(&verdict.policy),
            safe(&verdict.rule),
            place(&verdict.place)
        );
        for (says, cause) in verdict.says.iter().take(ROWS) {
            let _ = writeln!(page, "<li>{}{}</li>", safe(says), place(cause));
        }
        more(page, "li", verdict.says.len(), "change");
        page.push_str("</ul></li>\n");
    }
    page.push_str("</ul>\n");
}

fn not_selected(page: &mut String, reading: &Reading) {
    let Some(left) = &reading.left_out else { return };
    page.push_str("<h2>Left out, as you asked</h2>\n<ul>\n");
    if left.is_empty() {
        page.push_str("<li>nothing: there is nothing else to do</li>\n");
    }
    for LeftRow { address, action, why } in left.iter().take(ROWS) {
        let _ = writeln!(
            page,
            "<li>{action} <code>{}</code> <span class=\"soft\">{}</span></li>",
            safe(address),
            safe(why)
        );
    }
    more(page, "li", left.len(), "change");
    page.push_str("</ul>\n");
}

fn notices(page: &mut String, notices: &[String]) {
    if notices.is_empty() {
        return;
    }
    page.push_str("<h2>Worth knowing</h2>\n<ul>\n");
    for notice in notices.iter().take(ROWS) {
        let _ = writeln!(page, "<li>{}</li>", safe(notice));
    }
    more(page, "li", notices.len(), "note");
    page.push_str("</ul>\n");
}

fn more(page: &mut String, tag: &str, count: usize, noun: &str) {
    if count > ROWS {
        let _ = writeln!(page, "<{tag}>and {} more, which are left out here</{tag}>", plural(count - ROWS, noun));
    }
}

fn changes(page: &mut String, groups: &[Group]) {
    if groups.is_empty() {
        return;
    }
    page.push_str("<h2>What changes</h2>\n");
    let mut order: Vec<&Group> = groups.iter().collect();
    if order.len() > GROUPS {
        order.sort_by_key(|group| group.level);
    }
    let left = order.split_off(order.len().min(GROUPS));
    for group in order {
        change(page, group);
    }
    if !left.is_empty() {
        let count = plural(left.iter().map(|group| group.changes()).sum(), "change");
        let _ = writeln!(page, "<p>Left out: {count} with less risk. <code>wharf plan</code> tells everything.</p>");
    }
}

fn change(page: &mut String, group: &Group) {
    let open = if group.level == Level::Calm { "" } else { " open" };
    let words = group.headline();
    let times = if group.names.len() > 1 { format!(" <b>×{}</b>", group.names.len()) } else { String::new() };
    let from = words.from.map(|from| format!(" <code>{}</code>", safe(&from))).unwrap_or_default();
    let also = if words.also.is_empty() { String::new() } else { format!(" and <b>{}</b>", words.also.join(", ")) };
    let fields: Vec<_> = words.fields.iter().map(|field| format!("<code>{}</code>", safe(field))).collect();
    let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
    let risks: String = words
        .levels
        .iter()
        .map(|level| format!(" <span class=\"pill {}\">{}{}</span>", class(*level), mark(*level), level.word()))
        .collect();
    let _ = writeln!(
        page,
        "<details class=\"{}\"{open}><summary><span class=\"sign\">{}</span> <b>{}</b> \
         <code>{}</code>{times}{from}{also}{fields}{risks}</summary>\n<pre>",
        class(group.level),
        words.sign,
        safe(&words.action),
        safe(&names(&group.names)),
    );
    for line in detail(group, Extent::Full) {
        let (class, sign) = match line.kind {
            Kind::Head => ("head", ""),
            Kind::Risk => ("risk", "! "),
            Kind::Before => ("before", "- "),
            Kind::After => ("after", "+ "),
            Kind::Plain => ("plain", "  "),
        };
        let _ = write!(page, "<span class=\"{class}\">{sign}{}\n</span>", safe(&line.text));
    }
    page.push_str("</pre></details>\n");
}

fn class(level: Level) -> &'static str {
    match level {
        Level::Loss => "loss",
        Level::Downtime => "downtime",
        Level::Dip => "dip",
        Level::Replacement => "replacement",
        Level::Calm => "calm",
    }
}

/// The shape that stands for a risk, as in the picture.
fn mark(level: Level) -> String {
    format!(
        "<svg class=\"mark\" viewBox=\"-16 -16 32 32\" aria-hidden=\"true\"><path d=\"{}\"/></svg>",
        crate::picture::shape(level)
    )
}
