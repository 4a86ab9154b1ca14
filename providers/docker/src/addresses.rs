//! Which addresses networks get, and what is in them: a function of what is taken.
//!
//! An instance keeps its address for as long as its container is there, running or not: only so can no gateway that
//! still knows an instance which ended send its requests to another that came after.

use std::{collections::BTreeSet, fmt, net::Ipv4Addr, str::FromStr};

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    first: u32,
    prefix: u32,
}

/// Where ranges are taken from: 10.192.0.0/11, in pieces of a thousand addresses.
const POOL: Range = Range { first: 0x0ac0_0000, prefix: 11 };
const PIECE: u32 = 22;

impl Range {
    fn size(self) -> u32 {
        // A range of everything is no network's.
        1_u32.checked_shl(32 - self.prefix).unwrap_or(u32::MAX)
    }

    /// The range of a network in which somebody has this address.
    pub(crate) fn around(address: Ipv4Addr, prefix: u32) -> Option<Self> {
        (1..=32).contains(&prefix).then(|| Self { first: address.into(), prefix })
    }

    /// Whether the address is in it.
    pub(crate) fn holds(self, address: Ipv4Addr) -> bool {
        self.overlaps(Self { first: address.into(), prefix: 32 })
    }

    /// Whether both have an address in common.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        let shorter = self.prefix.min(other.prefix);
        let mask = u32::MAX.checked_shl(32 - shorter).unwrap_or(0);
        self.first & mask == other.first & mask
    }

    /// The ranges that a machine has routes to, by the kernel's table (`/proc/net/route`), as far as ranges for networks can be
    /// chosen beside them. What leads to all of those at once is for whatever is nowhere nearer.
    pub(crate) fn routed(table: &str) -> impl Iterator<Item = Self> {
        let number = |word: &str| u32::from_str_radix(word, 16).ok().map(u32::swap_bytes);
        let routes = table.lines().skip(1).filter_map(move |line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let (first, mask) = (number(words.get(1)?)?, number(words.get(7)?)?);
            Some(Self { first, prefix: mask.leading_ones() })
        });
        routes.filter(|route| route.prefix > POOL.prefix)
    }

    /// The range for a network: the same one each time, unless another network has it.
    pub(crate) fn choose(network: &str, taken: &[Self]) -> Option<Self> {
        let pieces = POOL.size() / (1 << (32 - PIECE));
        let digest = blake3::hash(network.as_bytes());
        let start = u32::from_be_bytes([digest.as_bytes()[0], digest.as_bytes()[1], 0, 0]) >> 16;
        let piece = |at: u32| Self { first: POOL.first + (((start + at) % pieces) << (32 - PIECE)), prefix: PIECE };
        (0..pieces).map(piece).find(|range| !taken.iter().any(|other| other.overlaps(*range)))
    }

    /// A free address. The first belongs to the engine's own end of the network, the last reaches everybody.
    pub(crate) fn free(self, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        self.hosts().find(|address| !taken.contains(address))
    }

    /// The same where an engine chooses addresses for others: it begins at the front, so this begins at the end.
    pub(crate) fn free_beside_others(self, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        self.hosts().rev().find(|address| !taken.contains(address))
    }

    fn hosts(self) -> impl DoubleEndedIterator<Item = Ipv4Addr> {
        (2..self.size().saturating_sub(1)).map(move |at| Ipv4Addr::from(self.first + at))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

impl FromStr for Range {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (first, prefix) = text.split_once('/').ok_or(())?;
        let first: Ipv4Addr = first.parse().map_err(drop)?;
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32).ok_or(())?;
        Ok(Self { first: first.into(), prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        text.parse().unwrap()
    }

    #[test]
    fn routes_of_the_machine_are_taken_ranges() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n\
            tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\n\
            br-1\t0020C20A\t00000000\t0001\t0\t0\t0\t00FCFFFF\n\
            torn\t0020\n";
        assert_eq!(Range::routed(table).collect::<Vec<_>>(), [range("10.194.32.0/22")]);
    }

    #[test]
    fn a_network_keeps_its_range_and_avoids_those_of_others() {
        let first = Range::choose("chat.dev", &[]).unwrap();
        assert_eq!(Range::choose("chat.dev", &[]), Some(first));
        assert!(POOL.overlaps(first));
        let second = Range::choose("chat.dev", &[first, range("172.17.0.0/16")]).unwrap();
        assert!(!second.overlaps(first));
        assert_eq!(Range::choose("chat.dev", &[range("10.0.0.0/8")]), None);
        assert_eq!(Range::choose("chat.dev", &[range("0.0.0.0/0")]), None);
    }

    #[test]
    fn a_range_is_known_from_an_address_in_it() {
        let around = Range::around([10, 20, 0, 7].into(), 24).unwrap();
        assert!(around.holds([10, 20, 0, 200].into()) && !around.holds([10, 20, 1, 7].into()));
        assert_eq!(Range::around([10, 20, 0, 7].into(), 0), None);
    }

    #[test]
    fn addresses_are_handed_out_until_there_are_none() {
        let small = range("10.192.4.0/29");
        let mut taken = BTreeSet::new();
        while let Some(address) = small.free(&taken) {
            taken.insert(address);
        }
        let all: Vec<_> = taken.iter().map(ToString::to_string).collect();
        assert_eq!(all, ["10.192.4.2", "10.192.4.3", "10.192.4.4", "10.192.4.5", "10.192.4.6"]);
    }
}
