//! How two versions of a text differ, line by line.

use crate::text::tame;
use similar::{ChangeTag, TextDiff};

/// So many unchanged lines are shown around a change.
const AROUND: usize = 2;
/// Comparing costs up to the product of both lengths, and nobody reads that much.
const LINES: usize = 4_000;

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
    Both,
    /// Nowhere: it stands for lines that are not shown.
    Gap,
}

/// One line of a text, or the gap between two places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextLine {
    pub(crate) side: Side,
    pub(crate) text: String,
}

/// The lines that differ, each with a few around it.
pub(super) fn lines(before: &str, after: &str) -> Vec<TextLine> {
    let count = before.lines().count().max(after.lines().count());
    if count > LINES {
        return vec![TextLine { side: Side::Gap, text: format!("{count} lines, too many to compare here") }];
    }
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for hunk in diff.grouped_ops(AROUND) {
        if !lines.is_empty() {
            lines.push(TextLine { side: Side::Gap, text: "…".to_owned() });
        }
        for change in hunk.iter().flat_map(|op| diff.iter_changes(op)) {
            let side = match change.tag() {
                ChangeTag::Delete => Side::Before,
                ChangeTag::Insert => Side::After,
                ChangeTag::Equal => Side::Both,
            };
            lines.push(TextLine { side, text: shown(change.value()) });
        }
    }
    lines
}

/// A line without its end. A carriage return, which may be all that differs, is made visible.
pub(crate) fn shown(line: &str) -> String {
    let line = line.strip_suffix('\n').unwrap_or(line);
    match line.strip_suffix('\r') {
        Some(line) => tame(line) + "␍",
        None => tame(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: &str, expected: &[&str]) {
        let sign = |line: &TextLine| match line.side {
            Side::Before => format!("-{}", line.text),
            Side::After => format!("+{}", line.text),
            Side::Both => format!(" {}", line.text),
            Side::Gap => line.text.clone(),
        };
        assert_eq!(lines(before, after).iter().map(sign).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_differs_is_told_with_the_lines_around_it() {
        check("a\nb\nc\nd\ne\n", "a\nb\nc\nx\ne\n", &[" b", " c", "-d", "+x", " e"]);
        check(
            "1\n2\n3\n4\n5\n6\n7\n8\n",
            "0\n2\n3\n4\n5\n6\n7\n9\n",
            &["-1", "+0", " 2", " 3", "…", " 6", " 7", "-8", "+9"],
        );
        check("a\r\n", "a\n", &["-a␍", "+a"]);
    }

    #[test]
    fn a_text_that_nobody_reads_is_not_compared() {
        let long = "x\n".repeat(LINES + 1);
        assert_eq!(lines(&long, "x\n").len(), 1);
    }
}
