//! The gateway under load for long, reconfigured all the time: no request may be lost, and it may not grow.

use std::time::{Duration, Instant};

use wharf_gateway::EndpointState;

use crate::replace::Load;
use crate::support::*;

/// How long, in seconds. `make soak` asks for ten minutes.
const SECONDS: &str = "WHARF_SOAK_SECONDS";
const BRIEFLY: u64 = 20;

/// Callers without a pause between two requests.
const CALLERS: usize = 32;

/// So much more memory than early on is no growth: allocators keep what they have had.
const ROOM: u64 = 16 << 20;

/// The memory that a process has, in bytes.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let row = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    row.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn it_serves_on_and_does_not_grow_while_it_is_reconfigured() {
    let seconds = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok()).unwrap_or(BRIEFLY);
    let gateway = Gateway::start().await;
    let mut instances = Vec::new();
    for _ in 0..3 {
        instances.push(Instance::start(async |_| hyper::Response::new(whole("fine"))).await);
    }
    // Each time another instance drains and the names move on, as in one roll after the other.
    let configured = |generation: u64| {
        let endpoints = instances.iter().enumerate().map(|(place, instance)| {
            let drains = generation as usize % instances.len() == place;
            let state = if drains { EndpointState::Draining } else { EndpointState::Serving };
            let roll = (generation as usize + place) / instances.len();
            endpoint(&format!("hello-{place}-g{roll}"), instance.address, state)
        });
        config(generation, vec![route("hello", endpoints.collect())])
    };
    gateway.replace(&configured(1)).await;
    let load = Load::start(gateway.address().await, CALLERS);
    let (begin, mut seen) = (Instant::now(), Vec::new());
    for generation in 2.. {
        if begin.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        gateway.replace(&configured(generation)).await;
        load.go_on(1).await;
        seen.push(memory(gateway.pid()));
    }
    let answered = load.answered.load(std::sync::atomic::Ordering::SeqCst);
    load.end().await;
    let status = gateway.status().await;
    let failed: u64 = status.routes.iter().flat_map(|route| &route.endpoints).map(|endpoint| endpoint.failed).sum();
    let third = seen.len() / 3;
    let (early, late) = (seen[third..2 * third].iter().max(), seen[2 * third..].iter().max());
    let (early, late) = (early.copied().unwrap_or_default(), late.copied().unwrap_or_default());
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "soak: {seconds} s, {answered} answered, {failed} failed, {} reconfigurations, {:.1} MiB early, {:.1} MiB late",
        seen.len(),
        mib(early),
        mib(late)
    );
    assert_eq!(failed, 0);
    assert!(late <= early + ROOM, "it grows: {:.1} MiB, then {:.1} MiB", mib(early), mib(late));
}
