//! What a source knows of an object, to hold its bytes against. Sums of pieces are put together where the kind of sum
//! allows it; where it does not, the file is read once more, from its beginning.

use crc_fast::{CrcAlgorithm, checksum_combine};
use md5::{Digest as _, Md5};
use std::{
    fmt, fs,
    io::{self, Read as _},
    path::Path,
};

/// The sum of a whole object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// MD5, which many stores give as the tag of an object.
    Md5([u8; 16]),
    /// CRC-32 of ISO.
    Crc32(u32),
    /// CRC-32 of Castagnoli.
    Crc32c(u32),
    /// CRC-64 of NVMe.
    Crc64Nvme(u64),
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Md5(sum) => write!(f, "md5 {}", hex::encode(sum)),
            Self::Crc32(sum) => write!(f, "crc32 {sum:08x}"),
            Self::Crc32c(sum) => write!(f, "crc32c {sum:08x}"),
            Self::Crc64Nvme(sum) => write!(f, "crc64nvme {sum:016x}"),
        }
    }
}

impl Checksum {
    /// The kind of sum whose parts can be put together; none of one that must see all bytes in a row.
    fn algorithm(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Md5(_) => None,
            Self::Crc32(_) => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c(_) => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme(_) => Some(CrcAlgorithm::Crc64Nvme),
        }
    }

    /// The sum of one piece, as far as that helps with the whole.
    pub(crate) fn of_piece(self, bytes: &[u8]) -> u64 {
        self.algorithm().map_or(0, |algorithm| crc_fast::checksum(algorithm, bytes))
    }

    /// The sum of the same kind of a file whose pieces have these sums and lengths.
    pub(crate) fn of_file(self, pieces: impl Iterator<Item = (u64, u64)>, file: &Path) -> io::Result<Self> {
        let Some(algorithm) = self.algorithm() else { return md5_of(file).map(Self::Md5) };
        let whole =
            pieces.reduce(|(sum, length), (next, more)| (checksum_combine(algorithm, sum, next, more), length + more));
        let sum = whole.map_or_else(|| crc_fast::checksum(algorithm, b""), |(sum, _)| sum);
        // A sum of 32 bits has no more.
        let short = sum as u32;
        Ok(match self {
            Self::Md5(_) | Self::Crc32(_) => Self::Crc32(short),
            Self::Crc32c(_) => Self::Crc32c(short),
            Self::Crc64Nvme(_) => Self::Crc64Nvme(sum),
        })
    }
}

fn md5_of(file: &Path) -> io::Result<[u8; 16]> {
    let (mut file, mut hasher, mut buffer) = (fs::File::open(file)?, Md5::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: Checksum) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes = b"123456789";
        fs::write(file.path(), bytes).unwrap();
        for at in 0..=bytes.len() {
            let (one, two) = bytes.split_at(at);
            let pieces = [one, two].map(|piece| (expected.of_piece(piece), piece.len() as u64));
            assert_eq!(expected.of_file(pieces.into_iter(), file.path()).unwrap(), expected, "divided at {at}");
        }
    }

    #[test]
    fn sums_of_pieces_are_those_of_the_whole() {
        check(Checksum::Crc32(0xcbf4_3926));
        check(Checksum::Crc32c(0xe306_9283));
        check(Checksum::Crc64Nvme(0xae8b_1486_0a79_9888));
        let md5 = hex::decode("25f9e794323b453885f5181f1b624d0b").unwrap();
        check(Checksum::Md5(md5.try_into().unwrap()));
    }
}
