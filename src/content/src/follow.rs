//! A sum that must see all bytes of a file in a row, while they arrive in any order: it follows behind what is here from the
//! beginning on, beside the download, so that little is left of it to do when the last piece comes.

use crate::check::Checksum;
use md5::{Digest as _, Md5};
use std::{fs::File, io, os::unix::fs::FileExt as _};

/// So much is read at once.
const STRIDE: u64 = 1 << 18;

/// A sum over the first bytes of a file.
#[derive(Debug, Default)]
pub(crate) struct Following {
    hasher: Md5,
    at: u64,
}

impl Following {
    /// How many bytes it has seen.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The next bytes, which are in memory.
    pub(crate) fn see(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
    }

    /// Everything of the file up to `end`, which must be there. Blocks.
    pub(crate) fn read_up_to(&mut self, file: &File, end: u64) -> io::Result<()> {
        let mut buffer = vec![0; usize::try_from(STRIDE.min(end.saturating_sub(self.at))).unwrap_or(0)];
        while self.at < end {
            let length = usize::try_from(end - self.at).map_or(buffer.len(), |left| left.min(buffer.len()));
            file.read_exact_at(&mut buffer[..length], self.at)?;
            self.see(&buffer[..length]);
        }
        Ok(())
    }

    /// The sum of what it has seen.
    pub(crate) fn sum(&self) -> Checksum {
        Checksum::Md5(self.hasher.clone().finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_and_what_was_read_count_the_same() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"123456789").unwrap();
        let mut following = Following::default();
        following.see(b"123");
        following.read_up_to(file.as_file(), 7).unwrap();
        following.read_up_to(file.as_file(), 5).unwrap();
        assert_eq!(following.at(), 7);
        following.read_up_to(file.as_file(), 9).unwrap();
        assert_eq!(following.sum().to_string(), "md5 25f9e794323b453885f5181f1b624d0b");
        assert!(following.read_up_to(file.as_file(), 10).is_err(), "there is no more");
    }
}
