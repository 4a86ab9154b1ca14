//! Which versions of wharf a project may be planned with: `">=0.1, <2"`.

use std::{cmp::Ordering, fmt};

/// A set of versions: all comparisons must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Versions {
    comparisons: Vec<(Operator, Version)>,
    text: String,
}

type Version = [u32; 3];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    AtLeast,
    AtMost,
    Above,
    Below,
    Exactly,
}

/// The operators, the longer before those that they begin with.
const OPERATORS: [(&str, Operator); 5] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("=", Operator::Exactly),
];

impl Versions {
    /// Reads comparisons with commas between them.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let comparison = |part: &str| {
            let part = part.trim();
            let (sign, operator) = OPERATORS.iter().find(|(sign, _)| part.starts_with(sign))?;
            Some((*operator, version(part[sign.len()..].trim())?))
        };
        let comparisons = text.split(',').map(comparison).collect::<Option<Vec<_>>>();
        let comparisons = comparisons.ok_or_else(|| format!("`{text}` does not say which versions"))?;
        Ok(Self { comparisons, text: text.to_owned() })
    }

    /// Whether `found`, such as `0.1.0`, is one of them. What is no version is taken for one.
    pub(crate) fn hold(&self, found: &str) -> bool {
        let Some(found) = version(found.split(['-', '+']).next().unwrap_or_default()) else { return true };
        self.comparisons.iter().all(|(operator, wanted)| {
            let order = found.cmp(wanted);
            match operator {
                Operator::AtLeast => order != Ordering::Less,
                Operator::AtMost => order != Ordering::Greater,
                Operator::Above => order == Ordering::Greater,
                Operator::Below => order == Ordering::Less,
                Operator::Exactly => order == Ordering::Equal,
            }
        })
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One to three numbers; those left out are zero.
fn version(text: &str) -> Option<Version> {
    let mut version = [0; 3];
    let parts: Vec<_> = text.split('.').collect();
    if parts.len() > version.len() {
        return None;
    }
    for (place, part) in version.iter_mut().zip(parts) {
        *place = part.parse().ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()))?;
    }
    Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, found: &str, expected: bool) {
        assert_eq!(Versions::parse(text).unwrap().hold(found), expected, "{text} {found}");
    }

    #[test]
    fn all_comparisons_must_hold() {
        check(">=0.1", "0.1.0", true);
        check(">=0.2", "0.1.9", false);
        check(">=0.1, <1", "1.0.0", false);
        check("=0.1.0", "0.1.0", true);
        check("<0.2", "0.2.0-dev", false);
        for bad in ["", "0.1", ">=", ">=a", ">=1.2.3.4", ">=0.1,", "~0.1", ">=+1"] {
            assert!(Versions::parse(bad).is_err(), "{bad}");
        }
    }
}
