//! Fingerprints of things: contents, specs, and secrets by a key.

use std::{fmt, str::FromStr};

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The first eight digits, for people.
            pub fn short(&self) -> String {
                self.to_string()[..8].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                read_hex(text).map(Self).ok_or_else(|| format!("`{text}` is not a digest of 32 hex digits"))
            }
        }
    };
}

digest!(
    /// Stands for the content of a folder, or for an interpreter with a list of libraries.
    ContentDigest
);
digest!(
    /// Stands for a secret's value. Keyed, so that a short value cannot be guessed from it.
    SecretDigest
);
digest!(
    /// Stands for a resolved spec.
    Fingerprint
);

fn read_hex(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; 16];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn half(hash: blake3::Hash) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    bytes
}

impl ContentDigest {
    /// The digest of a stream of parts. Each part is told apart from its neighbours.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(half(hash_parts(blake3::Hasher::new(), parts)))
    }

    /// The digest that a commit of a repository is by its own name: how that begins. None of a text that is no whole name.
    pub fn of_commit(name: &str) -> Option<Self> {
        let whole = matches!(name.len(), 40 | 64);
        name.get(..32).filter(|_| whole).and_then(read_hex).map(Self)
    }
}

impl Fingerprint {
    /// The digest of a stream of parts. Each part is told apart from its neighbours.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(half(hash_parts(blake3::Hasher::new(), parts)))
    }
}

fn hash_parts<'a>(mut hasher: blake3::Hasher, parts: impl IntoIterator<Item = &'a [u8]>) -> blake3::Hash {
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    hasher.finalize()
}

/// The key under which a project's secrets are digested. It is made once with the record and is itself a secret:
/// it prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// Takes 32 random bytes as a key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The keyed digest of a secret's value. The name is part of it, so equal values of two secrets differ.
    pub fn digest(&self, name: &str, value: &[u8]) -> SecretDigest {
        SecretDigest(half(hash_parts(blake3::Hasher::new_keyed(&self.0), [name.as_bytes(), value])))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(ContentDigest::of([b"ab".as_slice(), b"c"]), ContentDigest::of([b"a".as_slice(), b"bc"]));
    }

    #[test]
    fn text_form_round_trips() {
        let digest = ContentDigest::of([b"x".as_slice()]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("zz".parse::<ContentDigest>().is_err());
    }

    #[test]
    fn a_commit_is_its_own_digest() {
        let name = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(ContentDigest::of_commit(name).unwrap().to_string(), name[..32]);
        assert_eq!(ContentDigest::of_commit(&name[..32]), None);
        assert_eq!(ContentDigest::of_commit(&name.to_uppercase()), None);
    }

    #[test]
    fn secret_digests_depend_on_the_key_and_hide_it() {
        let (one, two) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        assert_ne!(one.digest("t", b"v"), two.digest("t", b"v"));
        assert_ne!(one.digest("t", b"v"), one.digest("u", b"v"));
        assert_eq!(format!("{one:?}"), "SecretKey(..)");
    }
}
