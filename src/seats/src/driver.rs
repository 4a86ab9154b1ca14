//! Which versions of a driver are good enough.

use std::{cmp::Ordering, fmt, str::FromStr};

/// A wish about a version: `>=550`, `550.127.08`. Parts that the wish does not name count for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    relation: Relation,
    parts: Vec<u64>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    AtLeast,
    Above,
    AtMost,
    Below,
    Is,
}

/// The words of relations; the longer before the shorter that they begin with.
const RELATIONS: [(&str, Relation); 5] = [
    (">=", Relation::AtLeast),
    ("<=", Relation::AtMost),
    (">", Relation::Above),
    ("<", Relation::Below),
    ("=", Relation::Is),
];

/// Why a text is no wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WishError(String);

impl fmt::Display for WishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no version of a driver such as \">=550\" or \"550.127.08\"", self.0)
    }
}

impl std::error::Error for WishError {}

fn parts(text: &str) -> Option<Vec<u64>> {
    text.trim().split('.').map(|part| part.parse().ok()).collect()
}

impl FromStr for Wish {
    type Err = WishError;

    fn from_str(text: &str) -> Result<Self, WishError> {
        let trimmed = text.trim();
        let known = RELATIONS.iter().find_map(|(word, relation)| Some((trimmed.strip_prefix(word)?, *relation)));
        let (rest, relation) = known.unwrap_or((trimmed, Relation::Is));
        let parts = parts(rest).ok_or_else(|| WishError(text.to_owned()))?;
        Ok(Self { relation, parts, text: trimmed.to_owned() })
    }
}

impl Wish {
    /// Whether a version is as wished. One that cannot be read is not.
    pub fn is_met_by(&self, version: &str) -> bool {
        let Some(found) = parts(version) else { return false };
        let named = found.iter().copied().chain(std::iter::repeat(0)).take(self.parts.len());
        let order = named.cmp(self.parts.iter().copied());
        match self.relation {
            Relation::AtLeast => order != Ordering::Less,
            Relation::Above => order == Ordering::Greater,
            Relation::AtMost => order != Ordering::Greater,
            Relation::Below => order == Ordering::Less,
            Relation::Is => order == Ordering::Equal,
        }
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_held_against_the_parts_that_are_named() {
        let check = |wish: &str, version: &str| wish.parse::<Wish>().unwrap().is_met_by(version);
        assert!(check(">=550", "550.54.15") && check(">=550", "560.1") && !check(">=550", "535.183.01"));
        assert!(check("550.127.08", "550.127.08") && check("550", "550.127.08") && !check("550.127.08", "550.127.9"));
        assert!(check("<560", "550.1") && !check("<560", "560.0") && check("<=560", "560.9"));
        assert!(!check(">550", "550.9") && check(">550.1", "550.2") && !check(">=550", "?"));
        assert!("tesla".parse::<Wish>().is_err() && ">=".parse::<Wish>().is_err());
    }
}
