//! What one write becomes: a readable line that says what it is, and the encrypted bytes, which are bound to that line.
//!
//! An object is one frame; a log is one frame after another, each bound to its place in the log as it reads in plain.

use crate::EncryptError;
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};

const FORMAT: &str = "wharf.encrypted/1";
const NONCE: usize = 24;
/// No line is longer: a key with two numbers.
const LINE: usize = 1024;

/// Encrypts what is written to `key` behind its first `at` bytes.
pub(crate) fn lay(cipher: &XChaCha20Poly1305, key: &str, at: u64, bytes: &[u8]) -> Result<Vec<u8>, EncryptError> {
    const TAG: usize = 16;
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|error| EncryptError::Failed(error.to_string()))?;
    let line = format!("{FORMAT} {key} {at} {}\n", NONCE + bytes.len() + TAG);
    let sealed = cipher
        .encrypt(XNonce::from_slice(&nonce), Payload { msg: bytes, aad: line.as_bytes() })
        .map_err(|_| EncryptError::Failed("it is too long".to_owned()))?;
    Ok([line.as_bytes(), &nonce, &sealed].concat())
}

/// Makes out all that was written to `key`. A last frame that is cut off was never written whole, and does not count.
pub(crate) fn read(cipher: &XChaCha20Poly1305, key: &str, bytes: &[u8]) -> Result<Vec<u8>, EncryptError> {
    let (mut plain, mut rest) = (Vec::new(), bytes);
    while let Some((frame, behind)) = split(rest)? {
        let at = plain.len() as u64;
        if (frame.key, frame.at) != (key, at) {
            let of_log = || format!("byte {} of {}", frame.at, frame.key);
            return Err(EncryptError::Misplaced {
                written: if frame.at == 0 { frame.key.to_owned() } else { of_log() },
            });
        }
        let altered = EncryptError::Altered { why: "it does not match the record's key and its name" };
        let Some((nonce, sealed)) = frame.sealed.split_at_checked(NONCE) else { return Err(altered) };
        let made_out = cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: frame.text.as_bytes() });
        plain.extend_from_slice(&made_out.map_err(|_| altered)?);
        rest = behind;
    }
    Ok(plain)
}

/// Whether bytes look like the beginning of a frame of any build.
pub(crate) fn is_one(bytes: &[u8]) -> bool {
    let name = FORMAT.split_once('/').map_or(FORMAT, |(name, _)| name);
    bytes.starts_with(name.as_bytes()) || name.as_bytes().starts_with(bytes)
}

struct Frame<'a> {
    /// Its line, to which it is bound.
    text: &'a str,
    key: &'a str,
    at: u64,
    sealed: &'a [u8],
}

/// The first frame and what comes behind it; none when it is cut off.
fn split(bytes: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>, EncryptError> {
    let Some(end) = bytes.iter().take(LINE).position(|byte| *byte == b'\n') else {
        let cut = bytes.len() < LINE && is_one(bytes);
        return if cut { Ok(None) } else { Err(EncryptError::Altered { why: "it is nothing that was encrypted" }) };
    };
    let (line, rest) = bytes.split_at(end + 1);
    let altered = || EncryptError::Altered { why: "its first line is not sound" };
    let text = std::str::from_utf8(line).map_err(|_| altered())?;
    let words: Vec<_> = text.trim_end().split(' ').collect();
    let [format, key, at, length] = words[..] else { return Err(altered()) };
    if format != FORMAT {
        return Err(if is_one(line) { EncryptError::TooNew } else { altered() });
    }
    let (at, length) = (at.parse().map_err(|_| altered())?, length.parse().map_err(|_| altered())?);
    Ok(rest.split_at_checked(length).map(|(sealed, behind)| (Frame { text, key, at, sealed }, behind)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20poly1305::KeyInit;

    fn cipher(seed: u8) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&[seed; 32].into())
    }

    #[test]
    fn what_was_laid_is_read_and_nothing_of_it_shows() {
        let one = lay(&cipher(1), "journal/1", 0, b"one\n").unwrap();
        let two = lay(&cipher(1), "journal/1", 4, b"two\n").unwrap();
        let whole = [one.clone(), two].concat();
        assert_eq!(read(&cipher(1), "journal/1", &whole).unwrap(), b"one\ntwo\n");
        assert!(!whole.windows(3).any(|three| three == b"one" || three == b"two"));
        for cut in 0..whole.len() {
            let plain = read(&cipher(1), "journal/1", &whole[..cut]).unwrap();
            assert_eq!(plain, if cut < one.len() { b"".as_slice() } else { b"one\n" }, "cut at {cut}");
        }
    }

    #[test]
    fn nothing_can_be_put_in_the_place_of_another() {
        let laid = |key: &str, at| lay(&cipher(1), key, at, b"text").unwrap();
        let misplaced = |bytes: Vec<u8>| {
            let found = read(&cipher(1), "commits/2", &bytes).unwrap_err();
            assert!(matches!(found, EncryptError::Misplaced { .. }), "{found}");
        };
        misplaced(laid("commits/1", 0));
        misplaced(laid("commits/2", 4));
        misplaced([laid("commits/2", 0), laid("commits/2", 0)].concat());
        // Whoever also writes another name into the line breaks what is bound to it.
        let mut renamed = laid("commits/1", 0);
        renamed[26] = b'2';
        assert!(renamed.starts_with(b"wharf.encrypted/1 commits/2 "));
        assert!(matches!(read(&cipher(1), "commits/2", &renamed), Err(EncryptError::Altered { .. })));
    }

    #[test]
    fn no_bit_can_be_turned_over_unnoticed() {
        let laid = lay(&cipher(1), "commits/2", 0, b"text").unwrap();
        for byte in 0..laid.len() {
            let mut turned = laid.clone();
            turned[byte] ^= 1;
            // One whose length grew looks cut off, and is then as if it had never been.
            let plain = read(&cipher(1), "commits/2", &turned).unwrap_or_default();
            assert!(plain.is_empty(), "byte {byte}: {plain:?}");
        }
        assert!(matches!(read(&cipher(2), "commits/2", &laid), Err(EncryptError::Altered { .. })));
    }
}
