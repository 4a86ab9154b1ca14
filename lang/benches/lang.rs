//! Reading a large project, against a bare parse of the same bytes: `cargo bench -p wharf-lang --bench lang`.
//!
//! A generated service is some thirty lines and uses every field of the table; ten of them make a file. The budget is for
//! 10,000 services. Every figure is the median of several runs in one process; what counts are the ratios, and how time
//! grows with size.

#![allow(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for developers that prints and may stop")]

use kdl::KdlDocument;
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    time::{Duration, Instant},
};
use wharf_lang::{Request, SourceFile, load, schema};

const SERVICES_PER_FILE: usize = 10;
const GATEWAYS: usize = 20;
const SECRETS: usize = 50;
const SIZES: [usize; 4] = [1_250, 2_500, 5_000, 10_000];
/// For 10,000 services on two cores.
const BUDGET: Duration = Duration::from_secs(1);
const MEMORY: u64 = 600;
/// What a checked and resolved deployment may cost over a bare parse.
const OVER_BARE: f64 = 1.5;

/// What all services share.
fn head() -> String {
    let mut text = "// The project, and what its services share.\nproject \"bench\" requires-wharf=\">=0.1\"\n\
        input \"tag\" default=\"1.4.2\" { description \"image tag to release\" }\ninput \"level\" default=\"info\"\n"
        .to_owned();
    for number in 0..SECRETS {
        let source = match number % 3 {
            0 => format!("env \"TOKEN_{number}\""),
            1 => format!("file \"secrets/token-{number}\""),
            _ => format!("command \"pass\" \"show\" \"token-{number}\""),
        };
        let _ = writeln!(text, "secret \"token-{number}\" {{ {source} }}");
    }
    for number in 0..GATEWAYS {
        let port = 10_000 + number;
        let _ = writeln!(
            text,
            "gateway \"public-{number}\" {{\n    listen {port} address=\"0.0.0.0\"\n    max-body \"4MiB\"\n}}"
        );
    }
    text
}

/// One service in ten is changed by the environment.
fn environment(services: usize) -> String {
    let mut text =
        "environment \"dev\" {\n    provider \"local\" { image \"host\" }\n    gateway \"public-0\" { max-body \"8MiB\" }\n"
            .to_owned();
    for number in (0..services).step_by(10) {
        let _ = writeln!(
            text,
            "    service \"chat-{number}\" {{\n        instances 3\n        env {{ LOG_LEVEL \"debug\" }}\n    }}"
        );
    }
    text + "}\n"
}

fn service(number: usize) -> String {
    let (gateway, secret) = (number % GATEWAYS, number % SECRETS);
    let program = match number % 4 {
        0 => "script \"\"\"\n        set -eu\n        exec python /mnt/data/app.py --port \"$PORT\"\n        \"\"\"",
        _ => "command \"python\" \"/mnt/data/app.py\" \"--tag\" \"${input.tag}\"",
    };
    let check = if number.is_multiple_of(5) { "tcp" } else { "http \"/health?deep=1\"" };
    format!(
        r#"
// Answers questions about topic {number}; the team of topic {gateway} is on call for it.
service "chat-{number}" {{
    image "registry.example.com/team-{gateway}/chat:${{input.tag}}"
    {program}
    port 8000
    packages "flask==2.3.3" "gunicorn>=21" "numpy~=1.26"
    env {{
        LOG_LEVEL "${{input.level}}"
        MODEL_NAME "qwen2.5-{number}b-instruct"
        WORKERS 4
        TRACE #false
        HF_TOKEN (secret)"token-{secret}"
    }}
    mount "/mnt/data" {{ folder "./services/chat-{number}" read-only=#true live=#false }}
    mount "/mnt/models" {{ folder "./models" read-only=#true live=#true }}
    instances 2
    health {{
        readiness {{ {check}; every "2s"; timeout "1s"; failures 3; successes 1 }}
    }}
    rollout {{
        max-surge "25%"; max-unavailable 0; min-ready "5s"
        deadline "10m"; on-failure "rollback"
    }}
    shutdown {{ grace "30s"; sigterm #true }}
    timeout "15s"
    auth {{ token (secret)"token-{secret}" }}
    expose "public-{gateway}" path="/topics/{number}"
}}
"#
    )
}

fn project(services: usize) -> Vec<SourceFile> {
    let shared = [head(), environment(services)].into_iter();
    let numbers: Vec<_> = (0..services).collect();
    let texts = shared.chain(numbers.chunks(SERVICES_PER_FILE).map(|some| some.iter().map(|n| service(*n)).collect()));
    let file = |(at, text): (usize, String)| SourceFile { name: format!("{at:05}.kdl").into(), text: text.into() };
    texts.enumerate().map(file).collect()
}

/// The rows of the table that no generated file uses. They should be none, so that the figures are about the language.
fn unused(files: &[SourceFile]) -> Vec<&'static str> {
    let mut words = BTreeSet::new();
    for file in files {
        words.extend(file.text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-'));
    }
    schema().iter().filter(|row| !words.contains(row.name())).map(|row| row.path).collect()
}

fn read(files: &[SourceFile]) {
    let request = Request { files, wharf_version: "0.1.0", ..Request::default() };
    let loaded = load(&request);
    assert!(loaded.deployment.is_some(), "{:?}", loaded.problems.iter().next());
}

fn bare(files: &[SourceFile]) {
    for file in files {
        drop(KdlDocument::parse_v2(&file.text).unwrap());
    }
}

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

/// The most memory that this process ever held, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let (mut before, mut rows) = (None, Vec::new());
    for services in SIZES {
        let files = project(services);
        let took = median(5, || read(&files));
        rows.push((files, took, peak()));
    }
    // The bare parse comes last: what it holds is not to count.
    println!(
        "{:>8} {:>7} {:>6}  {:>9} {:>7} {:>7}  {:>9} {:>9}  {:>8}",
        "services", "lines", "MB", "load", "growth", "MB/s", "bare kdl", "over bare", "peak"
    );
    for (services, (files, took, peak)) in SIZES.into_iter().zip(&rows) {
        let lines: usize = files.iter().map(|file| file.text.lines().count()).sum();
        let megabytes = files.iter().map(|file| file.text.len()).sum::<usize>() as f64 / 1e6;
        let parse = median(1, || bare(files));
        let growth = before.map(|before: Duration| format!("{:.1}x", took.as_secs_f64() / before.as_secs_f64()));
        before = Some(*took);
        println!(
            "{services:>8} {lines:>7} {megabytes:>6.1}  {:>7.0}ms {:>7} {:>7.1}  {:>7.0}ms {:>9.3}  {peak:>5}MiB",
            took.as_secs_f64() * 1_000.0,
            growth.unwrap_or_default(),
            megabytes / took.as_secs_f64(),
            parse.as_secs_f64() * 1_000.0,
            took.as_secs_f64() / parse.as_secs_f64(),
        );
    }
    let (files, took, peak) = rows.last().unwrap();
    println!(
        "budget at {} services: {:.2} of {} s, {:.2} of {MEMORY} MiB; goal over bare: at most {OVER_BARE}",
        SIZES[SIZES.len() - 1],
        took.as_secs_f64() / BUDGET.as_secs_f64(),
        BUDGET.as_secs(),
        *peak as f64 / MEMORY as f64,
    );
    let unused = unused(files);
    if !unused.is_empty() {
        println!("fields that no generated file uses: {}", unused.join(", "));
    }
}
