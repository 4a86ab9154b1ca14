//! Pieces: how large they are, which are missing, and how the hash of a whole file comes from those of its pieces.
//!
//! A piece is what can be lost when a download is cut off, so pieces are small beside the whole; a request asks for many in
//! a row. Their hashes are those of subtrees of the file's own hash, so no byte is hashed twice.

use blake3::{
    Hash, Hasher,
    hazmat::{ChainingValue, HasherExt as _, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root},
};
use std::ops::Range;

/// A download is cut into at least so many pieces, so that those that are torn off when it is killed are next to nothing of
/// it, however many requests were under way.
const PIECES: u64 = 65_536;
const SMALLEST: u64 = 8 * 1024;
const LARGEST: u64 = 1024 * 1024;

/// How large the pieces of a download of so many bytes are: a power of two, as the hash wants it.
pub(crate) fn piece_size(total: u64) -> u64 {
    let fitting = (total / PIECES).max(1);
    (1 << fitting.ilog2()).clamp(SMALLEST, LARGEST)
}

/// How many pieces a file has.
pub(crate) fn count(size: u64, piece: u64) -> u64 {
    size.div_ceil(piece)
}

/// The bytes of one piece.
pub(crate) fn bytes_of(index: u64, size: u64, piece: u64) -> Range<u64> {
    let start = index * piece;
    start..size.min(start + piece)
}

/// Requests for the pieces that are missing, each for at most `most` bytes and at least one piece.
pub(crate) fn spans(has: &[bool], size: u64, piece: u64, most: u64) -> Vec<Range<u64>> {
    let longest = (most / piece).max(1) * piece;
    let mut spans: Vec<Range<u64>> = Vec::new();
    for (index, _) in has.iter().enumerate().filter(|(_, has)| !**has) {
        let bytes = bytes_of(index as u64, size, piece);
        match spans.last_mut() {
            Some(last) if last.end == bytes.start && bytes.end - last.start <= longest => last.end = bytes.end,
            _ => spans.push(bytes),
        }
    }
    spans
}

/// The hash of one piece, which is that of the file where there is only one.
pub(crate) fn hash_piece(bytes: &[u8], at: u64, size: u64) -> ChainingValue {
    let mut hasher = Hasher::new();
    if bytes.len() as u64 == size {
        return *hasher.update(bytes).finalize().as_bytes();
    }
    hasher.set_input_offset(at).update(bytes).finalize_non_root()
}

/// The hash of a file from those of its pieces, all of them.
pub(crate) fn hash_of_file(pieces: &[ChainingValue], size: u64, piece: u64) -> Hash {
    match pieces {
        [] => blake3::hash(b""),
        [whole] => Hash::from_bytes(*whole),
        _ => {
            let (left, right, length) = halves(pieces, size, piece);
            merge_subtrees_root(&subtree(left, length, piece), &subtree(right, size - length, piece), Mode::Hash)
        }
    }
}

fn subtree(pieces: &[ChainingValue], size: u64, piece: u64) -> ChainingValue {
    match pieces {
        [one] => *one,
        _ => {
            let (left, right, length) = halves(pieces, size, piece);
            merge_subtrees_non_root(&subtree(left, length, piece), &subtree(right, size - length, piece), Mode::Hash)
        }
    }
}

/// The pieces left and right of where the hash divides, and how long the left part is.
fn halves(pieces: &[ChainingValue], size: u64, piece: u64) -> (&[ChainingValue], &[ChainingValue], u64) {
    let length = left_subtree_len(size);
    let at = usize::try_from(length / piece).expect("there are as many pieces in memory");
    let (left, right) = pieces.split_at(at);
    (left, right, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pieces_under_way_are_a_small_part_of_the_whole() {
        assert_eq!(piece_size(2 << 30), 32 << 10);
        assert_eq!(piece_size(1 << 40), 1 << 20);
        assert_eq!(piece_size(64 << 20), 8 << 10);
        assert_eq!(piece_size(0), 8 << 10);
        for total in [64_u64 << 20, 100 << 20, 2 << 30, 1 << 37] {
            assert!(piece_size(total) * 8 * 1_000 <= total, "{total}");
        }
    }

    #[test]
    fn missing_pieces_in_a_row_are_asked_for_at_once() {
        assert_eq!(spans(&[false; 5], 75, 16, 32), [0..32, 32..64, 64..75]);
        assert_eq!(spans(&[true, false, true, false, false], 75, 16, 1 << 20), [16..32, 48..75]);
        assert_eq!(spans(&[false, false], 32, 16, 1), [0..16, 16..32]);
        assert!(spans(&[true], 3, 16, 32).is_empty());
    }

    proptest! {
        #[test]
        fn the_hash_of_a_file_is_the_one_that_everybody_computes(size in 0_usize..9_000, seed in any::<u8>()) {
            let bytes: Vec<u8> = (0..size).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect();
            let (size, piece) = (size as u64, 1_024);
            let pieces: Vec<_> = (0..count(size, piece)).map(|index| {
                let Range { start, end } = bytes_of(index, size, piece);
                hash_piece(&bytes[start as usize..end as usize], start, size)
            }).collect();
            prop_assert_eq!(hash_of_file(&pieces, size, piece), blake3::hash(&bytes));
        }
    }
}
