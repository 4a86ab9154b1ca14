//! Planning and every view of a plan at 1 k, 10 k and 100 k resources against the budgets: `make bench-plan`.
//!
//! Every figure is the median of several runs in one process; what counts is its ratio to the budget, and how the time
//! grows when the project doubles. Another work is another row of `WORKS`.

#![allow(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for developers that prints and may stop")]

mod project;

use project::Project;
use std::{
    hint::black_box,
    time::{Duration, Instant},
};
use wharf_report::{Layout, html, markdown, svg, terminal};

/// One thing that is measured.
struct Work {
    name: &'static str,
    /// Milliseconds at each size.
    budget: [u64; 3],
    /// Whether the project was applied before.
    applied: bool,
    run: fn(&Project),
}

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const UNCHANGED: [u64; 3] = [20, 120, 1_000];
const NEW: [u64; 3] = [40, 300, 3_000];
/// The most memory at the largest size, in MiB: 800 MB.
const PEAK: u64 = 762;

const WORKS: [Work; 7] = [
    Work { name: "all new", budget: NEW, applied: false, run: |project| drop(black_box(project.plan())) },
    Work {
        name: "all new, with Markdown",
        budget: NEW,
        applied: false,
        run: |project| drop(black_box(markdown(&project.plan(), None))),
    },
    Work {
        name: "all new, with JSON",
        budget: NEW,
        applied: false,
        run: |project| drop(black_box(project.plan().json())),
    },
    Work {
        name: "all new, with terminal",
        budget: NEW,
        applied: false,
        run: |project| drop(black_box(terminal(&project.plan(), None, Layout { width: 100 }))),
    },
    Work {
        name: "all new, with SVG",
        budget: NEW,
        applied: false,
        run: |project| drop(black_box(svg(&project.plan()))),
    },
    Work {
        name: "all new, with HTML",
        budget: NEW,
        applied: false,
        run: |project| drop(black_box(html(&project.plan(), None))),
    },
    Work { name: "nothing changed", budget: UNCHANGED, applied: true, run: |project| drop(black_box(project.plan())) },
];

fn median(runs: usize, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..runs)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// The most memory that this process held since the last [`forget_peak`], in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Lets the kernel measure the peak anew. Where it does not, peaks are those of all work before as well.
fn forget_peak() {
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

/// How much longer twice as much takes, from what ten times as much takes.
fn per_doubling(before: Duration, after: Duration) -> f64 {
    (after.as_secs_f64() / before.as_secs_f64()).powf(1.0 / 10_f64.log2())
}

fn main() {
    println!(
        "{:>9}  {:<22} {:>10} {:>8} {:>6} {:>12} {:>9}",
        "resources", "work", "median", "budget", "ratio", "per doubling", "peak"
    );
    let mut before = [None; WORKS.len()];
    for (size, resources) in SIZES.into_iter().enumerate() {
        let runs = if resources < 100_000 { 9 } else { 3 };
        let mut project = Project::new(resources);
        let mut applied = false;
        for (row, work) in WORKS.iter().enumerate() {
            if work.applied && !applied {
                project.apply();
                applied = true;
            }
            forget_peak();
            let took = median(runs, || (work.run)(&project));
            let budget = Duration::from_millis(work.budget[size]);
            let growth = before[row].map(|before| format!("{:.2}x", per_doubling(before, took))).unwrap_or_default();
            let over = if size + 1 == SIZES.len() && peak() > PEAK { " over" } else { "" };
            println!(
                "{resources:>9}  {:<22} {:>8.1}ms {:>6}ms {:>6.2} {growth:>12} {:>6}MiB{over}",
                work.name,
                took.as_secs_f64() * 1_000.0,
                budget.as_millis(),
                took.as_secs_f64() / budget.as_secs_f64(),
                peak()
            );
            before[row] = Some(took);
        }
    }
}
