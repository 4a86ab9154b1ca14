//! Finding a seat. Whole cards are given to one instance alone, the smallest that are free first; a share goes to the card
//! on which the least is left beside it, so that whole ones stay free for as long as possible.

use std::{collections::BTreeMap, fmt};
use wharf_model::{Bytes, Card, Gpu, Part, Seat, Share};

/// What of a card is held, and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Taken {
    whole: bool,
    memory: u64,
    cores: u32,
    by: Vec<String>,
}

/// Why there is no seat: what was wished, and what there is of each card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSeat {
    wish: Gpu,
    cards: Vec<(Card, Taken)>,
}

/// Finds a seat for one instance beside what is held. The same values give the same seat.
///
/// # Errors
/// When there is none; the error tells the arithmetic.
pub fn find<'a, N: fmt::Display>(
    wish: &Gpu,
    cards: &[Card],
    held: impl IntoIterator<Item = (N, &'a Seat)>,
) -> Result<Seat, NoSeat> {
    let taken = taken(held);
    let mut cards: Vec<_> =
        cards.iter().map(|card| (card.clone(), taken.get(&*card.id).cloned().unwrap_or_default())).collect();
    cards.sort_by(|(one, _), (two, _)| (one.memory, &one.id).cmp(&(two.memory, &two.id)));
    let seat = if wish.count > 0 { whole(wish.count, &cards) } else { share(wish, &cards) };
    seat.ok_or_else(|| NoSeat { wish: wish.clone(), cards })
}

fn taken<'a, N: fmt::Display>(held: impl IntoIterator<Item = (N, &'a Seat)>) -> BTreeMap<String, Taken> {
    let mut taken: BTreeMap<String, Taken> = BTreeMap::new();
    for (name, seat) in held {
        for Part { card, share } in &seat.0 {
            let known = taken.entry(card.to_string()).or_default();
            match share {
                None => known.whole = true,
                Some(Share { memory, cores }) => {
                    known.memory = known.memory.saturating_add(memory.0);
                    known.cores = known.cores.saturating_add(*cores);
                }
            }
            known.by.push(name.to_string());
        }
    }
    taken
}

/// The first of the others that leaves no room for a seat on one of its cards, as far as that can be told without the
/// driver: one has the card alone, or together they take more than all its cores. Answers which card it is, too.
pub fn rival<'a, N>(seat: &'a Seat, others: impl IntoIterator<Item = (N, &'a Seat)>) -> Option<(N, &'a str)> {
    let mut cores: BTreeMap<&str, u32> = BTreeMap::new();
    for Part { card, share } in &seat.0 {
        cores.insert(card, share.map_or(100, |share| share.cores));
    }
    for (name, other) in others {
        for Part { card, share } in &other.0 {
            let Some(taken) = cores.get_mut(&**card) else { continue };
            let alone = share.is_none() || seat.0.iter().any(|part| part.card == *card && part.share.is_none());
            *taken = taken.saturating_add(share.map_or(100, |share| share.cores));
            if alone || *taken > 100 {
                return seat.0.iter().find(|part| part.card == *card).map(|part| (name, &*part.card));
            }
        }
    }
    None
}

fn whole(count: u32, cards: &[(Card, Taken)]) -> Option<Seat> {
    let free = cards.iter().filter(|(_, taken)| taken.by.is_empty());
    let parts: Vec<_> =
        free.take(count as usize).map(|(card, _)| Part { card: card.id.clone(), share: None }).collect();
    (parts.len() == count as usize).then_some(Seat(parts))
}

fn share(wish: &Gpu, cards: &[(Card, Taken)]) -> Option<Seat> {
    let share = Share { memory: wish.memory.unwrap_or(Bytes(0)), cores: wish.cores.unwrap_or(0) };
    let left = |(card, taken): &(Card, Taken)| {
        let memory = card.memory.0.checked_sub(taken.memory)?.checked_sub(share.memory.0)?;
        let cores = 100_u32.checked_sub(taken.cores)?.checked_sub(share.cores)?;
        (!taken.whole).then_some((memory, cores))
    };
    let (card, _) = cards.iter().filter(|card| left(card).is_some()).min_by_key(|card| left(card))?;
    Some(Seat(vec![Part { card: card.id.clone(), share: Some(share) }]))
}

impl fmt::Display for NoSeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.wish.count, self.wish.memory) {
            (0, memory) => {
                write!(f, "it takes {}", gibibytes(memory.unwrap_or(Bytes(0))))?;
                if let Some(cores) = self.wish.cores {
                    write!(f, " and {cores} of 100 cores")?;
                }
                f.write_str(" of one card")?;
            }
            (1, _) => f.write_str("it takes a whole card")?,
            (count, _) => write!(f, "it takes {count} whole cards")?,
        }
        if self.cards.is_empty() {
            return f.write_str(", and there is none");
        }
        let free = self.cards.iter().filter(|(_, taken)| taken.by.is_empty()).count();
        write!(f, "; {free} of {} free", self.cards.len())?;
        for (index, (card, taken)) in self.cards.iter().enumerate() {
            f.write_str(if index == 0 { ": " } else { "; " })?;
            write!(f, "{} ({}) ", card.id, card.name)?;
            match (taken.by.is_empty(), taken.whole) {
                (true, _) => write!(f, "has {} and 100 cores free", gibibytes(card.memory))?,
                (_, true) => write!(f, "is held by {}", taken.by.join(", "))?,
                _ => write!(
                    f,
                    "has {} of {} and {} of 100 cores free beside {}",
                    gibibytes(Bytes(card.memory.0.saturating_sub(taken.memory))),
                    gibibytes(card.memory),
                    100_u32.saturating_sub(taken.cores),
                    taken.by.join(", ")
                )?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for NoSeat {}

/// As people say it: a card's memory is no round number.
fn gibibytes(bytes: Bytes) -> String {
    let tenths = bytes.0.saturating_mul(10) >> 30;
    match tenths % 10 {
        0 => format!("{}GiB", tenths / 10),
        rest => format!("{}.{rest}GiB", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GIB: u64 = 1 << 30;

    fn card(id: &str, gib: u64) -> Card {
        Card { id: id.into(), name: "A10".into(), memory: Bytes(gib * GIB) }
    }

    fn seat(text: &str) -> Seat {
        text.parse().unwrap()
    }

    fn check(wish: &Gpu, held: &[(&str, &str)], expected: &str) {
        let cards = [card("GPU-b", 24), card("GPU-a", 24), card("GPU-c", 80)];
        let held: Vec<_> = held.iter().map(|(name, text)| (*name, seat(text))).collect();
        let found = find(wish, &cards, held.iter().map(|(name, seat)| (name, seat)));
        assert_eq!(found.map_or_else(|none| none.to_string(), |seat| seat.to_string()), expected);
    }

    #[test]
    fn whole_cards_are_the_smallest_that_nobody_holds_a_part_of() {
        let wish = |count| Gpu { count, ..Gpu::default() };
        check(&wish(1), &[], "GPU-a");
        check(&wish(2), &[], "GPU-a GPU-b");
        check(&wish(1), &[("x", "GPU-a=1GiB,0"), ("y", "GPU-b")], "GPU-c");
        check(
            &wish(2),
            &[("x", "GPU-a=8GiB,40"), ("y", "GPU-b")],
            "it takes 2 whole cards; 1 of 3 free: GPU-a (A10) has 16GiB of 24GiB and 60 of 100 cores free beside x; \
             GPU-b (A10) is held by y; GPU-c (A10) has 80GiB and 100 cores free",
        );
    }

    #[test]
    fn shares_fill_cards_up() {
        let wish = Gpu { memory: Some(Bytes(8 * GIB)), cores: Some(40), ..Gpu::default() };
        check(&wish, &[], "GPU-a=8GiB,40");
        check(&wish, &[("x", "GPU-b=8GiB,40")], "GPU-b=8GiB,40");
        check(&wish, &[("x", "GPU-b=8GiB,80")], "GPU-a=8GiB,40");
        check(
            &wish,
            &[("x", "GPU-b=17GiB,0"), ("y", "GPU-a GPU-c")],
            "it takes 8GiB and 40 of 100 cores of one card; \
             0 of 3 free: GPU-a (A10) is held by y; GPU-b (A10) has 7GiB of 24GiB and 100 of 100 cores free beside x; \
             GPU-c (A10) is held by y",
        );
    }

    #[test]
    fn a_machine_without_cards_says_so() {
        let none = find(&Gpu { count: 1, ..Gpu::default() }, &[], std::iter::empty::<(&str, &Seat)>()).unwrap_err();
        assert_eq!(none.to_string(), "it takes a whole card, and there is none");
    }

    #[test]
    fn a_seat_is_taken_by_who_leaves_it_no_room() {
        let check = |own: &str, others: &[&str], expected: Option<(usize, &str)>| {
            let (own, others): (_, Vec<_>) = (seat(own), others.iter().map(|other| seat(other)).collect());
            assert_eq!(rival(&own, others.iter().enumerate()), expected, "{own} beside {others:?}");
        };
        check("GPU-a", &["GPU-b", "GPU-c=8GiB,40"], None);
        check("GPU-a GPU-b", &["GPU-c", "GPU-b"], Some((1, "GPU-b")));
        check("GPU-a", &["GPU-a=1GiB,0"], Some((0, "GPU-a")));
        check("GPU-a=1GiB,0", &["GPU-a"], Some((0, "GPU-a")));
        check("GPU-a=8GiB,40", &["GPU-a=8GiB,40", "GPU-b"], None);
        check("GPU-a=8GiB,40", &["GPU-a=8GiB,40", "GPU-a=1GiB,30"], Some((1, "GPU-a")));
    }

    prop_compose! {
        fn wishes()(count in 0_u32..3, memory in 1_u64..30, cores in 0_u32..=100) -> Gpu {
            let share = count == 0;
            Gpu {
                count,
                memory: share.then_some(Bytes(memory * GIB)),
                cores: share.then_some(cores),
                ..Gpu::default()
            }
        }
    }

    proptest! {
        #[test]
        fn nobody_gets_what_somebody_else_holds(
            sizes in prop::collection::vec(8_u64..80, 0..5), wishes in prop::collection::vec(wishes(), 0..12)
        ) {
            let cards: Vec<_> = sizes.iter().enumerate().map(|(at, size)| card(&format!("GPU-{at}"), *size)).collect();
            let mut held: Vec<(usize, Seat)> = Vec::new();
            for (number, wish) in wishes.iter().enumerate() {
                let Ok(seat) = find(wish, &cards, held.iter().map(|(name, seat)| (*name, seat))) else { continue };
                held.push((number, seat));
            }
            for card in &cards {
                let parts: Vec<_> = held.iter().flat_map(|(_, seat)| &seat.0).filter(|part| part.card == card.id).collect();
                let whole = parts.iter().filter(|part| part.share.is_none()).count();
                let shares = parts.iter().filter_map(|part| part.share);
                let (memory, cores) = shares.fold((0, 0), |sum, one| (sum.0 + one.memory.0, sum.1 + one.cores));
                prop_assert!(whole == 0 || parts.len() == 1);
                prop_assert!(memory <= card.memory.0 && cores <= 100);
            }
        }
    }
}
