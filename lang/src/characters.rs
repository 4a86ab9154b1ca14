//! Characters that KDL allows nowhere, because people do not see what they do: controls, and those that turn the reading
//! direction, so that a text reads otherwise than it is.

use crate::{
    problem::{Code, Problem},
    source::Place,
};

/// Whether KDL keeps this character out of files. Apart from these, a byte order mark may stand at the very start.
fn is_disallowed(letter: char) -> bool {
    matches!(letter,
        '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'
        | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn describe(letter: char) -> &'static str {
    match letter {
        '\u{feff}' => "a byte order mark, which may only begin a file",
        letter if letter.is_control() => "a control character, and KDL allows none",
        _ => "a hidden character that turns the reading direction, and KDL allows none",
    }
}

/// What is said of one that begins at `start`.
pub(crate) fn problem(file: usize, start: usize, letter: char) -> Problem {
    let code = u32::from(letter);
    let problem = Problem::error(Code::DisallowedCharacter, format!("U+{code:04X} is {}", describe(letter)));
    let help = format!("remove it; in a text, `\\u{{{code:X}}}` stands for it");
    problem.at(Place::new(file, start, letter.len_utf8()), "invisible here").help(help)
}

/// Whether the text may hold any, by its bytes: a quick no for nearly all files.
fn may_hold(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, 0..=0x8 | 0xe..=0x1f | 0x7f | 0xe2 | 0xef))
}

/// The text with something visible, and just as long, in the place of each; none when there is nothing to replace.
pub(crate) fn tamed(text: &str) -> Option<String> {
    let (start, rest) = text.split_at(if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 });
    let tame = |letter: char| match (is_disallowed(letter), letter.len_utf8()) {
        (false, _) => letter,
        (true, 1) => '?',
        (true, _) => '\u{fffd}',
    };
    let hidden = may_hold(rest) && rest.contains(is_disallowed);
    hidden.then(|| start.chars().chain(rest.chars().map(tame)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_do_not_see_is_made_visible() {
        let text = "\u{feff}a \"\u{202e}\" // \u{7}\u{feff}\n\tb";
        let tamed = tamed(text).unwrap();
        assert_eq!((tamed.as_str(), tamed.len()), ("\u{feff}a \"\u{fffd}\" // ?\u{fffd}\n\tb", text.len()));
        assert_eq!(super::tamed("\u{feff}a é 日本 … \r\n"), None);
    }
}
