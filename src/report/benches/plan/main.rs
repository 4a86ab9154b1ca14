//! Planning and every view of a plan at 1 k, 10 k and 100 k resources against the budgets: `make bench-plan`.
//!
//! Every figure is the median of several runs in one process; what counts is its ratio to the budget by the clock, and how
//! the time on a processor grows when the project doubles. Another work is another row of `WORKS`.

#![allow(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for developers that prints and may stop")]

mod project;

use project::Project;
use std::{
    hint::black_box,
    time::{Duration, Instant},
};
use wharf_report::{Layout, drift, html, markdown, svg, terminal};

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

const WORKS: [Work; 9] = [
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
    Work {
        name: "no drift",
        budget: UNCHANGED,
        applied: true,
        run: |project| assert!(black_box(project.drift()).is_none()),
    },
    Work {
        name: "drift of 1 %, terminal",
        budget: NEW,
        applied: true,
        run: |project| drop(black_box(drift(&project.without_some().drift(), &[], Layout { width: 100 }))),
    },
];

/// How long a work took: by the clock, and on a processor, which other programs of the machine lengthen less.
#[derive(Clone, Copy)]
struct Took {
    clock: Duration,
    processor: Duration,
}

fn median(runs: usize, mut work: impl FnMut()) -> Took {
    let (mut clock, mut processor) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (began, ran) = (Instant::now(), on_processor());
        work();
        clock.push(began.elapsed());
        processor.push(on_processor().saturating_sub(ran));
    }
    let middle = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    Took { clock: middle(clock), processor: middle(processor) }
}

/// How long this thread ran so far.
fn on_processor() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(told.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0))
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

/// How much longer one took than the other: by the processor's time, unless that is too short to be told exactly.
fn growth(half: Took, whole: Took) -> f64 {
    let exact = half.processor > Duration::from_millis(10);
    let of = |took: Took| if exact { took.processor } else { took.clock };
    of(whole).as_secs_f64() / of(half).as_secs_f64()
}

fn measure(resources: usize) -> Vec<(Took, u64)> {
    let runs = if resources < 50_000 { 9 } else { 3 };
    let mut project = Project::new(resources);
    let mut applied = false;
    let measured = WORKS.iter().map(|work| {
        if work.applied && !applied {
            project.apply();
            applied = true;
        }
        forget_peak();
        (median(runs, || (work.run)(&project)), peak())
    });
    measured.collect()
}

fn main() {
    println!(
        "{:>9}  {:<22} {:>10} {:>10} {:>8} {:>6} {:>12} {:>9}",
        "resources", "work", "clock", "processor", "budget", "ratio", "per doubling", "peak"
    );
    for (size, resources) in SIZES.into_iter().enumerate() {
        let halves = measure(resources / 2);
        let wholes = measure(resources);
        for ((work, (half, _)), (took, peak)) in WORKS.iter().zip(halves).zip(wholes) {
            let budget = Duration::from_millis(work.budget[size]);
            let over = if size + 1 == SIZES.len() && peak > PEAK { " over" } else { "" };
            println!(
                "{resources:>9}  {:<22} {:>8.1}ms {:>8.1}ms {:>6}ms {:>6.2} {:>11.2}x {peak:>6}MiB{over}",
                work.name,
                took.clock.as_secs_f64() * 1_000.0,
                took.processor.as_secs_f64() * 1_000.0,
                budget.as_millis(),
                took.clock.as_secs_f64() / budget.as_secs_f64(),
                growth(half, took),
            );
        }
    }
}
