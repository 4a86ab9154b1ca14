//! Things that lead back to themselves.

use crate::source::Place;

/// A way that leads back to where it began.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Circle {
    /// Where it begins and ends.
    pub(crate) first: usize,
    /// The step that begins it.
    pub(crate) begins: Place,
    /// The step that closes it; the same where something names itself.
    pub(crate) closes: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    OnTheWay,
    Done,
}

/// The circles among things: for each, where it leads and by which step. Each step is followed once.
pub(crate) fn circles(steps: &[Vec<(usize, Place)>]) -> Vec<Circle> {
    let mut marks = vec![Mark::New; steps.len()];
    let mut found = Vec::new();
    for start in 0..steps.len() {
        if marks[start] == Mark::New {
            walk(steps, start, &mut marks, &mut found);
        }
    }
    found
}

fn walk(steps: &[Vec<(usize, Place)>], start: usize, marks: &mut [Mark], found: &mut Vec<Circle>) {
    // The way from the start, each thing with how many of its steps were taken.
    let mut way = vec![(start, 0)];
    marks[start] = Mark::OnTheWay;
    while let Some((at, taken)) = way.last_mut() {
        let Some((next, closes)) = steps[*at].get(*taken).copied() else {
            marks[*at] = Mark::Done;
            way.pop();
            continue;
        };
        *taken += 1;
        match marks[next] {
            Mark::New => {
                marks[next] = Mark::OnTheWay;
                way.push((next, 0));
            }
            Mark::OnTheWay => {
                let begins =
                    way.iter().find(|(known, _)| *known == next).map(|(known, taken)| steps[*known][*taken - 1].1);
                found.push(Circle { first: next, begins: begins.unwrap_or(closes), closes });
            }
            Mark::Done => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(steps: &[&[usize]], expected: &[(usize, usize, usize)]) {
        let place = |start| Place::new(0, start, 1);
        let mut number = 0;
        let mut step = |to: &usize| {
            number += 1;
            (*to, place(number))
        };
        let steps: Vec<Vec<_>> = steps.iter().map(|steps| steps.iter().map(&mut step).collect()).collect();
        let found: Vec<_> =
            circles(&steps).iter().map(|one| (one.first, one.begins.start(), one.closes.start())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn circles_are_found_once() {
        check(&[&[1], &[2], &[]], &[]);
        check(&[&[0]], &[(0, 1, 1)]);
        check(&[&[1], &[2], &[1, 0]], &[(1, 2, 3), (0, 1, 4)]);
        check(&[&[1, 2], &[3], &[3], &[]], &[]);
    }
}
