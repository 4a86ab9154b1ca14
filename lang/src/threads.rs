//! Work that is cut into runs, each on a thread of its own. What comes out is in the order of what went in, so nothing that
//! is told depends on how many cores there are.

use std::{num::NonZero, ops::Range, panic::resume_unwind, sync::Mutex, thread};

/// How many threads share the work.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Threads {
    /// As many as there are cores, where there is enough to do.
    Cores,
    /// So many, however little there is to do.
    Exactly(NonZero<usize>),
}

impl Threads {
    /// Cuts pieces of work into runs that cost about the same, one for each thread. Less than `least` is not worth one.
    pub(crate) fn runs(self, costs: &[usize], least: usize) -> Vec<Range<usize>> {
        let cost = |cost: &usize| (*cost).max(1);
        let total: usize = costs.iter().map(cost).sum();
        let wanted = match self {
            Self::Cores if total < least * 2 => 1,
            Self::Cores => (total / least).min(thread::available_parallelism().map_or(1, NonZero::get)),
            Self::Exactly(threads) => threads.get(),
        };
        let (mut runs, mut start, mut done) = (Vec::with_capacity(wanted), 0, 0);
        for (index, cost) in costs.iter().map(cost).enumerate() {
            done += cost;
            if done * wanted >= total * (runs.len() + 1) || index + 1 == costs.len() {
                runs.push(start..index + 1);
                start = index + 1;
            }
        }
        runs
    }
}

/// Cuts a list into runs that follow each other.
pub(crate) fn cut<T>(mut list: Vec<T>, runs: &[Range<usize>]) -> Vec<Vec<T>> {
    let mut parts: Vec<_> = runs.iter().skip(1).rev().map(|run| list.split_off(run.start)).collect();
    parts.push(list);
    parts.reverse();
    parts
}

/// Does the work for each part on a thread of its own, the first on this one.
pub(crate) fn side_by_side<P: Send, T: Send>(parts: Vec<P>, work: impl Fn(P) -> T + Sync) -> Vec<T> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Vec::new() };
    let others: Vec<_> = parts.map(|part| Mutex::new(Some(part))).collect();
    // A part is left where it is until somebody begins with it: a system that has no thread left makes it slower, no more.
    let take = |part: &Mutex<Option<P>>| {
        let part = part.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        part.map(&work)
    };
    thread::scope(|scope| {
        let start = |part| (part, thread::Builder::new().spawn_scoped(scope, move || take(part)));
        let others: Vec<_> = others.iter().map(start).collect();
        let mut done = vec![work(first)];
        for (part, thread) in others {
            done.extend(match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(_) => take(part),
            });
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(threads: usize, costs: &[usize], expected: &[Range<usize>]) {
        let threads = Threads::Exactly(NonZero::new(threads).unwrap());
        assert_eq!(threads.runs(costs, 1), expected, "{costs:?}");
    }

    #[test]
    fn runs_cost_about_the_same_and_leave_nothing_out() {
        check(2, &[], &[]);
        check(2, &[1, 1, 1, 1], &[0..2, 2..4]);
        check(2, &[9, 1, 1, 1], &[0..1, 1..4]);
        check(3, &[1, 1], &[0..1, 1..2]);
        check(2, &[0, 0, 0], &[0..2, 2..3]);
        assert_eq!(Threads::Cores.runs(&[1, 1], 2).len(), 1);
    }

    #[test]
    fn what_comes_out_is_in_the_order_of_what_went_in() {
        let runs = Threads::Exactly(NonZero::new(3).unwrap()).runs(&[1; 10], 1);
        let done = side_by_side(cut((0..10).collect(), &runs), |part: Vec<usize>| part);
        assert!(done.len() > 1);
        assert_eq!(done.concat(), (0..10).collect::<Vec<_>>());
        assert_eq!(side_by_side(Vec::<u8>::new(), |part| part), [0; 0]);
    }
}
