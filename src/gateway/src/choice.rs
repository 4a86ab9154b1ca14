//! Which endpoint gets a request.
//!
//! The endpoint with fewer requests in flight among two picked at random: nearly as even as looking at all, without
//! every worker running to the same idle one. Plain functions of numbers; counting is the caller's.

use std::sync::atomic::{AtomicU64, Ordering};

/// What there is to know about an endpoint when a request looks for one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// It may get new requests.
    pub(crate) serving: bool,
    /// Its probe passes.
    pub(crate) ready: bool,
    /// A connection to it failed a moment ago.
    pub(crate) ejected: bool,
    pub(crate) in_flight: u64,
}

/// Who gets the request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The endpoint at this place.
    Endpoint(usize),
    /// Some are ready, but connections to all of them failed a moment ago; this one is worth a try if waiting is no
    /// option.
    OnlyEjected(usize),
    /// None is ready.
    NoneReady,
}

/// Chooses among `candidates`, with `random` to break ties.
pub(crate) fn choose<C>(candidates: C, random: u64) -> Choice
where
    C: Iterator<Item = Candidate> + Clone,
{
    let usable = |ejected: bool| {
        candidates.clone().enumerate().filter(move |(_, c)| c.serving && c.ready && c.ejected == ejected)
    };
    if let Some(place) = least_of_two(usable(false), random) {
        return Choice::Endpoint(place);
    }
    least_of_two(usable(true), random).map_or(Choice::NoneReady, Choice::OnlyEjected)
}

fn least_of_two(usable: impl Iterator<Item = (usize, Candidate)> + Clone, random: u64) -> Option<usize> {
    let count = usable.clone().count();
    if count == 0 {
        return None;
    }
    // Two different places: the second is drawn from the others and moved past the first.
    let first = (random >> 32) as usize % count;
    let second = match count {
        1 => first,
        _ => (first + 1 + (random as u32) as usize % (count - 1)) % count,
    };
    let at = |place| usable.clone().nth(place);
    let ((a, first), (b, second)) = (at(first)?, at(second)?);
    Some(if second.in_flight < first.in_flight { b } else { a })
}

/// A small generator (xorshift64*) for choices that need no secrecy. One per worker.
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed | 1))
    }

    pub(crate) fn next(&self) -> u64 {
        let mut x = self.0.load(Ordering::Relaxed);
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.store(x, Ordering::Relaxed);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Chooses 1,000 times among endpoints written as `serving 3`, `draining 0`, `failing 0`, `ejected 1` (the number is
    /// in flight), and compares what was ever chosen.
    fn check(endpoints: &[&str], expected: &[&str]) {
        let candidates: Vec<Candidate> = endpoints.iter().map(|text| candidate(text)).collect();
        let random = Random::seeded(7);
        let mut chosen = BTreeMap::new();
        for _ in 0..1_000 {
            let name = match choose(candidates.iter().copied(), random.next()) {
                Choice::Endpoint(place) => endpoints[place].to_owned(),
                Choice::OnlyEjected(place) => format!("only {}", endpoints[place]),
                Choice::NoneReady => "none".to_owned(),
            };
            *chosen.entry(name).or_insert(0) += 1;
        }
        assert_eq!(chosen.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{chosen:?}");
    }

    fn candidate(text: &str) -> Candidate {
        let (word, count) = text.split_once(' ').unwrap();
        Candidate {
            serving: word != "draining",
            ready: word != "failing",
            ejected: word == "ejected",
            in_flight: count.parse().unwrap(),
        }
    }

    #[test]
    fn only_serving_and_ready_ones_are_chosen() {
        check(&["draining 0", "serving 9", "failing 0"], &["serving 9"]);
        check(&["draining 0", "failing 0"], &["none"]);
        check(&[], &["none"]);
    }

    #[test]
    fn the_lesser_of_two() {
        check(&["serving 3", "serving 2"], &["serving 2"]);
    }

    #[test]
    fn ties_are_spread() {
        check(&["serving 0", "serving 00"], &["serving 0", "serving 00"]);
    }

    #[test]
    fn the_busiest_of_many_is_never_chosen_and_the_others_are() {
        check(&["serving 4", "serving 1", "serving 2", "serving 3"], &["serving 1", "serving 2", "serving 3"]);
    }

    #[test]
    fn an_ejected_one_comes_last() {
        check(&["ejected 0", "serving 9"], &["serving 9"]);
        check(&["ejected 0", "failing 9"], &["only ejected 0"]);
    }
}
