//! The changes of a group as lines, for views that show them as a block of code.

use crate::{
    reading::{Group, Line, Rollout, Row, Side, Stage, TextLine},
    text::{cut, pad, plural, width, wrap},
};

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Begins a change.
    Head,
    /// A risk.
    Risk,
    /// What is, and will not be.
    Before,
    /// What will be.
    After,
    /// What stays, or words.
    Plain,
}

/// One line, without the sign of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetailLine {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// Without the fields of new things, the lines of texts and the steps of rollouts.
    Brief,
    /// Everything.
    Full,
}

/// The widest that a value is shown.
const VALUE: usize = 300;
/// Sentences are wrapped to so many columns.
const WORDS: usize = 92;
/// The widest column of field names.
const PATHS: usize = 32;
/// The most lines of one text.
const LINES: usize = 200;

/// Everything that is said of a group.
pub(crate) fn detail(group: &Group, extent: Extent) -> Vec<DetailLine> {
    let name = group.name();
    let mut block = Block { lines: Vec::new(), extent };
    for row in &group.rows {
        block.row(row, name, group.rows.len() > 1 || group.names.len() > 1);
    }
    block.lines
}

struct Block {
    lines: Vec<DetailLine>,
    extent: Extent,
}

impl Block {
    fn say(&mut self, kind: Kind, text: impl Into<String>) {
        self.lines.push(DetailLine { kind, text: text.into().trim_end().to_owned() });
    }

    fn row(&mut self, row: &Row, name: &str, named: bool) {
        if named {
            self.say(Kind::Head, head(row, name));
        }
        for (level, words) in &row.risks {
            self.say(Kind::Risk, format!("{}: {words}", level.word()));
        }
        let paths = row.lines.iter().filter_map(Line::path).map(width).max().unwrap_or(0).min(PATHS);
        for line in &row.lines {
            self.line(line, paths);
        }
        if let Some(rollout) = &row.rollout {
            self.rollout(rollout, name.strip_prefix("service.").unwrap_or(name));
        }
    }

    fn line(&mut self, line: &Line, paths: usize) {
        let full = self.extent == Extent::Full;
        match line {
            Line::Because { words, place } => {
                let place = place.told().map(|place| format!(" at {place}")).unwrap_or_default();
                self.say(Kind::Plain, format!("because {words}{place}"));
            }
            Line::Value { path, value } if full => {
                self.say(Kind::After, format!("{}  {}", pad(path, paths), cut(value, VALUE)));
            }
            Line::Value { .. } => {}
            Line::Change { path, before, after, note, place } => {
                let path = pad(path, paths);
                let sides = [(Kind::Before, before), (Kind::After, after)];
                let sides: Vec<_> = sides.into_iter().filter_map(|(kind, side)| Some((kind, side.as_ref()?))).collect();
                for (at, (kind, value)) in sides.iter().enumerate() {
                    let because = if at + 1 == sides.len() { place.because(note) } else { String::new() };
                    self.say(*kind, format!("{path}  {}   {because}", cut(value, VALUE)));
                }
            }
            Line::Secret { path, name, place } => {
                let because = place.because("");
                self.say(Kind::After, format!("{}  (secret){name} has another value   {because}", pad(path, paths)));
            }
            Line::Text { path, lines, place } => {
                self.say(Kind::Plain, format!("{}  {}", pad(path, paths), place.because("")));
                if full {
                    self.text(lines);
                } else {
                    self.say(Kind::Plain, format!("  {}", plural(changed(lines), "changed line")));
                }
            }
        }
    }

    fn text(&mut self, lines: &[TextLine]) {
        for TextLine { side, text } in lines.iter().take(LINES) {
            let kind = match side {
                Side::Before => Kind::Before,
                Side::After => Kind::After,
                Side::Both | Side::Gap => Kind::Plain,
            };
            self.say(kind, format!("  {}", cut(text, VALUE)));
        }
        if lines.len() > LINES {
            self.say(Kind::Plain, format!("  … {} more", plural(lines.len() - LINES, "line")));
        }
    }

    fn rollout(&mut self, rollout: &Rollout, service: &str) {
        for line in wrap(&format!("rollout: {}", rollout.bounds()), WORDS, 0, 2).lines() {
            self.say(Kind::Plain, line);
        }
        for words in &rollout.pace {
            wrap(words, WORDS, 2, 4).lines().for_each(|line| self.say(Kind::Plain, line));
        }
        if self.extent == Extent::Brief {
            return;
        }
        let digits = rollout.steps.to_string().len();
        let named = |stage: &Stage| match stage {
            Stage::Step { instances, .. } => width(&instances.counted(service)),
            Stage::Again { .. } => 0,
        };
        let names = rollout.stages.iter().map(named).max().unwrap_or(0);
        for stage in &rollout.stages {
            match stage {
                Stage::Step { number, verb, instances, ready } => {
                    let (verb, who) = (pad(verb, 5), pad(&instances.counted(service), names));
                    self.say(Kind::Plain, format!("  {number:>digits$}  {verb}  {who}  {ready} ready"));
                }
                Stage::Again { rounds, steps, last } => {
                    let words = Rollout::again(*rounds, *steps, &last.name(service));
                    self.say(Kind::Plain, format!("  {}  {words}", " ".repeat(digits)));
                }
            }
        }
    }
}

fn changed(lines: &[TextLine]) -> usize {
    lines.iter().filter(|line| matches!(line.side, Side::Before | Side::After)).count()
}

fn head(row: &Row, name: &str) -> String {
    let from = row.from(name).map(|from| format!(" {from}")).unwrap_or_default();
    let times = if row.times() > 1 { format!("  ×{}", row.times()) } else { String::new() };
    format!("{}  {}{from}{times}", row.address(name), row.action.word())
}
