//! How two versions of a text differ, as lines taken out and put in.

use crate::{
    reading::shown,
    text::{bad, dim, good},
};
use similar::{ChangeTag, TextDiff};
use std::fmt::Write;

/// So many unchanged lines are shown around a change.
const AROUND: usize = 2;
/// Comparing costs up to the product of both lengths, and nobody reads that much.
const LINES: usize = 4_000;

/// The lines that differ, each with a few around it.
pub fn difference(before: &str, after: &str) -> String {
    let lines = before.lines().count().max(after.lines().count());
    if lines > LINES {
        return dim(format!("  … {lines} lines, too many to compare here\n"));
    }
    let diff = TextDiff::from_lines(before, after);
    let mut page = String::new();
    for hunk in diff.unified_diff().context_radius(AROUND).iter_hunks() {
        let _ = writeln!(page, "{}", dim(hunk.header()));
        for change in hunk.iter_changes() {
            let line = shown(change.value());
            let _ = match change.tag() {
                ChangeTag::Delete => writeln!(page, "{}", bad(format!("-{line}"))),
                ChangeTag::Insert => writeln!(page, "{}", good(format!("+{line}"))),
                ChangeTag::Equal => writeln!(page, " {line}"),
            };
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: &str, expected: &str) {
        let page = difference(before, after);
        let plain: String = page
            .split('\u{1b}')
            .map(|piece| piece.trim_start_matches(|c: char| "[0123456789;".contains(c)))
            .map(|piece| piece.strip_prefix('m').unwrap_or(piece))
            .collect();
        assert_eq!(plain, expected);
    }

    #[test]
    fn changed_lines_are_shown_with_those_around_them() {
        check("a\nb\nc\nd\ne\n", "a\nb\nc\nx\ne\n", "@@ -2,4 +2,4 @@\n b\n c\n-d\n+x\n e\n");
        check("a\r\n", "a\n", "@@ -1 +1 @@\n-a␍\n+a\n");
        check("a\n", "a\n", "");
    }
}
