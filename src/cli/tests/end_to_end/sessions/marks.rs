//! What differs from run to run, replaced by marks.

use crate::support::Site;

/// Words after which a duration was measured; elsewhere it was written in a file.
const MEASURED: [&str; 11] = [
    "up ",
    "Done in ",
    "Rolled back in ",
    "Stopped after ",
    "Failed after ",
    "Halted after ",
    "Paused after ",
    "passed, for ",
    "done in ",
    "failed after ",
    "(",
];

/// The text of a command, the same in every run.
pub(super) fn mark(text: &str, site: &Site) -> String {
    let text = text.replace(site.root().to_str().unwrap(), "/tmp/wharfXXXXXX");
    let text = word(&text, &site.port.to_string(), "@PORT");
    let text = word(&text, &(site.port + 1).to_string(), "@NEXT");
    let text = after(&text, "127.0.0.1:", &|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits == 5).then_some((digits, "NNNNN"))
    });
    let text = after(&text, "plan ", &|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        (digits == 16).then_some((digits, "PLAN-ID"))
    });
    let text = after(&text, "process ", &|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0).then_some((digits, "PID"))
    });
    let text = after(&text, "PORT=", &|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits == 5).then_some((digits, "NNNNN"))
    });
    let text = after(&text, "tester@", &|rest| Some((rest.find([' ', '"', '\n'])?, "HOST")));
    let text = moments(&text);
    // The program of these tests, which the kernel names in 15 letters.
    let text = after(&text, "end_to_end", &|rest| Some((rest.find(' ')?, "")));
    let text = after(&text, "\"instance\": \"", &|rest| Some((rest.find('"')?, "INSTANCE")));
    let text = without_figures(&text);
    MEASURED.iter().fold(text, |text, word| after(&text, word, &|rest| Some((duration(rest)?, "TIME"))))
}

/// Takes away what gateways have counted: which instance was chosen is chance.
fn without_figures(text: &str) -> String {
    let line = |line: &str| match line.split_once("  answered ") {
        Some((before, counted)) if counted.starts_with(|letter: char| letter.is_ascii_digit()) => before.to_owned(),
        _ => line.to_owned(),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Replaces moments such as `2026-11-22T18:25:46Z`.
fn moments(text: &str) -> String {
    let shape = "dddd-dd-ddTdd:dd:ddZ";
    let fits = |text: &str| {
        let pairs = text.bytes().zip(shape.bytes());
        text.len() >= shape.len()
            && pairs.into_iter().all(|(found, wanted)| found == wanted || wanted == b'd' && found.is_ascii_digit())
    };
    let (mut marked, mut rest) = (String::new(), text);
    while let Some(letter) = rest.chars().next() {
        let moment = fits(rest);
        let (mark, length) = if moment {
            ("YYYY-MM-DDThh:mm:ssZ", shape.len())
        } else {
            (&rest[..letter.len_utf8()], letter.len_utf8())
        };
        marked += mark;
        rest = &rest[length..];
    }
    marked
}

/// Replaces a word that stands alone.
fn word(text: &str, word: &str, mark: &str) -> String {
    let alone = |letter: Option<char>| !letter.is_some_and(char::is_alphanumeric);
    let (mut marked, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(word) {
        let (before, behind) = (&rest[..at], &rest[at + word.len()..]);
        let found = alone(before.chars().next_back()) && alone(behind.chars().next());
        marked = marked + before + if found { mark } else { word };
        rest = behind;
    }
    marked + rest
}

/// Replaces what follows `key`, as long as `found` says, wherever it says so.
fn after(text: &str, key: &str, found: &dyn Fn(&str) -> Option<(usize, &'static str)>) -> String {
    let (mut marked, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(key) {
        let (before, behind) = rest.split_at(at + key.len());
        let (length, mark) = found(behind).unwrap_or((0, ""));
        marked = marked + before + mark;
        rest = &behind[length..];
    }
    marked + rest
}

/// The length of the duration that a text begins with: `2.5s`, `12s` or `1m 2s`.
fn duration(text: &str) -> Option<usize> {
    let number = |text: &str| text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let minutes = number(text);
    let seconds = match text[minutes..].strip_prefix("m ") {
        Some(rest) => minutes + 2 + number(rest),
        None => minutes,
    };
    (minutes > 0 && text[seconds..].starts_with('s')).then_some(seconds + 1)
}

#[test]
fn durations_are_measured_whole() {
    assert_eq!(duration("2.5s; on"), Some(4));
    assert_eq!(duration("1m 2s."), Some(5));
    assert_eq!(duration("2 running"), None);
}
