//! What a gateway has counted about the requests of one instance, since the gateway began to count.

use std::time::Duration;

/// Counts of one instance, or of several together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests that it was sent and that were answered, or will not be any more.
    pub requests: u64,
    /// Those of them that were answered with a status of the 500s, or not at all.
    pub errors: u64,
    /// How long it took until answers began.
    pub first_byte: Times,
}

/// How often times fell into which class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// The upper end of each class with how many fell into it, from the shortest; the last may have no end.
    pub classes: Vec<(Duration, u64)>,
}

impl Figures {
    /// What came since `before` was read. Counts that shrank began anew, so all of them came since.
    pub fn since(&self, before: &Self) -> Self {
        if self.requests < before.requests || self.first_byte.count() < before.first_byte.count() {
            return self.clone();
        }
        Self {
            requests: self.requests - before.requests,
            errors: self.errors.saturating_sub(before.errors),
            first_byte: self.first_byte.since(&before.first_byte),
        }
    }

    /// Adds those of another instance, or of a later time.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
        self.first_byte.add(&other.first_byte);
    }
}

impl Times {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.classes.iter().map(|(_, count)| count).sum()
    }

    fn since(&self, before: &Self) -> Self {
        let known =
            |end: Duration| before.classes.iter().find(|(other, _)| *other == end).map_or(0, |(_, count)| *count);
        Self { classes: self.classes.iter().map(|(end, count)| (*end, count.saturating_sub(known(*end)))).collect() }
    }

    fn add(&mut self, other: &Self) {
        for (end, count) in &other.classes {
            match self.classes.binary_search_by_key(end, |(end, _)| *end) {
                Ok(at) => self.classes[at].1 = self.classes[at].1.saturating_add(*count),
                Err(at) => self.classes.insert(at, (*end, *count)),
            }
        }
    }

    /// The time within which so many thousandths of all times are, as if those of one class were spread over it evenly.
    /// None if there were no times. A class without an end counts as its beginning.
    pub fn within(&self, thousandths: u64) -> Option<Duration> {
        let rank = (self.count() * thousandths).div_ceil(1_000).max(1);
        let (mut seen, mut begin) = (0, Duration::ZERO);
        for (end, count) in &self.classes {
            if *count > 0 && seen + count >= rank {
                let end = if *end == Duration::MAX { begin } else { *end };
                let share = u32::try_from(((rank - seen) * 1_000) / count).unwrap_or(1_000);
                return Some(begin + (end - begin) * share / 1_000);
            }
            (seen, begin) = (seen + count, *end);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(counts: [u64; 3]) -> Times {
        let ends = [Duration::from_millis(100), Duration::from_millis(200), Duration::MAX];
        Times { classes: ends.into_iter().zip(counts).collect() }
    }

    #[test]
    fn a_time_is_read_from_within_its_class() {
        let check = |counts, thousandths, expected: Option<u128>| {
            let found = times(counts).within(thousandths).map(|time| time.as_millis());
            assert_eq!(found, expected, "{thousandths} of {counts:?}");
        };
        check([100, 0, 0], 990, Some(99));
        check([0, 100, 0], 500, Some(150));
        check([98, 2, 0], 990, Some(150));
        check([98, 0, 2], 990, Some(200));
        check([0, 0, 0], 990, None);
    }

    #[test]
    fn what_came_since_is_the_difference_unless_counting_began_anew() {
        let figures = |requests, errors, counts| Figures { requests, errors, first_byte: times(counts) };
        let (before, now) = (figures(10, 1, [9, 0, 0]), figures(15, 3, [9, 3, 0]));
        assert_eq!(now.since(&before), figures(5, 2, [0, 3, 0]));
        assert_eq!(before.since(&now), before);
        let mut both = before.clone();
        both.add(&now.since(&before));
        assert_eq!(both, now);
    }
}
