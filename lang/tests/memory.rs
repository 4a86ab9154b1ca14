//! What reading costs in memory: a small multiple of the text, however it is made. Alone in its process, so that the
//! kernel's highest mark is that of one text after the other.

#![allow(clippy::disallowed_methods, reason = "what is tested is what the kernel says about memory")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use support::{check, check_format};

/// How long the texts are: more makes this slow, and says nothing new.
const SIZE: usize = 64 << 10;

/// The most memory that this process had so far, in MiB.
fn highest() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

#[test]
fn a_text_costs_a_small_multiple_of_its_size() {
    let before = highest();
    let nodes = |node: &str| node.repeat((SIZE) / node.len());
    for text in [
        format!("project \"{}\"", "x".repeat(SIZE)),
        format!("// {}", "x".repeat(SIZE)),
        format!("project #\"{}\"#", "\"".repeat(SIZE)),
        nodes("a {\n"),
        nodes("\"\"\"\n"),
        nodes("/*"),
        nodes("/-\n"),
        nodes("a \"b\" c=1 // d\n"),
        nodes("input \"x\" { description \"y\" }\n"),
    ] {
        check(&[&text]);
        check_format(&text);
        let most = highest() - before;
        assert!(most < 60, "{most} MiB for {:?}…", &text[..12]);
    }
}
