//! Which instance gets a request: shares, callers who stay, instances that do badly.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::{Request, Response, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use wharf_gateway::{Endpoint, Probe, Share, Sticky};

use crate::support::*;

/// A probe that never comes in the way.
fn unprobed() -> Option<Probe> {
    Some(Probe { every_ms: 3_600_000, ..Probe::default() })
}

fn of_share(name: &str, share: &str, address: std::net::SocketAddr) -> Endpoint {
    Endpoint { share: Some(share.into()), ..serving(name, address) }
}

#[tokio::test]
async fn a_canary_gets_its_thousandths() {
    let gateway = Gateway::start().await;
    let (old, new) = (Instance::named("old").await, Instance::named("new").await);
    let mut hello =
        route("hello", vec![of_share("hello-0-g1", "old", old.address), of_share("hello-0-g2", "new", new.address)]);
    let share = |name: &str, weight| Share { name: name.into(), weight };
    hello.shares = vec![share("old", 900), share("new", 100)];
    hello.probe = unprobed();
    gateway.replace(&config(1, vec![hello.clone()])).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    for _ in 0..2_000 {
        assert_eq!(caller.get("/hello").await.unwrap().status, 200);
    }
    assert!((130..=270).contains(&new.requests()), "{} of 2,000", new.requests());

    hello.shares[1].weight = 0;
    gateway.replace(&config(2, vec![hello])).await;
    let before = new.requests();
    for _ in 0..200 {
        assert_eq!(caller.get("/hello").await.unwrap().text, "old");
    }
    assert_eq!(new.requests(), before);
}

#[tokio::test]
async fn a_caller_stays_with_an_instance() {
    let gateway = Gateway::start().await;
    let instances = [Instance::named("a").await, Instance::named("b").await, Instance::named("c").await];
    let endpoints = instances.iter().enumerate();
    let endpoints = endpoints.map(|(number, at)| serving(&format!("hello-{number}-g1"), at.address)).collect();
    let mut hello = route("hello", endpoints);
    hello.sticky = Some(Sticky::Header("x-session".into()));
    gateway.replace(&config(1, vec![hello])).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    let mut met = BTreeMap::new();
    for round in 0..5 {
        for session in 0..30 {
            let request = Request::get("/hello").header("x-session", session.to_string()).body(whole("")).unwrap();
            let name = caller.call(request).await.unwrap().text;
            let first = met.entry(session).or_insert_with(|| name.clone());
            assert_eq!(*first, name, "session {session} in round {round}");
        }
    }
    let everywhere: std::collections::BTreeSet<_> = met.values().collect();
    assert_eq!(everywhere.len(), 3, "{met:?}");
}

#[tokio::test]
async fn an_instance_that_only_fails_is_passed_over_and_comes_back() {
    let gateway = Gateway::start().await;
    let broken = Arc::new(AtomicBool::new(true));
    let seen = broken.clone();
    let sick = Instance::start(move |_| {
        let broken = seen.load(Ordering::SeqCst);
        async move {
            let mut response = Response::new(whole("sick"));
            if broken {
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            response
        }
    })
    .await;
    let (well, other) = (Instance::named("well").await, Instance::named("well").await);
    let endpoints = vec![serving("sick", sick.address), serving("well", well.address), serving("other", other.address)];
    let mut hello = route("hello", endpoints);
    hello.probe = unprobed();
    gateway.replace(&config(1, vec![hello])).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    let start = Instant::now();
    let mut failed = 0;
    while start.elapsed() < Duration::from_millis(500) {
        failed += usize::from(caller.get("/hello").await.unwrap().status == 500);
    }
    assert_eq!(failed, 5, "five in a row are a burst");
    assert!(endpoint_status(&gateway.status().await, "sick").ejected);
    broken.store(false, Ordering::SeqCst);
    let mut back = 0;
    eventually("it gets requests again", async || {
        let answer = caller.get("/hello").await.unwrap();
        assert_eq!(answer.status, 200);
        back += usize::from(answer.text == "sick");
        back > 3
    })
    .await;
}

#[tokio::test]
async fn an_instance_that_dies_costs_no_request_that_may_be_repeated() {
    let gateway = Gateway::start().await;
    let (dying, well) = (Instance::named("dying").await, Instance::named("well").await);
    let mut hello = route("hello", vec![serving("dying", dying.address), serving("well", well.address)]);
    hello.probe = unprobed();
    gateway.replace(&config(1, vec![hello])).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    for round in 0..200 {
        if round == 100 {
            assert!(dying.requests() > 0);
            dying.die().await;
        }
        assert_eq!(caller.get("/hello").await.unwrap().status, 200, "round {round}");
    }
    assert!(endpoint_status(&gateway.status().await, "dying").ejected, "out of the rotation, with no probe's help");
}

#[tokio::test]
async fn an_instance_that_hangs_leaves_the_rotation_within_five_seconds() {
    let gateway = Gateway::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            held.push(tokio::spawn(async move { while !matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)) {} }));
        }
    });
    let well = Instance::named("well").await;
    let mut hello = route("hello", vec![serving("hanging", hanging), serving("well", well.address)]);
    let check = wharf_gateway::Check::Http { path: "/health".into() };
    hello.probe = Some(Probe { check, every_ms: 1_000, timeout_ms: 1_000, failures: 3, successes: 1 });
    gateway.replace(&config(1, vec![hello])).await;
    let start = Instant::now();
    eventually("it is out", async || !endpoint_status(&gateway.status().await, "hanging").ready).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let status = gateway.status().await;
    let words = endpoint_status(&status, "hanging").last_answer.clone();
    assert_eq!(words.as_deref(), Some("no answer within 1s"));
}
