//! What of a body is not kept. Plain functions of bytes.
//!
//! Whoever names a field wants it in no record, and a field is found from the root of its text. So a body is kept only where
//! its roots are certain: as one text of JSON, or, where its `Content-Type` says so, as events or lines that each are one. A
//! piece of a text may well be JSON by itself, too; what looks like one is left out, as is everything else.

use serde_json::Value;

/// Stands for what is left out.
pub(crate) const REDACTED: &str = "(redacted)";

/// What streams of events say besides data, and how one of them says that it is over.
const WORDS: [&str; 3] = ["event:", "id:", "retry:"];
const OVER: &str = "[DONE]";

/// What bodies of lines are called.
const LINES: [&str; 4] = ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"];

/// A JSON pointer, in which `*` stands for every entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<String>);

impl Pointer {
    /// `~1` is a slash in a name, `~0` a tilde.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~")).collect())
    }
}

/// What a body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Events, whose data are texts.
    Events,
    /// Lines, each a text.
    Lines,
    /// One text, if it can be looked through at all.
    One,
}

impl Kind {
    /// By the `Content-Type`; empty if there is none.
    pub(crate) fn of(content_type: &str) -> Self {
        let name = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match name.as_str() {
            "text/event-stream" => Self::Events,
            name if LINES.contains(&name) => Self::Lines,
            _ => Self::One,
        }
    }
}

/// A body, or the beginning of one, without what `fields` name.
pub(crate) fn body(bytes: &[u8], kind: Kind, fields: &[Pointer]) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // Cut within a character, which is in the last line.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return REDACTED.to_owned(),
    };
    if bytes.is_empty() {
        return String::new();
    }
    let kept = match kind {
        Kind::Events => Some(events(text, fields)),
        Kind::Lines => lines(text, fields),
        Kind::One => json(text, fields),
    };
    kept.unwrap_or_else(|| REDACTED.to_owned())
}

/// A text without the fields. None: it is none that has any.
fn json(text: &str, fields: &[Pointer]) -> Option<String> {
    let mut value: Value =
        serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())?;
    fields.iter().for_each(|Pointer(path)| remove(&mut value, path));
    Some(value.to_string())
}

/// None: a line is no text, so another may be a piece of one. The last may have been cut.
fn lines(text: &str, fields: &[Pointer]) -> Option<String> {
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        let (said, end) = parted(line);
        match json(said, fields) {
            _ if said.trim().is_empty() => {}
            Some(said) => kept.push_str(&said),
            None if end.is_empty() => kept.push_str(REDACTED),
            None => return None,
        }
        kept.push_str(end);
    }
    Some(kept)
}

fn events(text: &str, fields: &[Pointer]) -> String {
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    lines.split_inclusive(|line| line.trim().is_empty()).map(|event| self::event(event, fields)).collect()
}

/// The data of an event are one text, in however many lines they come. It is written in one.
fn event(lines: &[&str], fields: &[Pointer]) -> String {
    let data: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect();
    let data = data.join("\n");
    let over = data.is_empty() || data == OVER;
    let mut told = Some(if over { data } else { json(&data, fields).unwrap_or_else(|| REDACTED.to_owned()) });
    let line = |line: &&str| {
        let (said, end) = parted(line);
        match said.strip_prefix("data:") {
            Some(_) => told.take().map(|told| format!("data: {told}{end}")),
            None if said.trim().is_empty() || WORDS.iter().any(|word| said.starts_with(word)) => {
                Some((*line).to_owned())
            }
            None => Some(format!("{REDACTED}{end}")),
        }
    };
    lines.iter().filter_map(line).collect()
}

fn parted(line: &str) -> (&str, &str) {
    line.strip_suffix('\n').map_or((line, ""), |said| (said, "\n"))
}

fn remove(value: &mut Value, path: &[String]) {
    let Some((name, rest)) = path.split_first() else {
        *value = REDACTED.into();
        return;
    };
    match value {
        Value::Object(entries) if name == "*" => entries.values_mut().for_each(|entry| remove(entry, rest)),
        Value::Object(entries) => entries.get_mut(name).into_iter().for_each(|entry| remove(entry, rest)),
        Value::Array(entries) if name == "*" => entries.iter_mut().for_each(|entry| remove(entry, rest)),
        Value::Array(entries) => {
            let entry = name.parse().ok().and_then(|place: usize| entries.get_mut(place));
            entry.into_iter().for_each(|entry| remove(entry, rest));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, fields: &[&str], text: &str, expected: &str) {
        let fields: Vec<_> = fields.iter().map(|field| Pointer::of(field)).collect();
        assert_eq!(body(text.as_bytes(), kind, &fields), expected, "{text:?} without {fields:?}");
    }

    #[test]
    fn what_a_pointer_names_is_left_out() {
        let check = |fields: &[&str], text: &str, expected: &str| check(Kind::One, fields, text, expected);
        let text = r#"{"a":{"b":1,"c":[{"d":2},{"d":3}]},"e/f":"x"}"#;
        check(&["/a/b"], text, r#"{"a":{"b":"(redacted)","c":[{"d":2},{"d":3}]},"e/f":"x"}"#);
        check(
            &["/a/c/*/d", "/e~1f"],
            text,
            r#"{"a":{"b":1,"c":[{"d":"(redacted)"},{"d":"(redacted)"}]},"e/f":"(redacted)"}"#,
        );
        check(&["/a/c/1", "/*/b"], text, r#"{"a":{"b":"(redacted)","c":[{"d":2},"(redacted)"]},"e/f":"x"}"#);
        check(&["/nothing/here", "/a/c/9", "/a/b/c"], text, text);
        check(&["/a"], " {\r\n \"a\": 1\r\n}\r\n", r#"{"a":"(redacted)"}"#);
    }

    #[test]
    fn what_a_body_is_made_of_is_said_by_its_type() {
        for (named, kind) in [
            ("text/event-stream", Kind::Events),
            ("Text/Event-Stream; charset=utf-8", Kind::Events),
            ("application/x-ndjson", Kind::Lines),
            ("application/json", Kind::One),
            ("text/plain", Kind::One),
            ("text/event-stream, application/json", Kind::One),
            ("", Kind::One),
        ] {
            assert_eq!(Kind::of(named), kind, "{named}");
        }
    }

    #[test]
    fn streams_are_looked_through_event_by_event() {
        let check = |text: &str, expected: &str| check(Kind::Events, &["/text"], text, expected);
        check(
            "event: part\ndata: {\"text\":\"secret\",\"n\":1}\n\ndata: [DONE]\n\n",
            "event: part\ndata: {\"n\":1,\"text\":\"(redacted)\"}\n\ndata: [DONE]\n\n",
        );
        check("id: 1\r\ndata:{\"text\":1}\r\n\r\n", "id: 1\r\ndata: {\"text\":\"(redacted)\"}\n\r\n");
        // Cut, as it was too long to be kept.
        check(
            "data: {\"text\":\"secret\"}\n\ndata: {\"text\":\"sec",
            "data: {\"text\":\"(redacted)\"}\n\ndata: (redacted)",
        );
        // In several lines, of which one looks like a text by itself: whole, and cut.
        let parts = "data: {\"text\":\ndata: {\"text\":\"secret\"}\n";
        check(&format!("{parts}id: 2\ndata: }}\n\n"), "data: {\"text\":\"(redacted)\"}\nid: 2\n\n");
        check(parts, "data: (redacted)\n");
        check("data: 4111\n\n: secret\nsecret", "data: (redacted)\n\n(redacted)\n(redacted)");
    }

    #[test]
    fn lines_are_looked_through_where_each_is_a_text() {
        let check = |text: &str, expected: &str| check(Kind::Lines, &["/text"], text, expected);
        check("{\"text\":1}\n\n{\"n\":2}\n", "{\"text\":\"(redacted)\"}\n\n{\"n\":2}\n");
        check("{\"text\":1}\n{\"text\":\"sec", "{\"text\":\"(redacted)\"}\n(redacted)");
        check("{\"a\":[\n{\"b\":\"secret\"}\n", "(redacted)");
        check("{\"b\":1}\n\"secret\"\n", "(redacted)");
    }

    #[test]
    fn what_cannot_be_looked_through_is_left_out() {
        let check = |text: &str, expected: &str| check(Kind::One, &["/messages/*/content"], text, expected);
        check("", "");
        check("{\"text\":\"secret", "(redacted)");
        check("my secret\nis here\n", "(redacted)");
        check("id: 4711 secret\nnumber:\n4111111111111111", "(redacted)");
        check("4111111111111111", "(redacted)");
        // Cut, with a line that looks like a text of its own.
        check("{\"messages\":[\n{\"role\":\"user\",\"content\":\"secret\"}\n,{\"role\"", "(redacted)");
        check("{\"messages\":[{\"content\":\n\"secret\"\n", "(redacted)");
        let fields = [Pointer::of("/text")];
        for kind in [Kind::One, Kind::Events, Kind::Lines] {
            assert_eq!(body(b"\xff\xfesecret", kind, &fields), "(redacted)");
        }
        // Cut within a character.
        let cut = "{\"text\":1}\n{\"text\":\"\u{e9}".as_bytes();
        assert_eq!(body(&cut[..cut.len() - 1], Kind::Lines, &fields), "{\"text\":\"(redacted)\"}\n(redacted)");
    }
}
