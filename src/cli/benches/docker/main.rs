//! What wharf costs on a Docker Engine beside the engine: against the bare calls of its API, docker-compose and a service of
//! Swarm, with the same image, limits and network, in one run.
//!
//! - so many containers are created and started, all at once where each tool does so; medians of rounds in which the tools
//!   take turns;
//! - a plan is made while all of them run and nothing is to change;
//! - ten containers are replaced one after the other, the next before the last, against the time of the same bare calls one
//!   after the other, which nothing can go below.
//!
//! Lines are the other's time over ours: above 1 is better. `make bench-docker`; COUNTS=50,200 and ROUNDS=3 come from the
//! environment.

#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first surprise")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::disallowed_methods, reason = "it measures time, and starts what it measures")]

mod bare;
#[path = "../../../../providers/docker/tests/support/mod.rs"]
mod engine;
mod tools;

use bare::Bare;
use std::time::Duration;
use tools::{Compose, Swarm, Tool, Wharf};

/// What is replaced one after the other.
const ROLLED: usize = 10;

fn main() {
    // `cargo test --benches` runs this program, too, and wants nothing measured.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let counts = std::env::var("COUNTS").unwrap_or_else(|_| "50,200".to_owned());
    let counts: Vec<usize> = counts.split(',').map(|count| count.parse().unwrap()).collect();
    let host = engine::host_apart();
    let bare = Bare::new(&host);
    let tools: [Box<dyn Tool>; 4] = [
        Box::new(Wharf::new(&host)),
        Box::new(bare.clone()),
        Box::new(Compose::new(&host)),
        Box::new(Swarm::new(&host)),
    ];
    for count in counts {
        create(&tools, &bare, count, rounds);
    }
    roll(&tools, &bare, rounds);
}

/// All containers at once, and then nothing to do.
fn create(tools: &[Box<dyn Tool>], bare: &Bare, count: usize, rounds: usize) {
    let (mut made, mut idle) = (vec![Vec::new(); tools.len()], vec![Vec::new(); tools.len()]);
    for _ in 0..rounds {
        for (number, tool) in tools.iter().enumerate() {
            made[number].push(bare.until_running(count, || tool.create(count)));
            idle[number].extend(tool.idle(count));
            tool.remove();
            bare.assert_empty();
        }
    }
    tell(tools, &format!("create {count}"), &made);
    tell(tools, &format!("nothing to change of {count}"), &idle);
}

/// One container after the other.
fn roll(tools: &[Box<dyn Tool>], bare: &Bare, rounds: usize) {
    let mut took = vec![Vec::new(); tools.len()];
    for _ in 0..rounds {
        for (number, tool) in tools.iter().enumerate() {
            bare.until_running(ROLLED, || tool.create(ROLLED));
            took[number].extend(tool.roll(ROLLED));
            tool.remove();
            bare.assert_empty();
        }
    }
    tell(tools, &format!("roll {ROLLED}"), &took);
}

/// Ours is the first.
fn tell(tools: &[Box<dyn Tool>], what: &str, took: &[Vec<Duration>]) {
    let Some(ours) = median(&took[0]) else { return };
    println!("wharf {what}: {:.2} s", ours.as_secs_f64());
    for (tool, took) in tools.iter().zip(took).skip(1) {
        if let Some(theirs) = median(took) {
            let name = tool.name();
            println!("{name} {what}: {:.2} ({:.2} s)", theirs.div_duration_f64(ours), theirs.as_secs_f64());
        }
    }
}

fn median(took: &[Duration]) -> Option<Duration> {
    let mut took = took.to_vec();
    took.sort();
    took.get(took.len() / 2).copied()
}
