//! Changes and generates texts for a while, and holds what must hold of any. `make fuzz` runs it for a minute;
//! `FUZZ_SECONDS` says for how long, `FUZZ_SEED` repeats a run.

#![allow(clippy::disallowed_methods, reason = "what is tested is files and time")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    env, panic,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use support::{check, check_format, check_print, texts};

/// What mutations put in: whatever begins, ends, separates or hides something.
const PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "\"",
    "\"\"\"",
    "#",
    "#\"",
    "\"#",
    "/*",
    "*/",
    "//",
    "/-",
    "\\",
    "\\\n",
    ";",
    "=",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "${",
    "${input.x}",
    "$${",
    "}",
    "#true",
    "#null",
    "true",
    "0x",
    "1e400",
    "-",
    "9999999999999999999999999999999999999999",
    "\u{feff}",
    "\u{2028}",
    "\u{85}",
    "\u{202e}",
    "\0",
    "\u{1b}[2J",
    "é",
    "👍",
    "\\u{",
    "\\u{110000}",
    "(secret)",
    "service",
    "project \"x\"\n",
    "environment \"e\" { provider \"local\" }\n",
    "r\"",
    "[",
    "]",
    ",",
];

/// Xorshift: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

/// A range of whole characters.
fn range(text: &str, random: &mut Random, longest: usize) -> std::ops::Range<usize> {
    let start = text.floor_char_boundary(random.below(text.len() + 1));
    let end = text.floor_char_boundary((start + random.below(longest)).min(text.len()));
    start..end.max(start)
}

fn mutated(seeds: &[&str], random: &mut Random) -> String {
    let mut text = random.of(seeds).to_owned();
    for _ in 0..=random.below(8) {
        let place = range(&text, random, 20);
        match random.below(5) {
            0 => text.replace_range(place, ""),
            1 => text.replace_range(place, random.of(PIECES)),
            2 => text.insert_str(place.start, &random.of(PIECES).repeat(1 + random.below(40))),
            3 => {
                let other = random.of(seeds);
                text.insert_str(place.start, &other[range(other, random, 200)]);
            }
            _ => {
                let again = text[range(&text, random, 200)].to_owned();
                text.insert_str(place.start, &again);
            }
        }
    }
    text
}

fn generated(random: &mut Random) -> String {
    (0..random.below(60)).map(|_| random.of(PIECES)).collect()
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

#[test]
#[ignore = "runs for a minute"]
fn nothing_is_found() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = number("FUZZ_SEED").unwrap_or_else(now).max(1);
    let (end, mut count) = (Instant::now() + Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(60)), 0_u64);
    let seeds = [texts("testdata"), texts("examples"), texts("src/cli/src/starter")].concat();
    let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
    let mut random = Random(seed);
    println!("FUZZ_SEED={seed}");
    while Instant::now() < end {
        let text = if random.below(4) == 0 { generated(&mut random) } else { mutated(&seeds, &mut random) };
        let began = Instant::now();
        let held = panic::catch_unwind(|| {
            check_print(&check(&[&text]));
            check_format(&text);
        });
        assert!(held.is_ok(), "after {count} texts of FUZZ_SEED={seed}:\n{text:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "slow, after {count} texts of FUZZ_SEED={seed}:\n{text:?}");
        count += 1;
    }
    println!("{count} texts");
}
