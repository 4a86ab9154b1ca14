//! The sum of a row of bytes from the sums of its pieces. A sum of this family is a polynomial over two elements, modulo one
//! that the kind names; that of `left` followed by `n` bytes is the one of `left`, times x to the power of 8n. The power is
//! worked out once for each length, as pieces in a row are of one length.

/// A kind of sum: how many bits it has, and its polynomial without the highest power. The lowest powers are the highest bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    bits: u32,
    polynomial: u64,
}

/// CRC-32 of ISO.
pub(crate) const CRC32: Field = Field { bits: 32, polynomial: 0xedb8_8320 };
/// CRC-32 of Castagnoli.
pub(crate) const CRC32C: Field = Field { bits: 32, polynomial: 0x82f6_3b78 };
/// CRC-64 of NVMe.
pub(crate) const CRC64_NVME: Field = Field { bits: 64, polynomial: 0x9a6c_9329_ac4b_c9b5 };
/// CRC-64 of ECMA-182.
pub(crate) const CRC64_ECMA: Field = Field { bits: 64, polynomial: 0xc96c_5795_d787_0f42 };

impl Field {
    /// The polynomial x to a power that is below the number of bits.
    fn x(self, power: u32) -> u64 {
        1 << (self.bits - 1 - power)
    }

    /// The product of two.
    fn times(self, mut one: u64, other: u64) -> u64 {
        let mut product = 0;
        for power in 0..self.bits {
            if other & self.x(power) != 0 {
                product ^= one;
            }
            // Once more by x: what overflows comes back as the rest of the polynomial.
            one = if one & 1 == 0 { one >> 1 } else { one >> 1 ^ self.polynomial };
        }
        product
    }

    /// By what a sum is multiplied when so many bytes follow.
    fn behind(self, mut bytes: u64) -> u64 {
        let (mut power, mut factor) = (self.x(0), self.x(8));
        while bytes > 0 {
            if bytes & 1 == 1 {
                power = self.times(power, factor);
            }
            factor = self.times(factor, factor);
            bytes >>= 1;
        }
        power
    }

    /// The sum of pieces in a row, each with its own sum and its length; none of no pieces.
    pub(crate) fn sum(self, mut pieces: impl Iterator<Item = (u64, u64)>) -> Option<u64> {
        let (mut sum, mut usual) = pieces.next()?;
        let mut factor = self.behind(usual);
        for (next, length) in pieces {
            if length != usual {
                (usual, factor) = (length, self.behind(length));
            }
            sum = self.times(sum, factor) ^ next;
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crc_fast::{CrcAlgorithm, checksum, checksum_combine};
    use proptest::prelude::*;

    const KINDS: [(Field, CrcAlgorithm); 4] = [
        (CRC32, CrcAlgorithm::Crc32IsoHdlc),
        (CRC32C, CrcAlgorithm::Crc32Iscsi),
        (CRC64_NVME, CrcAlgorithm::Crc64Nvme),
        (CRC64_ECMA, CrcAlgorithm::Crc64Xz),
    ];

    #[test]
    fn lengths_beyond_memory_count_as_they_do_elsewhere() {
        for (field, kind) in KINDS {
            for length in [0, 1, 1 << 20, (1 << 40) + 3] {
                let (one, other) = (checksum(kind, b"one"), checksum(kind, b"other"));
                let theirs = checksum_combine(kind, one, other, length);
                assert_eq!(field.sum([(one, 3), (other, length)].into_iter()), Some(theirs), "{kind:?}, {length}");
            }
        }
    }

    proptest! {
        #[test]
        fn sums_of_pieces_are_those_of_the_row(bytes in proptest::collection::vec(any::<u8>(), 1..600), piece in 1_usize..80) {
            for (field, kind) in KINDS {
                let pieces = bytes.chunks(piece).map(|piece| (checksum(kind, piece), piece.len() as u64));
                prop_assert_eq!(field.sum(pieces), Some(checksum(kind, &bytes)));
            }
        }
    }
}
