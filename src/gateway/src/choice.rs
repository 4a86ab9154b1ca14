//! Which endpoint gets a request.
//!
//! The endpoint with fewer requests in flight among two picked at random: nearly as even as looking at all, without
//! every worker running to the same idle one. Before that, where a route's requests are divided into shares, the share is
//! drawn by weight; and where callers stay with an instance, their key takes the place of chance. Plain functions of
//! numbers; counting is the caller's.

use std::sync::atomic::{AtomicU64, Ordering};

/// How an endpoint stands when a request looks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may get the request.
    Free,
    /// It may, but it did badly of late.
    Doubtful,
    /// It has as many requests as it takes at once.
    Full,
    /// It had as many requests as it takes in a second.
    Limited,
    /// Connections to it failed a moment ago.
    Unreachable,
    /// It is not ready, or gets no new requests.
    Out,
}

/// What there is to know about an endpoint when a request looks for one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) standing: Standing,
    pub(crate) in_flight: u64,
    /// The number of its share; none where the route has no shares.
    pub(crate) share: Option<usize>,
    /// So many thousandths of its part it gets: fewer than 1,000 while it comes back.
    pub(crate) part: u64,
    /// Stands for the endpoint's name.
    pub(crate) hash: u64,
}

/// Who gets the request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The endpoint at this place.
    Endpoint(usize),
    /// Some are ready, but connections to all of them failed a moment ago; this one is worth a try if waiting is no
    /// option.
    OnlyUnreachable(usize),
    /// Those that are ready have as much as they take at once.
    AllFull,
    /// Those that are ready have had as much as they take in a second.
    AllLimited,
    /// None is ready.
    NoneReady,
}

/// Chooses among `candidates`. `weights` are those of the shares, by number; `random` breaks ties; `key` stands for a
/// caller who is to meet the same endpoint each time.
pub(crate) fn choose<C>(candidates: C, weights: &[u32], random: u64, key: Option<u64>) -> Choice
where
    C: Iterator<Item = Candidate> + Clone,
{
    let seen = Seen::of(candidates.clone());
    let usable = |standing| match standing {
        Standing::Free => true,
        // Where most do badly, it is rather the requests, and whoever is left would be overrun.
        Standing::Doubtful => seen.free == 0 || seen.doubtful > seen.free,
        _ => false,
    };
    let usable = candidates.clone().enumerate().filter(|(_, c)| usable(c.standing));
    if let Some(place) = within_share(usable, weights, random, key) {
        return Choice::Endpoint(place);
    }
    if seen.full > 0 {
        return Choice::AllFull;
    }
    if seen.limited > 0 {
        return Choice::AllLimited;
    }
    let unreachable = candidates.enumerate().filter(|(_, c)| c.standing == Standing::Unreachable);
    within_share(unreachable, weights, random, key).map_or(Choice::NoneReady, Choice::OnlyUnreachable)
}

/// How many endpoints stand how, those without weight apart.
#[derive(Debug, Default)]
struct Seen {
    free: usize,
    doubtful: usize,
    full: usize,
    limited: usize,
}

impl Seen {
    fn of(candidates: impl Iterator<Item = Candidate>) -> Self {
        candidates.fold(Self::default(), |mut seen, candidate| {
            match candidate.standing {
                Standing::Free => seen.free += 1,
                Standing::Doubtful => seen.doubtful += 1,
                Standing::Full => seen.full += 1,
                Standing::Limited => seen.limited += 1,
                Standing::Unreachable | Standing::Out => {}
            }
            seen
        })
    }
}

/// Draws a share among those that have a usable endpoint, then chooses within it.
fn within_share<I>(usable: I, weights: &[u32], random: u64, key: Option<u64>) -> Option<usize>
where
    I: Iterator<Item = (usize, Candidate)> + Clone,
{
    if weights.is_empty() {
        return within(usable, random, key);
    }
    let weight = |share: usize| {
        let present = usable.clone().any(|(_, candidate)| candidate.share == Some(share));
        if present { u64::from(weights[share]) } else { 0 }
    };
    let share = draw((0..weights.len()).map(weight), key.unwrap_or(random))?;
    within(usable.filter(move |(_, candidate)| candidate.share == Some(share)), random, key)
}

/// Draws a place by weight; none when nothing has any.
pub(crate) fn draw(weights: impl Iterator<Item = u64> + Clone, random: u64) -> Option<usize> {
    let mut drawn = mixed(random).checked_rem(weights.clone().sum())?;
    let drawn_here = |weight: u64| match drawn.checked_sub(weight) {
        Some(rest) => {
            drawn = rest;
            false
        }
        None => true,
    };
    weights.map(drawn_here).position(|here| here)
}

fn within<I>(usable: I, random: u64, key: Option<u64>) -> Option<usize>
where
    I: Iterator<Item = (usize, Candidate)> + Clone,
{
    match key {
        // Whoever has the highest number for this key: when an endpoint goes, only its own callers move.
        Some(key) => usable.max_by_key(|(_, candidate)| mixed(key ^ candidate.hash)).map(|(place, _)| place),
        None => least_of_two(usable, random),
    }
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
    // One that comes back stands aside for most requests, unless both do.
    let aside = |candidate: Candidate| candidate.part < 1_000 && mixed(random) % 1_000 >= candidate.part;
    Some(match (aside(first), aside(second)) {
        (true, false) => b,
        (false, true) => a,
        _ if second.in_flight < first.in_flight => b,
        _ => a,
    })
}

/// The same number for the same number, with all its bits stirred (splitmix64).
pub(crate) fn mixed(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A number that stands for some bytes, the same in every process (FNV-1a, stirred).
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let fold = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
    mixed(bytes.iter().fold(0xCBF2_9CE4_8422_2325, fold))
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

    /// Chooses 1,000 times among endpoints and counts how often each was chosen. They are written as `free 3` (the number
    /// is in flight), with `@0` for a share and `/550` for thousandths where that matters.
    fn tally(endpoints: &[&str], weights: &[u32], key: Option<u64>) -> BTreeMap<String, usize> {
        let candidates: Vec<Candidate> = endpoints.iter().map(|text| candidate(text)).collect();
        let random = Random::seeded(7);
        let mut chosen = BTreeMap::new();
        for _ in 0..1_000 {
            let name = match choose(candidates.iter().copied(), weights, random.next(), key) {
                Choice::Endpoint(place) => endpoints[place].to_owned(),
                Choice::OnlyUnreachable(place) => format!("only {}", endpoints[place]),
                other => format!("{other:?}"),
            };
            *chosen.entry(name).or_insert(0) += 1;
        }
        chosen
    }

    /// Compares what was ever chosen.
    fn check(endpoints: &[&str], expected: &[&str]) {
        let chosen = tally(endpoints, &[], None);
        assert_eq!(chosen.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{chosen:?}");
    }

    /// Compares how many of 1,000 each got, give or take 40.
    fn check_parts(endpoints: &[&str], weights: &[u32], expected: &[usize]) {
        let chosen = tally(endpoints, weights, None);
        let counts: Vec<_> = endpoints.iter().map(|name| chosen.get(*name).copied().unwrap_or(0)).collect();
        let near = counts.iter().zip(expected).all(|(count, expected)| count.abs_diff(*expected) <= 40);
        assert!(near && counts.iter().sum::<usize>() == 1_000, "{counts:?}, not {expected:?}");
    }

    fn candidate(text: &str) -> Candidate {
        let (word, rest) = text.split_once(' ').unwrap();
        let (rest, share) = rest.split_once('@').map_or((rest, None), |(rest, share)| (rest, share.parse().ok()));
        let (count, part) = rest.split_once('/').map_or((rest, 1_000), |(count, part)| (count, part.parse().unwrap()));
        let standing = match word {
            "free" => Standing::Free,
            "doubtful" => Standing::Doubtful,
            "full" => Standing::Full,
            "limited" => Standing::Limited,
            "unreachable" => Standing::Unreachable,
            _ => Standing::Out,
        };
        Candidate { standing, in_flight: count.parse().unwrap(), share, part, hash: hash(text.as_bytes()) }
    }

    #[test]
    fn only_free_ones_are_chosen() {
        check(&["out 0", "free 9", "out 0"], &["free 9"]);
        check(&["out 0", "out 0"], &["NoneReady"]);
        check(&[], &["NoneReady"]);
    }

    #[test]
    fn the_lesser_of_two() {
        check(&["free 3", "free 2"], &["free 2"]);
    }

    #[test]
    fn ties_are_spread() {
        check_parts(&["free 0", "free 00"], &[], &[500, 500]);
    }

    #[test]
    fn the_busiest_of_many_is_never_chosen_and_the_others_are() {
        check(&["free 4", "free 1", "free 2", "free 3"], &["free 1", "free 2", "free 3"]);
    }

    #[test]
    fn an_unreachable_one_comes_last() {
        check(&["unreachable 0", "free 9"], &["free 9"]);
        check(&["unreachable 0", "out 9"], &["only unreachable 0"]);
        check(&["unreachable 0", "full 9"], &["AllFull"]);
        check(&["limited 0", "unreachable 9"], &["AllLimited"]);
    }

    #[test]
    fn one_in_doubt_is_passed_over_unless_most_are() {
        check(&["doubtful 0", "free 9", "free 9"], &["free 9"]);
        check(&["doubtful 0", "out 0"], &["doubtful 0"]);
        check(&["doubtful 1", "doubtful 2", "free 9"], &["doubtful 1", "doubtful 2"]);
        check(&["doubtful 0", "full 0"], &["doubtful 0"]);
    }

    #[test]
    fn one_that_comes_back_gets_little_at_first() {
        check_parts(&["free 0/100", "free 0", "free 00"], &[], &[67, 467, 467]);
        check_parts(&["free 0/100", "free 0"], &[], &[50, 950]);
        check(&["free 0/100"], &["free 0/100"]);
    }

    #[test]
    fn shares_get_what_their_weights_say() {
        check_parts(&["free 0@0", "free 0@1", "free 00@1"], &[750, 250], &[750, 125, 125]);
        check_parts(&["free 0@0", "free 0@1"], &[995, 5], &[995, 5]);
        check_parts(&["free 0@0", "free 0@1"], &[1, 0], &[1_000, 0]);
    }

    #[test]
    fn a_share_without_a_free_endpoint_leaves_its_part_to_the_others() {
        check_parts(&["out 0@0", "free 0@1", "free 0@2"], &[800, 150, 50], &[0, 750, 250]);
        assert_eq!(tally(&["out 0@0", "free 0@1"], &[1, 0], None).keys().collect::<Vec<_>>(), ["NoneReady"]);
    }

    #[test]
    fn a_key_meets_the_same_endpoint_and_only_those_of_a_lost_one_move() {
        let before = ["free 0", "free 1", "free 2"];
        let after = ["free 0", "free 1", "out 2"];
        let met = |endpoints: &[&str], key| {
            let chosen = tally(endpoints, &[], Some(key));
            assert_eq!(chosen.len(), 1);
            chosen.into_keys().next().unwrap()
        };
        let mut everywhere = BTreeMap::new();
        for key in (0..300).map(|number| hash(format!("user {number}").as_bytes())) {
            let first = met(&before, key);
            if first != "free 2" {
                assert_eq!(met(&after, key), first);
            }
            *everywhere.entry(first).or_insert(0) += 1;
        }
        assert!(everywhere.len() == 3 && everywhere.values().all(|count| *count > 70), "{everywhere:?}");
    }

    #[test]
    fn keys_are_spread_over_shares_by_weight() {
        let candidates = ["free 0@0", "free 0@1"].map(candidate);
        let first = |key| choose(candidates.iter().copied(), &[900, 100], 1, Some(key)) == Choice::Endpoint(0);
        let count = (0..1_000).filter(|number: &u64| first(hash(&number.to_be_bytes()))).count();
        assert!((860..=940).contains(&count), "{count}");
    }
}
