//! How much is let in, and how long anything may take: what callers of EAS see.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::{Request, Response};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use wharf_gateway::{Limits, TokenDigest};

use crate::support::*;

/// An instance that holds each request until it is let go.
async fn patient() -> (Instance, Arc<Semaphore>) {
    let go = Arc::new(Semaphore::new(0));
    let waits = go.clone();
    let instance = Instance::start(move |_| {
        let go = waits.clone();
        async move {
            go.acquire().await.unwrap().forget();
            Response::new(whole("done"))
        }
    })
    .await;
    (instance, go)
}

fn refused(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.header("x-wharf-reason"))
}

#[tokio::test]
async fn a_rate_is_kept_by_the_service_and_by_each_token() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let mut hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    let token = |name: &str, rate| TokenDigest { name: name.into(), sha256: hex::encode(Sha256::digest(name)), rate };
    hello.tokens = vec![token("slow", Some(2)), token("quick", None)];
    hello.limits.rate = Some(5);
    gateway.replace(&config(1, vec![hello])).await;
    let address = gateway.address().await;
    let ask = async |name: &str| {
        let request = Request::get("/hello").header("authorization", name).body(whole("")).unwrap();
        Caller::connect(address).await.call(request).await.unwrap()
    };
    // Within one second, as windows count it: whoever begins late in it has to try again.
    let start = Instant::now();
    let mut seen = Vec::new();
    for name in ["slow", "slow", "slow", "quick", "quick", "quick", "quick", "other"] {
        let answer = ask(name).await;
        if answer.status == 429 {
            assert!(matches!(answer.header("retry-after"), "1" | "2"), "{answer:?}");
            assert_eq!(answer.header("x-wharf-reason"), "too-many-requests");
        }
        seen.push(answer.status.as_u16());
    }
    let expected = [200, 200, 429, 200, 200, 200, 429, 401];
    assert!(seen == expected || start.elapsed() > Duration::from_millis(200), "{seen:?}");
    let refused = &gateway.status().await.routes[0].refused;
    assert_eq!((refused["too-many-requests"], refused["no-token"]), (2, 1));
}

#[tokio::test]
async fn a_rate_is_kept_for_each_instance() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let mut hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    hello.limits.instance_rate = Some(3);
    gateway.replace(&config(1, vec![hello])).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    let mut good = 0;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(100) {
        let answer = caller.get("/hello").await.unwrap();
        match answer.status.as_u16() {
            200 => good += 1,
            _ => assert_eq!(refused(&answer), (429, "too-many-requests")),
        }
    }
    assert!((3..=6).contains(&good), "{good}");
    assert_eq!(echo.requests(), good);
}

#[tokio::test]
async fn only_so_many_are_let_in_at_once() {
    let gateway = Gateway::start().await;
    let (instance, go) = patient().await;
    let mut hello = route("hello", vec![serving("hello-0-g1", instance.address)]);
    hello.limits.concurrency = Some(2);
    let mut wanted = config(1, vec![hello]);
    wanted.listeners[0].limits.concurrency = Some(3);
    gateway.replace(&wanted).await;
    let address = gateway.address().await;
    let mut open = JoinSet::new();
    for _ in 0..2 {
        open.spawn(async move { get(address, "/hello").await.status.as_u16() });
    }
    eventually("both are there", async || instance.requests() == 2).await;
    let answer = get(address, "/hello").await;
    assert_eq!((refused(&answer), answer.header("retry-after")), ((429, "too-many-at-once"), "1"));
    // Changing the configuration forgets nobody.
    wanted.generation = 2;
    gateway.replace(&wanted).await;
    assert_eq!(get(address, "/hello").await.status, 429);
    go.add_permits(10);
    assert_eq!(open.join_all().await, [200, 200]);
    assert_eq!(get(address, "/hello").await.status, 200);
}

#[tokio::test]
async fn busy_instances_have_a_queue_and_a_full_one_is_450() {
    let gateway = Gateway::start().await;
    let (instance, go) = patient().await;
    let mut hello = route("hello", vec![serving("hello-0-g1", instance.address)]);
    hello.limits = Limits { instance_concurrency: Some(1), queue: Some(2), ..Limits::default() };
    gateway.replace(&config(1, vec![hello.clone()])).await;
    let address = gateway.address().await;
    let mut open = JoinSet::new();
    for queued in [0, 1, 2] {
        open.spawn(async move { get(address, "/hello").await.status.as_u16() });
        eventually("it has its place", async || {
            let status = gateway.status().await;
            status.in_flight("hello-0-g1") == 1 && status.routes[0].queued == queued
        })
        .await;
    }
    let answer = get(address, "/hello").await;
    assert_eq!(refused(&answer), (450, "queue-full"));
    assert_eq!(instance.requests(), 1);
    // They follow one after the other, never two at once.
    for number in 2..=3 {
        go.add_permits(1);
        eventually("the next is there", async || instance.requests() == number).await;
        assert_eq!(gateway.status().await.in_flight("hello-0-g1"), 1);
    }
    go.add_permits(1);
    assert_eq!(open.join_all().await, [200, 200, 200]);

    // Waiting counts as time.
    hello.timeout_ms = Some(150);
    gateway.replace(&config(2, vec![hello])).await;
    let first = tokio::spawn(async move { get(address, "/hello").await });
    eventually("it is there", async || instance.requests() == 4).await;
    let answer = get(address, "/hello").await;
    assert_eq!(refused(&answer), (408, "timeout"));
    assert_eq!(first.await.unwrap().status, 408);
}

/// An instance that writes pieces of an answer, a pause before each.
async fn halting(pieces: &'static [(u64, &'static str)]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                for (pause, piece) in pieces {
                    tokio::time::sleep(Duration::from_millis(*pause)).await;
                    let _ = stream.write_all(piece.as_bytes()).await;
                }
                std::future::pending::<()>().await;
            });
        }
    });
    address
}

/// A listener that has as many connections waiting as it takes.
struct Full {
    address: std::net::SocketAddr,
    _listener: socket2::Socket,
    _waiting: Vec<socket2::Socket>,
}

fn full() -> Full {
    let socket = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let listener = socket();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let connect = |_| {
        let waiting = socket();
        waiting.set_nonblocking(true).unwrap();
        let _ = waiting.connect(&address);
        waiting
    };
    Full { _waiting: (0..8).map(connect).collect(), address: address.as_socket().unwrap(), _listener: listener }
}

#[tokio::test]
async fn each_part_of_a_request_has_its_time() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n";
    let gateway = Gateway::start().await;
    let limited = |name: &str, address, limit: fn(&mut wharf_gateway::Timeouts)| {
        let mut route = route(name, vec![serving(&format!("{name}-0-g1"), address)]);
        limit(&mut route.timeouts);
        route
    };
    let silent = halting(&[]).await;
    let dribbling = halting(&[(0, HEAD), (0, "abc"), (10_000, "def")]).await;
    let endless = halting(&[(0, HEAD), (60, "a"), (60, "b"), (60, "c"), (60, "d"), (10_000, "e")]).await;
    let routes = vec![
        limited("first", silent, |limits| limits.first_byte_ms = Some(100)),
        limited("between", dribbling, |limits| limits.between_bytes_ms = Some(100)),
        limited("total", endless, |limits| limits.total_ms = Some(150)),
    ];
    gateway.replace(&config(1, routes)).await;
    let address = gateway.address().await;
    assert_eq!(refused(&get(address, "/first").await), (408, "timeout"));
    // An answer that has begun can only break off.
    assert!(Caller::connect(address).await.get("/between").await.is_err());
    assert!(Caller::connect(address).await.get("/total").await.is_err());

    // Nobody takes connections there, and what is tried is not refused either.
    let full = full();
    gateway.replace(&config(2, vec![limited("connect", full.address, |limits| limits.connect_ms = Some(100))])).await;
    let begin = Instant::now();
    assert_eq!(refused(&get(address, "/connect").await), (503, "cannot-connect"));
    assert!(begin.elapsed() >= Duration::from_millis(100), "{:?}", begin.elapsed());

    // A client that stops in the middle of its body.
    let mut upload = limited("upload", silent, |limits| limits.between_bytes_ms = Some(100));
    upload.timeout_ms = Some(20_000);
    gateway.replace(&config(3, vec![upload])).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("client-too-slow"), "{answer}");
}

#[tokio::test]
async fn an_entrance_is_open_to_those_it_is_for() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let mut wanted = config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])]);
    wanted.listeners[0].allow = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.0/8".parse().unwrap()];
    gateway.replace(&wanted).await;
    let address = gateway.address().await;
    assert_eq!(get(address, "/hello").await.status, 200);
    wanted.generation = 2;
    wanted.listeners[0].allow.pop();
    gateway.replace(&wanted).await;
    assert_eq!(gateway.address().await, address, "it is the same socket");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(!matches!(stream.read(&mut [0; 1]).await, Ok(1..)), "closed without a word");
}
