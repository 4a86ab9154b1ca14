//! Releases of wharf.

use std::{fmt, str::FromStr};

/// A release of wharf: three numbers, the one that says most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release(pub [u32; 3]);

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        let release = numbers.and_then(|numbers| numbers.try_into().ok());
        release.map(Self).ok_or_else(|| format!("`{text}` is no release such as 0.1.0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_their_numbers() {
        let release = |text: &str| text.parse::<Release>().unwrap();
        assert!(release("0.9.0") < release("0.10.0"));
        assert_eq!(release("1.2.3").to_string(), "1.2.3");
        for bad in ["", "1.2", "1.2.x", "1.2.3.4"] {
            assert!(bad.parse::<Release>().is_err(), "{bad}");
        }
    }
}
