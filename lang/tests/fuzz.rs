//! Changes and makes texts for a while, and holds what must hold of any: it is read, checked and resolved, formatted, and
//! printed with everything laid together, without a panic, in little time and memory. `make fuzz` runs it for a minute;
//! `FUZZ_SECONDS` says for how long, `FUZZ_SEED` repeats a run.

#![allow(clippy::disallowed_methods, reason = "what is tested is files and time")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    env, fs, panic,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use support::{check, check_expanded, check_format, check_meaning, check_print, generate, random::Random, texts};

/// Far more than any of these texts takes, also where everything else runs at once.
const SLOW: Duration = Duration::from_secs(20);
/// What a text may cost in memory, however short it is, and for each of its bytes: problems with their excerpts, three
/// times read, formatted, printed.
const LEAST: usize = 4 << 20;
const TIMES: usize = 200;

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

/// What this process held when it was looked at, with the highest mark set back to that.
struct Memory(usize);

impl Memory {
    fn mark() -> Self {
        // Where the kernel does not allow it, the mark is that of all texts so far, which holds for less.
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self(Self::read("VmRSS:"))
    }

    /// How many bytes more it held at some time since.
    fn grown(&self) -> usize {
        Self::read("VmHWM:").saturating_sub(self.0)
    }

    fn read(name: &str) -> usize {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
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

fn pieces(random: &mut Random) -> String {
    (0..random.below(60)).map(|_| random.of(PIECES)).collect()
}

/// What a text is taken for: a project to be changed, one that was made from the table, or pieces without sense.
fn next(seeds: &[&str], random: &mut Random) -> String {
    match random.below(8) {
        0 => pieces(random),
        1 => generate::project(random).text,
        2 => mutated(&[&generate::project(random).text], random),
        _ => mutated(seeds, random),
    }
}

/// Everything that reads a text, and what must hold of each.
fn run(text: &str) {
    let loaded = check(&[text]);
    check_print(&loaded);
    check_format(text);
    if loaded.deployment.is_some() {
        check_meaning(text, &loaded);
        check_expanded(&loaded);
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

#[test]
#[ignore = "runs for a minute; `make test` runs it beside the others"]
fn nothing_is_found() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = number("FUZZ_SEED").unwrap_or_else(now).max(1);
    let (end, mut count) = (Instant::now() + Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(60)), 0_u64);
    let seeds = [texts("testdata"), texts("examples"), texts("src/cli/src/starter")].concat();
    let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
    let (mut random, again) = (Random::new(seed), format!("`make fuzz FUZZ_SEED={seed}` repeats it"));
    println!("fuzz: {again}");
    // The code itself and what it keeps for good is in memory before anything is measured.
    seeds.iter().for_each(|text| run(text));
    let mut most = 0;
    while Instant::now() < end {
        let text = next(&seeds, &mut random);
        let (began, before) = (Instant::now(), Memory::mark());
        let held = panic::catch_unwind(|| run(&text));
        let grown = before.grown();
        assert!(held.is_ok(), "after {count} texts; {again}:\n{text:?}");
        assert!(began.elapsed() < SLOW, "slow, after {count} texts; {again}:\n{text:?}");
        assert!(grown < LEAST + TIMES * text.len(), "{grown} bytes, after {count} texts; {again}:\n{text:?}");
        most = most.max(grown);
        count += 1;
    }
    println!("fuzz: nothing found in {count} texts, of which none took more than {} KiB", most >> 10);
}
