//! Small pieces of text: colours, columns, durations for people.

use anstyle::{AnsiColor, Style};
use std::{fmt::Display, time::Duration};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Stands out.
pub fn bold(text: impl Display) -> String {
    styled(Style::new().bold(), text)
}

/// Stands back.
pub fn dim(text: impl Display) -> String {
    styled(Style::new().dimmed(), text)
}

/// Is well.
pub fn good(text: impl Display) -> String {
    styled(AnsiColor::Green.on_default(), text)
}

/// Wants attention.
pub fn warn(text: impl Display) -> String {
    styled(AnsiColor::Yellow.on_default(), text)
}

/// Is not well.
pub fn bad(text: impl Display) -> String {
    styled(AnsiColor::Red.on_default(), text)
}

/// How many columns a text takes, its colours not counted.
pub(crate) fn width(text: &str) -> usize {
    plain(text).width()
}

/// A text without its colours.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = rest[at..].split_once('m').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    plain
}

/// Fills up with spaces to `columns`.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Cuts a plain text to `columns`, with a mark where it was cut.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for letter in text.chars() {
        used += letter.width().unwrap_or(0);
        if used + 1 > columns {
            break;
        }
        kept.push(letter);
    }
    kept + "…"
}

/// Keeps two words in one line when they are wrapped; printed as a space.
pub(crate) const KEEP: char = '\u{1}';

/// Wraps words to `columns`, the first line indented by `first` and the others by `rest`. Spaces between words that stay
/// in one line are kept; a word that is wider than a line has one of its own.
pub(crate) fn wrap(words: &str, columns: usize, first: usize, rest: usize) -> String {
    let mut page = " ".repeat(first);
    let (mut used, mut spaces, mut empty) = (first, 0, true);
    for word in words.split(' ') {
        if word.is_empty() {
            spaces += 1;
            continue;
        }
        let word = word.replace(KEEP, " ");
        let wide = width(&word);
        if !empty && used + spaces + wide > columns {
            page.push('\n');
            page.push_str(&" ".repeat(rest));
            (used, spaces) = (rest, 0);
        }
        page.push_str(&" ".repeat(if empty { 0 } else { spaces }));
        page.push_str(&word);
        used += wide + if empty { 0 } else { spaces };
        (spaces, empty) = (1, false);
    }
    page
}

/// Makes visible what could deceive a reader: control characters, which could move a terminal's cursor, and characters
/// that nobody sees, such as those that turn the reading direction.
pub fn tame(text: &str) -> String {
    let tame = |letter: char| match letter {
        '\t' => ' ',
        letter if letter.is_control() || is_unseen(letter) => '\u{fffd}',
        letter => letter,
    };
    text.chars().map(tame).collect()
}

fn is_unseen(letter: char) -> bool {
    matches!(letter,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A duration for people: two units at most.
pub fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 if span.is_zero() => "0s".to_owned(),
        0..=9 => format!("{:.1}s", span.as_secs_f64()),
        10..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..=86_399 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// How many of those that something happens to are named.
const NAMES: usize = 4;

/// A few by name, and how many more there are.
pub(crate) fn names(all: &[String]) -> String {
    let named = all.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMES) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// A duration that somebody asked for, exactly: `4s`, `1m`, `1m 30s`, `2.5s`.
pub(crate) fn span(span: Duration) -> String {
    let (seconds, rest) = (span.as_secs(), span.subsec_millis());
    let parts = [(seconds / 3_600, "h"), (seconds % 3_600 / 60, "m"), (seconds % 60, "s")];
    let mut told: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    match (rest, told.pop()) {
        (0, last) => told.extend(last),
        (_, Some(last)) if seconds % 60 > 0 => {
            told.push(format!("{}.{rest:03}", last.trim_end_matches('s')).trim_end_matches('0').to_owned() + "s")
        }
        (rest, last) => {
            told.extend(last);
            told.push(format!("{rest}ms"));
        }
    }
    if told.is_empty() { "0s".to_owned() } else { told.join(" ") }
}

/// `1 instance`, `2 instances`.
pub(crate) fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_columns() {
        assert_eq!(width(&bold("ab")), 2);
        assert_eq!(width(&pad(&bad("日本"), 6)), 6);
    }

    #[test]
    fn cuts_by_columns_and_leaves_whole_letters() {
        assert_eq!(cut("日本語の名前", 7), "日本語…");
        assert_eq!(cut("short", 7), "short");
    }

    #[test]
    fn a_terminal_cannot_be_steered() {
        assert_eq!(tame("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(tame("a\u{202e}b"), "a\u{fffd}b");
    }

    #[test]
    fn words_wrap_and_colours_take_no_room() {
        assert_eq!(wrap("one two three", 9, 0, 2), "one two\n  three");
        assert_eq!(wrap(&format!("{} two", bad("one")), 7, 0, 2), format!("{} two", bad("one")));
        assert_eq!(wrap("日本 日本", 6, 2, 1), "  日本\n 日本");
        assert_eq!(wrap("a  b", 9, 0, 0), "a  b");
        assert_eq!(wrap(&format!("one two{KEEP}three"), 9, 0, 0), "one\ntwo three");
        assert_eq!(wrap("overlong", 3, 0, 0), "overlong");
    }

    #[test]
    fn spans_are_exact() {
        let told = [0, 4_000, 60_000, 90_000, 2_500, 250, 3_600_000, 60_250].map(|ms| span(Duration::from_millis(ms)));
        assert_eq!(told, ["0s", "4s", "1m", "1m 30s", "2.5s", "250ms", "1h", "1m 250ms"]);
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let told = [0, 1_500, 59_000, 61_000, 3_700_000, 90_000_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(told, ["0s", "1.5s", "59s", "1m 1s", "1h 1m", "1d 1h"]);
    }
}
