//! Once a drain is acknowledged and nothing is in flight, the endpoint gets nothing more: it may be stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hyper::Response;
use wharf_gateway::EndpointState;

use crate::replace::Load;
use crate::support::*;

/// An instance that counts what reaches it while it counts as stopped.
async fn stoppable() -> (Instance, Arc<AtomicBool>, Arc<AtomicUsize>) {
    let (stopped, late) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (is_stopped, counts) = (stopped.clone(), late.clone());
    let instance = Instance::start(move |_| {
        if is_stopped.load(Ordering::SeqCst) {
            counts.fetch_add(1, Ordering::SeqCst);
        }
        async { Response::new(whole("ok")) }
    })
    .await;
    (instance, stopped, late)
}

#[tokio::test]
async fn nothing_reaches_an_endpoint_that_has_drained() {
    const ROUNDS: u64 = 100;
    let gateway = Gateway::start().await;
    let instances = [stoppable().await, stoppable().await];
    let states = |generation, draining: Option<usize>| {
        let endpoints = instances.iter().enumerate().map(|(number, (instance, ..))| {
            let state = if draining == Some(number) { EndpointState::Draining } else { EndpointState::Serving };
            endpoint(&format!("hello-{number}-g1"), instance.address, state)
        });
        let mut hello = route("hello", endpoints.collect());
        // The probes are no requests, but they arrive like them.
        hello.probe = Some(wharf_gateway::Probe { every_ms: 3_600_000, ..wharf_gateway::Probe::default() });
        config(generation, vec![hello])
    };
    gateway.replace(&states(1, None)).await;
    let load = Load::start(gateway.address().await, 16);
    let mut client = gateway.client().await;
    for round in 1..=ROUNDS {
        let number = usize::try_from(round % 2).unwrap();
        let name = format!("hello-{number}-g1");
        let (_, stopped, _) = &instances[number];
        client.replace(&states(2 * round, Some(number))).await.unwrap();
        while client.status().await.unwrap().in_flight(&name) > 0 {}
        stopped.store(true, Ordering::SeqCst);
        load.go_on(10).await;
        stopped.store(false, Ordering::SeqCst);
        client.replace(&states(2 * round + 1, None)).await.unwrap();
    }
    load.end().await;
    for (instance, _, late) in &instances {
        assert_eq!(late.load(Ordering::SeqCst), 0);
        assert!(instance.requests() > 100);
    }
}
