//! What the characters of KDL 2.0 are. All questions are asked of bytes, at the start of a character.

/// How long the newline is that begins with these bytes; zero if none does.
pub(super) fn newline(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\n' | b'\r' | 0x0b | 0x0c, ..] => 1,
        [0xc2, 0x85, ..] => 2,
        [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
        _ => 0,
    }
}

/// How long the space is that begins with these bytes; zero if none does.
pub(super) fn space(bytes: &[u8]) -> usize {
    match bytes {
        [b' ' | b'\t', ..] => 1,
        [0xc2, 0xa0, ..] => 2,
        [0xe1, 0x9a, 0x80, ..] | [0xe3, 0x80, 0x80, ..] => 3,
        [0xe2, 0x80, 0x80..=0x8a | 0xaf, ..] | [0xe2, 0x81, 0x9f, ..] => 3,
        _ => 0,
    }
}

/// How long the space or newline is that begins with these bytes.
pub(super) fn blank(bytes: &[u8]) -> usize {
    match space(bytes) {
        0 => newline(bytes),
        len => len,
    }
}

/// How long the character is that begins with this byte.
pub(super) fn len(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

/// Whether this is a character that may not stand in a file: what is not shown, or turns the direction of what is.
/// A byte order mark counts as one.
pub(super) fn is_disallowed(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0..=0x08 | 0x0e..=0x1f | 0x7f, ..]
            | [0xe2, 0x80, 0x8e | 0x8f | 0xaa..=0xae, ..]
            | [0xe2, 0x81, 0xa6..=0xa9, ..]
            | [0xef, 0xbb, 0xbf, ..]
    )
}

/// Whether a character that begins with this byte may be disallowed.
pub(super) const SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, 0..=0x08 | 0x0e..=0x1f | 0x7f | 0xe2 | 0xef);
        byte += 1;
    }
    table
};

/// What ends a word, among the ASCII characters.
const ENDS_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let ends = b"\\/(){};[]\"#= \t\n\r\x0b\x0c";
    let mut index = 0;
    while index < ends.len() {
        table[ends[index] as usize] = true;
        index += 1;
    }
    table
};

/// How long the word is that begins with these bytes. Disallowed characters are reported once for the whole file, so here
/// they are like any other.
pub(super) fn word(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if ENDS_WORD[usize::from(byte)] || (byte >= 0x80 && blank(&bytes[at..]) > 0) {
            break;
        }
        at += len(byte);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newlines_and_spaces_are_those_of_the_specification() {
        for text in ["\r\n", "\r", "\n", "\u{85}", "\u{b}", "\u{c}", "\u{2028}", "\u{2029}"] {
            assert_eq!((newline(text.as_bytes()), space(text.as_bytes())), (text.len(), 0), "{text:?}");
        }
        let spaces = "\t \u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\
                      \u{200a}\u{202f}\u{205f}\u{3000}";
        for letter in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let text = letter.to_string();
            let expected = if spaces.contains(letter) { text.len() } else { 0 };
            assert_eq!(space(text.as_bytes()), expected, "{letter:?}");
            assert_eq!(len(text.as_bytes()[0]), text.len(), "{letter:?}");
            assert!(!is_disallowed(text.as_bytes()) || SUSPECT[usize::from(text.as_bytes()[0])], "{letter:?}");
        }
    }
}
