//! What tells instances and revisions apart.

use crate::{NameError, ServiceName};
use std::{fmt, str::FromStr};

/// A place `0..instances` of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// Which incarnation of a slot: 1 is the first; a number is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

/// Which revision of a service: 1 is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevisionNumber(pub u32);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}", self.0)
    }
}

impl fmt::Display for RevisionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// One running copy of a service, of one revision, never reused. Its text form, `hello-0-g1`, is the name that the
/// object carries on every runtime: it follows from the plan alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId {
    /// The service.
    pub service: ServiceName,
    /// Its place.
    pub slot: Slot,
    /// Which incarnation of the place.
    pub generation: Generation,
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.service, self.slot, self.generation)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for InstanceId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let shape =
            || NameError::Shape { found: text.to_owned(), rule: "an instance is called SERVICE-SLOT-gGENERATION" };
        let (rest, generation) = text.rsplit_once("-g").ok_or_else(shape)?;
        let (service, slot) = rest.rsplit_once('-').ok_or_else(shape)?;
        let number = |digits: &str| match digits.parse::<u32>() {
            Ok(number) if number.to_string() == digits => Ok(number),
            _ => Err(shape()),
        };
        Ok(Self { service: service.parse()?, slot: Slot(number(slot)?), generation: Generation(number(generation)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        let id: InstanceId = "img-gen-2-g11".parse().unwrap();
        assert_eq!((id.service.as_str(), id.slot, id.generation), ("img-gen", Slot(2), Generation(11)));
        assert_eq!(id.to_string(), "img-gen-2-g11");
        for bad in ["hello", "hello-0", "hello-g1", "hello-01-g1", "hello-0-g+1", "-0-g1"] {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad}");
        }
    }
}
