//! A checksum as the last field of an object's JSON, over all the text before it: whatever was turned over in it afterwards
//! is noticed, and it stays JSON that any program reads. Objects of the first builds have none, and are taken as they are.

/// What stands between the text and its checksum.
const JOINT: &str = ",\n  \"checksum\": \"";
/// What stands behind it; the end of an object without one, after a line break.
const END: &str = "\"\n}";
const PLAIN_END: &str = "\n}";

/// Adds its checksum to the text of an object, as it is printed with indentation.
pub(super) fn seal(text: &str) -> String {
    match text.strip_suffix(PLAIN_END) {
        Some(open) => format!("{open}{JOINT}{}{END}", crate::checksum(open.as_bytes())),
        None => text.to_owned(),
    }
}

/// The text as it was before it was sealed.
pub(super) fn unseal(text: &str) -> Result<String, String> {
    let Some((open, rest)) = text.rsplit_once(JOINT) else { return Ok(text.to_owned()) };
    match rest.strip_suffix(END) {
        Some(sum) if sum == crate::checksum(open.as_bytes()) => Ok(format!("{open}{PLAIN_END}")),
        _ => Err("it does not match its checksum".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_comes_off_again_and_breaks_when_anything_changes() {
        let text = "{\n  \"a\": 1,\n  \"b\": []\n}";
        let sealed = seal(text);
        assert!(serde_json::from_str::<serde_json::Value>(&sealed).unwrap()["checksum"].is_string());
        assert_eq!(unseal(&sealed).as_deref(), Ok(text));
        assert_eq!(unseal(text).as_deref(), Ok(text), "the first builds wrote no checksum");
        assert!(unseal(&sealed.replace('1', "2")).is_err());
    }
}
