//! Characters that KDL allows nowhere, because people do not see what they do: controls, and those that turn the reading
//! direction, so that a text reads otherwise than it is.

use super::character::{SUSPECT, is_disallowed};
use crate::{
    problem::{Code, Problem},
    source::Place,
};

/// What is said of one that stands in a file.
pub(super) fn problem(place: Place, letter: char) -> Problem {
    let what = match letter {
        '\u{feff}' => "a byte order mark, which may only begin a file",
        letter if letter.is_control() => "a control character, and KDL allows none",
        _ => "a hidden character that turns the reading direction, and KDL allows none",
    };
    let code = u32::from(letter);
    let problem = Problem::error(Code::DisallowedCharacter, format!("U+{code:04X} is {what}"));
    problem.at(place, "invisible here").help(format!("remove it; in a text in quotes, `\\u{{{code:X}}}` stands for it"))
}

/// The text with something visible, and just as long, in the place of each; none when there is nothing to replace.
pub(crate) fn tamed(text: &str) -> Option<String> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let hidden = |at: usize| at >= start && is_disallowed(&text.as_bytes()[at..]);
    let suspects = text.bytes().enumerate().filter(|(_, byte)| SUSPECT[usize::from(*byte)]);
    suspects.map(|(at, _)| at).find(|at| hidden(*at))?;
    let tame = |(at, letter): (usize, char)| match (hidden(at), letter.len_utf8()) {
        (false, _) => letter,
        (true, 1) => '?',
        (true, _) => '\u{fffd}',
    };
    Some(text.char_indices().map(tame).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_do_not_see_is_made_visible() {
        let text = "\u{feff}a \"\u{202e}\" // \u{7}\u{feff}\n\tb";
        let tamed = tamed(text).unwrap();
        assert_eq!((tamed.as_str(), tamed.len()), ("\u{feff}a \"\u{fffd}\" // ?\u{fffd}\n\tb", text.len()));
        assert_eq!(super::tamed("a é 日本 … \r\n"), None);
    }
}
