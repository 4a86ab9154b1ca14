//! Ranges of IP addresses.

use std::{fmt, net::IpAddr, str::FromStr};

/// A range of IP addresses: those that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Not of the form `address/bits`.
    #[error("`{0}` is not a range of addresses such as 10.0.0.0/8 or 203.0.113.7/32")]
    Shape(String),
    /// Bits behind the prefix are set.
    #[error("`{found}` is an address within a range; the range itself is {range}")]
    Within {
        /// The text.
        found: String,
        /// The range that it lies in.
        range: Cidr,
    },
}

impl Cidr {
    /// Every address there is.
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }

    fn bits(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }

    fn masked(address: IpAddr, prefix: u8) -> IpAddr {
        let spare = u32::from(Self::bits(address) - prefix);
        match address {
            IpAddr::V4(address) => {
                IpAddr::V4((address.to_bits().checked_shr(spare).unwrap_or(0).checked_shl(spare).unwrap_or(0)).into())
            }
            IpAddr::V6(address) => {
                IpAddr::V6((address.to_bits().checked_shr(spare).unwrap_or(0).checked_shl(spare).unwrap_or(0)).into())
            }
        }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let shape = || CidrError::Shape(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(shape)?;
        let address: IpAddr = address.parse().map_err(|_| shape())?;
        let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|bits| digits && *bits <= Self::bits(address)).ok_or_else(shape)?;
        let range = Self { address: Self::masked(address, prefix), prefix };
        if range.address == address { Ok(range) } else { Err(CidrError::Within { found: text.to_owned(), range }) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "203.0.113.7/32", "::/0", "2001:db8::/32"] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
        }
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "::/129", "x/8"] {
            assert_eq!(bad.parse::<Cidr>(), Err(CidrError::Shape(bad.to_owned())), "{bad}");
        }
        let error = "10.1.2.3/8".parse::<Cidr>().unwrap_err();
        assert_eq!(error.to_string(), "`10.1.2.3/8` is an address within a range; the range itself is 10.0.0.0/8");
    }
}
