//! Ranges of addresses, `10.0.0.0/8`. Plain values.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    first: IpAddr,
    /// So many bits must agree.
    bits: u8,
}

impl Range {
    /// Whether it holds `address`. An IPv4 address that came in over IPv6 counts as what it is.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = || {
            let (first, bits) = text.split_once('/')?;
            let (first, bits): (IpAddr, u8) = (first.parse().ok()?, bits.parse().ok()?);
            let most = if first.is_ipv4() { 32 } else { 128 };
            (bits <= most).then_some(Self { first, bits })
        };
        parsed().ok_or_else(|| format!("`{text}` is not a range of addresses such as 10.0.0.0/8"))
    }
}

impl TryFrom<String> for Range {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Range> for String {
    fn from(range: Range) -> Self {
        range.to_string()
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, address: &str, expected: bool) {
        let range: Range = range.parse().unwrap();
        assert_eq!(range.holds(address.parse().unwrap()), expected, "{address} in {range}");
    }

    #[test]
    fn the_first_bits_decide() {
        check("10.0.0.0/8", "10.255.1.2", true);
        check("10.0.0.0/8", "11.0.0.0", false);
        check("192.168.1.7/32", "192.168.1.7", true);
        check("192.168.1.7/32", "192.168.1.6", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("2001:db8::/32", "2001:db8:1::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
    }

    #[test]
    fn families_are_kept_apart_but_a_mapped_address_is_its_own() {
        check("0.0.0.0/0", "::1", false);
        check("::/0", "127.0.0.1", false);
        check("127.0.0.0/8", "::ffff:127.0.0.1", true);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["10.0.0.0", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/-1"] {
            text.parse::<Range>().unwrap_err();
        }
    }
}
