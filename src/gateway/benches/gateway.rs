//! How many requests per second get through the gateway, against straight to the instance: one ratio.
//!
//! Everything runs in this process and shares its processors: an instance that answers 64 bytes, the gateway, and 64
//! callers that keep their connections. Rounds alternate, and medians are compared, so that a busy machine disturbs both
//! sides alike. Takes about ten seconds. `cargo bench -p wharf-gateway`.

#![allow(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use wharf_gateway::{Client, Config, Endpoint, Listener, Route, Settings};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(600);
const CALLERS: usize = 64;
const ANSWER: &[u8; 64] = &[b'x'; 64];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test --benches` runs this program, too, and wants nothing measured.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let owned = dir.path().to_owned();
    let gateway = std::thread::spawn(move || wharf_gateway::run(&owned, Settings::default()));
    let instance = start_instance()?;
    let runtime = runtime()?;
    let through = runtime.block_on(configure(dir.path(), instance))?;

    let (mut straight, mut proxied) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        straight.push(runtime.block_on(measure(instance))?);
        proxied.push(runtime.block_on(measure(through))?);
    }
    report("straight to the instance", &straight);
    report("through the gateway", &proxied);
    let ratio =
        median(proxied.iter().map(|round| round.per_second)) / median(straight.iter().map(|round| round.per_second));
    println!("ratio of medians             {ratio:.2}");

    runtime.block_on(async { Client::connect(dir.path()).await?.shut_down(Duration::ZERO).await })?;
    gateway.join().map_err(|_| "the gateway panicked")??;
    Ok(())
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Starts a server on a thread of its own.
fn start_instance() -> io::Result<SocketAddr> {
    let runtime = runtime()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || runtime.block_on(answer_all(listener)));
    Ok(address)
}

async fn answer_all(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service =
            service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(ANSWER)))) });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Gives the gateway a route, and returns where it listens.
async fn configure(dir: &Path, instance: SocketAddr) -> Result<SocketAddr, Box<dyn std::error::Error>> {
    let route = Route {
        name: "public/hello".into(),
        service: "hello".into(),
        paths: vec!["/api/predict/hello".into()],
        timeout_ms: Some(5_000),
        max_body: Some(1 << 20),
        endpoints: vec![Endpoint::serving("hello-0-g1", instance)],
        ..Route::default()
    };
    let listeners = vec![Listener::plain("public", ([127, 0, 0, 1], 0).into())];
    let config = Config { generation: 1, listeners, routes: vec![route], ..Config::empty() };
    let start = Instant::now();
    let mut client = loop {
        match Client::connect(dir).await {
            Ok(client) => break client,
            Err(error) if start.elapsed() > Duration::from_secs(5) => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    client.replace(&config).await?;
    Ok(client.status().await?.listeners[0].address)
}

/// What one round gave.
struct Round {
    per_second: f64,
    /// The 99th of 100 answers, in milliseconds.
    late: f64,
}

async fn measure(address: SocketAddr) -> io::Result<Round> {
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(call_until(address, start + ROUND));
    }
    let mut times = Vec::new();
    while let Some(called) = callers.join_next().await {
        times.extend(called.map_err(io::Error::other)??);
    }
    times.sort_unstable();
    let late = times[times.len() * 99 / 100].as_secs_f64() * 1_000.0;
    Ok(Round { per_second: times.len() as f64 / start.elapsed().as_secs_f64(), late })
}

/// Calls again and again on one connection; returns how long each answer took.
async fn call_until(address: SocketAddr, end: Instant) -> io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut times = Vec::new();
    let mut buffer = [0; 4096];
    while Instant::now() < end {
        let start = Instant::now();
        stream.write_all(b"GET /api/predict/hello HTTP/1.1\r\nhost: example.com\r\naccept: */*\r\n\r\n").await?;
        let mut filled = 0;
        while !buffer[..filled].ends_with(ANSWER) {
            match stream.read(&mut buffer[filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        times.push(start.elapsed());
    }
    Ok(times)
}

fn report(what: &str, rounds: &[Round]) {
    let per_second = median(rounds.iter().map(|round| round.per_second));
    let late = median(rounds.iter().map(|round| round.late));
    println!("{what:<28} {per_second:>8.0} requests/s   p99 {late:.2} ms");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
