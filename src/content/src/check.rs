//! What a source knows of an object, to hold its bytes against. Sums of pieces are put together where the kind of sum
//! allows it; those that must see all bytes in a row are taken beside the download (`follow`).

use crate::combine::{CRC32, CRC32C, CRC64_ECMA, CRC64_NVME, Field};
use crc_fast::CrcAlgorithm;
use std::fmt;

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
    /// CRC-64 of ECMA-182, as XZ and Alibaba Cloud's stores compute it.
    Crc64Ecma(u64),
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Md5(sum) => write!(f, "md5 {}", hex::encode(sum)),
            Self::Crc32(sum) => write!(f, "crc32 {sum:08x}"),
            Self::Crc32c(sum) => write!(f, "crc32c {sum:08x}"),
            Self::Crc64Nvme(sum) => write!(f, "crc64nvme {sum:016x}"),
            Self::Crc64Ecma(sum) => write!(f, "crc64ecma {sum:016x}"),
        }
    }
}

impl Checksum {
    /// The kind of sum whose parts can be put together; none of one that must see all bytes in a row.
    fn algorithm(self) -> Option<(CrcAlgorithm, Field)> {
        match self {
            Self::Md5(_) => None,
            Self::Crc32(_) => Some((CrcAlgorithm::Crc32IsoHdlc, CRC32)),
            Self::Crc32c(_) => Some((CrcAlgorithm::Crc32Iscsi, CRC32C)),
            Self::Crc64Nvme(_) => Some((CrcAlgorithm::Crc64Nvme, CRC64_NVME)),
            Self::Crc64Ecma(_) => Some((CrcAlgorithm::Crc64Xz, CRC64_ECMA)),
        }
    }

    /// Whether it can be had from all bytes in a row alone.
    pub(crate) fn is_in_a_row(self) -> bool {
        self.algorithm().is_none()
    }

    /// The sum of one piece, as far as that helps with the whole.
    pub(crate) fn of_piece(self, bytes: &[u8]) -> u64 {
        self.algorithm().map_or(0, |(algorithm, _)| crc_fast::checksum(algorithm, bytes))
    }

    /// The sum of the same kind of a file whose pieces have these sums and lengths; none where sums of pieces are of no help.
    pub(crate) fn of_pieces(self, pieces: impl Iterator<Item = (u64, u64)>) -> Option<Self> {
        let (algorithm, field) = self.algorithm()?;
        let sum = field.sum(pieces).unwrap_or_else(|| crc_fast::checksum(algorithm, b""));
        // A sum of 32 bits has no more.
        let short = sum as u32;
        Some(match self {
            Self::Md5(_) => return None,
            Self::Crc32(_) => Self::Crc32(short),
            Self::Crc32c(_) => Self::Crc32c(short),
            Self::Crc64Nvme(_) => Self::Crc64Nvme(sum),
            Self::Crc64Ecma(_) => Self::Crc64Ecma(sum),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: Checksum) {
        let bytes = b"123456789";
        for at in 0..=bytes.len() {
            let (one, two) = bytes.split_at(at);
            let pieces = [one, two].map(|piece| (expected.of_piece(piece), piece.len() as u64));
            assert_eq!(expected.of_pieces(pieces.into_iter()), Some(expected), "divided at {at}");
        }
    }

    #[test]
    fn sums_of_pieces_are_those_of_the_whole() {
        check(Checksum::Crc32(0xcbf4_3926));
        check(Checksum::Crc32c(0xe306_9283));
        check(Checksum::Crc64Nvme(0xae8b_1486_0a79_9888));
        check(Checksum::Crc64Ecma(0x995d_c9bb_df19_39fa));
    }

    #[test]
    fn sums_in_a_row_are_not_put_together() {
        let md5 = Checksum::Md5([0; 16]);
        assert!(md5.is_in_a_row() && md5.of_pieces([(0, 9)].into_iter()).is_none());
    }
}
