//! A plan on a terminal: the verdict, the risks, then each change with its reasons and its steps. No line is wider than
//! the layout, as far as what it says can be wrapped or cut.

use crate::{
    Since,
    reading::{Action, Group, LeftRow, Level, Line, Reading, Rollout, Row, Side, Stage, TextLine},
    text::{KEEP, bad, bold, cut, dim, good, names, pad, plural, warn, width, wrap},
};
use anstyle::{AnsiColor, Style};
use std::fmt::{Display, Write};
use wharf_plan::Plan;

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Columns.
    pub width: usize,
}

impl Layout {
    /// With less, nothing could be told apart.
    const LEAST: usize = 40;

    fn columns(self) -> usize {
        self.width.max(Self::LEAST)
    }
}

/// The widest column of field names.
const PATHS: usize = 28;
/// A value that is cut to less tells nothing.
const LEAST_VALUE: usize = 20;

/// The whole plan; with what changed since an earlier one, if there was one.
pub fn terminal(plan: &Plan, since: Option<&Since>, layout: Layout) -> String {
    let reading = Reading::of(plan);
    let mut page = Page { out: String::new(), columns: layout.columns() };
    page.verdict(&reading);
    if let Some(since) = since {
        page.since(since);
    }
    page.risks(&reading);
    for group in &reading.groups {
        page.out.push('\n');
        page.group(group);
    }
    page.left_out(&reading);
    page.notices(&reading);
    page.verdicts(&crate::verdicts(&plan.verdicts()));
    page.out
}

struct Page {
    out: String,
    columns: usize,
}

impl Page {
    fn verdict(&mut self, reading: &Reading) {
        let place = format!("{} in {} ({})", reading.project, reading.environment, reading.provider);
        if reading.is_empty {
            let words = format!("{} {place}: {}, {}.", bold("Plan for"), good("no changes"), reading.nothing());
            return self.paragraph(&words, 0, 2);
        }
        let mut told: Vec<String> = reading
            .counts
            .iter()
            .map(|(action, count)| paint(style(*action), format!("{count} to {}", action.word())))
            .collect();
        if reading.kept > 0 {
            told.push(format!("{} to keep", reading.kept));
        }
        let risks: Vec<_> = reading
            .risk_counts()
            .iter()
            .map(|(level, count)| hurt(*level, format!("{count} with {}", level.word())))
            .collect();
        let risks = if risks.is_empty() { String::new() } else { format!("; {}", risks.join(", ")) };
        let id = dim(format!("plan{KEEP}{}", reading.id));
        self.paragraph(&format!("{} {place}: {}{risks}.   {id}", bold("Plan for"), told.join(", ")), 0, 2);
    }

    fn since(&mut self, since: &Since) {
        self.out.push('\n');
        self.paragraph(&bold(since.headline()), 0, 2);
        for row in since.rows() {
            let risk = if row.risks { bad("!") } else { " ".to_owned() };
            self.paragraph(&format!("{risk} {}: {}", row.subject, row.words), 2, 6);
        }
    }

    fn risks(&mut self, reading: &Reading) {
        if reading.risks.is_empty() {
            return;
        }
        let _ = writeln!(self.out, "\n{}", bad("Look at this first"));
        for risk in &reading.risks {
            let place =
                risk.place().map(|place| format!("   {}", dim(format!("because{KEEP}{place}")))).unwrap_or_default();
            let subjects = names(&risk.subjects);
            let level = hurt(risk.level, risk.level.word());
            self.paragraph(&format!("{} {level}: {subjects} {}{place}", bad("!"), risk.words), 2, 6);
        }
    }

    fn left_out(&mut self, reading: &Reading) {
        let Some(left) = &reading.left_out else { return };
        let _ = writeln!(self.out, "\n{}", bold("Left out, as you asked"));
        if left.is_empty() {
            self.paragraph(&dim("nothing: there is nothing else to do"), 2, 4);
        }
        for LeftRow { address, action, why } in left {
            self.paragraph(&format!("{action} {address}  {}", dim(why)), 2, 6);
        }
    }

    fn verdicts(&mut self, told: &str) {
        if !told.is_empty() {
            self.out.push('\n');
        }
        for line in told.lines() {
            let words = line.trim_start_matches(' ');
            let indent = line.len() - words.len();
            self.paragraph(words, indent, indent + 4);
        }
    }

    fn notices(&mut self, reading: &Reading) {
        if !reading.notices.is_empty() {
            self.out.push('\n');
        }
        for notice in &reading.notices {
            self.paragraph(&format!("{} {notice}", warn("note:")), 0, 6);
        }
    }

    fn group(&mut self, group: &Group) {
        let name = group.name();
        for (at, row) in group.rows.iter().enumerate() {
            self.head(group, row, name, at == 0);
            self.lines(&row.lines);
            if let Some(rollout) = &row.rollout {
                self.rollout(rollout, name.strip_prefix("service.").unwrap_or(name));
            }
        }
        if group.names.len() > 1 {
            let others = format!("the same for {}", names(group.names.get(1..).unwrap_or_default()));
            self.paragraph(&dim(others), 2, 4);
        }
    }

    fn head(&mut self, group: &Group, row: &Row, name: &str, first: bool) {
        let style = style(row.action);
        let (sign, word) = (paint(style, row.action.sign()), paint(style, row.action.word()));
        let more = row.from(name).map(|from| format!(" {from}")).unwrap_or_default();
        let times = row.times() * group.names.len();
        let times = if times > 1 { format!("  {}", bold(format!("×{times}"))) } else { String::new() };
        let address = row.address(name);
        let address = if first { bold(address) } else { address };
        self.paragraph(&format!("{sign} {address}  {word}{more}{times}"), 0, 4);
    }

    fn lines(&mut self, lines: &[Line]) {
        let widest = lines.iter().filter_map(Line::path).map(width).max().unwrap_or(0);
        let paths = widest.min(PATHS).min(self.columns * 2 / 5);
        for line in lines {
            match line {
                Line::Because { words, place } => {
                    let place = place.told().map(|place| format!(" at {place}")).unwrap_or_default();
                    self.paragraph(&dim(format!("because {words}{place}")), 4, 6);
                }
                Line::Value { path, value } => self.value(&column(path, paths), value),
                Line::Change { path, before, after, note, place } => {
                    self.change(&column(path, paths), before.as_deref(), after.as_deref(), &place.because(note));
                }
                Line::Secret { path, name, place } => {
                    let words = format!("(secret){name} has another value");
                    self.beside(&column(path, paths), &words, &place.because(""));
                }
                Line::Text { path, lines, place } => {
                    self.beside(&column(path, paths), "", &place.because(""));
                    self.text(lines);
                }
            }
        }
    }

    fn change(&mut self, path: &str, before: Option<&str>, after: Option<&str>, place: &str) {
        let none = "–";
        let arrow = format!("{} → {}", bad(before.unwrap_or(none)), good(after.unwrap_or(none)));
        if 6 + width(path) + width(&arrow) <= self.columns {
            return self.beside(path, &arrow, place);
        }
        self.beside(path, "", place);
        let room = self.columns.saturating_sub(10);
        let (before, after) = focus(before, after, room);
        for side in
            before.map(|text| bad(format!("- {text}"))).into_iter().chain(after.map(|text| good(format!("+ {text}"))))
        {
            let _ = writeln!(self.out, "        {side}");
        }
    }

    /// A field of something new; its value is cut to what has room beside it or, for a long name, below.
    fn value(&mut self, path: &str, value: &str) {
        let room = self.columns.saturating_sub(6 + width(path));
        if room >= width(value).min(LEAST_VALUE) {
            let _ = writeln!(self.out, "    {}  {}", dim(path), cut(value, room));
        } else {
            let path = cut(path.trim_end(), self.columns - 4);
            let _ = writeln!(self.out, "    {}\n        {}", dim(path), cut(value, self.columns - 8));
        }
    }

    /// A field with what is said of it and the reason, beside it as far as there is room, else below.
    fn beside(&mut self, path: &str, words: &str, place: &str) {
        let mut line = cut(path.trim_end(), self.columns - 4);
        let mut below = Vec::new();
        if !words.is_empty() && 6 + width(path) + width(words) <= self.columns {
            line = format!("{path}  {words}");
        } else if !words.is_empty() {
            below.push(words.to_owned());
        }
        if !place.is_empty() && below.is_empty() && 7 + width(&line) + width(place) <= self.columns {
            let _ = write!(line, "   {}", dim(place));
        } else if !place.is_empty() {
            below.push(dim(place));
        }
        let _ = writeln!(self.out, "    {line}");
        for words in below {
            self.paragraph(&words, 8, 8);
        }
    }

    fn text(&mut self, lines: &[TextLine]) {
        let room = self.columns.saturating_sub(10);
        for TextLine { side, text } in lines {
            let text = cut(text, room);
            let line = match side {
                Side::Before => bad(format!("- {text}")),
                Side::After => good(format!("+ {text}")),
                Side::Both => dim(format!("  {text}")),
                Side::Gap => dim(text),
            };
            let _ = writeln!(self.out, "        {line}");
        }
    }

    fn rollout(&mut self, rollout: &Rollout, service: &str) {
        self.paragraph(&dim(format!("rollout: {}", rollout.bounds())), 4, 6);
        for words in &rollout.pace {
            self.paragraph(&dim(words), 6, 8);
        }
        let digits = rollout.steps.to_string().len();
        let named = |stage: &Stage| match stage {
            Stage::Step { instances, .. } => width(&instances.counted(service)),
            Stage::Again { .. } => 0,
        };
        let room = self.columns.saturating_sub(6 + digits + 2 + 5 + 2 + 2 + 12);
        let names = rollout.stages.iter().map(named).max().unwrap_or(0).min(room);
        for stage in &rollout.stages {
            match stage {
                Stage::Step { number, verb, instances, ready } => {
                    let who = instances.counted(service);
                    // A name that is cut tells nothing: how many there are does.
                    let who = if width(&who) > names { plural(instances.count, "instance") } else { who };
                    let (verb, who, ready) = (pad(verb, 5), pad(&who, names), dim(format!("{ready} ready")));
                    let _ = writeln!(self.out, "      {number:>digits$}  {verb}  {who}  {ready}");
                }
                Stage::Again { rounds, steps, last } => {
                    let words = Rollout::again(*rounds, *steps, &last.name(service));
                    self.paragraph(&dim(words), 6 + digits + 2, 6 + digits + 4);
                }
            }
        }
    }

    /// Words that are wrapped: the first line indented by `first` columns, the others by `rest`.
    fn paragraph(&mut self, words: &str, first: usize, rest: usize) {
        self.out.push_str(&wrap(words, self.columns, first, rest));
        self.out.push('\n');
    }
}

fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

fn style(action: Action) -> Style {
    match action {
        Action::Create => AnsiColor::Green.on_default(),
        Action::Update => AnsiColor::Yellow.on_default(),
        Action::Roll => AnsiColor::Cyan.on_default(),
        Action::Replace => AnsiColor::Magenta.on_default(),
        Action::Move => AnsiColor::Cyan.on_default(),
        Action::Adopt => AnsiColor::Green.on_default(),
        Action::Forget => AnsiColor::Yellow.on_default(),
        Action::Delete => AnsiColor::Red.on_default(),
    }
}

fn hurt(level: Level, text: impl Display) -> String {
    match level {
        Level::Loss | Level::Downtime => paint(AnsiColor::Red.on_default().bold(), text),
        Level::Dip | Level::Replacement => paint(AnsiColor::Yellow.on_default().bold(), text),
        Level::Calm => text.to_string(),
    }
}

fn column(path: &str, columns: usize) -> String {
    pad(path, columns)
}

/// Both sides of a change in `room` columns each, with the place where they begin to differ in sight.
fn focus(before: Option<&str>, after: Option<&str>, room: usize) -> (Option<String>, Option<String>) {
    let (Some(before), Some(after)) = (before, after) else {
        return (before.map(|text| cut(text, room)), after.map(|text| cut(text, room)));
    };
    if width(before) <= room && width(after) <= room {
        return (Some(before.to_owned()), Some(after.to_owned()));
    }
    let same: usize =
        before.chars().zip(after.chars()).take_while(|(one, two)| one == two).map(|(one, _)| one.len_utf8()).sum();
    // A word of what stands before, so that the place is found again.
    let lead = before.get(..same).unwrap_or_default();
    let from = lead.char_indices().rev().filter(|(_, letter)| *letter == ' ').nth(1).map_or(0, |(at, _)| at + 1);
    let side = |text: &str| match text.get(from..) {
        Some(rest) if from > 0 => cut(&format!("… {rest}"), room),
        _ => cut(text, room),
    };
    (Some(side(before)), Some(side(after)))
}
