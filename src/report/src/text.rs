//! Small pieces of text: colours, columns, durations for people.

use anstyle::{AnsiColor, Style};
use std::{fmt::Display, time::Duration};
use unicode_width::UnicodeWidthStr;

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
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = rest[at..].split_once('m').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    plain.width()
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
    for letter in text.chars() {
        if kept.width() + 2 > columns {
            break;
        }
        kept.push(letter);
    }
    kept + "…"
}

/// Control characters, which could move a terminal's cursor, made visible.
pub fn tame(text: &str) -> String {
    let tame = |letter: char| match letter {
        '\t' => ' ',
        letter if letter.is_control() => '\u{fffd}',
        letter => letter,
    };
    text.chars().map(tame).collect()
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
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let told = [0, 1_500, 59_000, 61_000, 3_700_000, 90_000_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(told, ["0s", "1.5s", "59s", "1m 1s", "1h 1m", "1d 1h"]);
    }
}
