//! A new gateway takes over from an old one, and streams are ended politely.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Channel};
use hyper::{Request, Response};
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};
use tokio_tungstenite::{WebSocketStream, connect_async};
use wharf_gateway::{EndpointState, Listener, holder};

use crate::replace::Load;
use crate::support::*;

/// An instance with three faces: it answers at once, streams events every 20 ms, and echoes over WebSockets.
async fn faces() -> Instance {
    Instance::start(|mut request| async move {
        match request.uri().path() {
            "/events" => {
                let (mut body, stream) = Channel::<bytes::Bytes, Box<dyn std::error::Error + Send + Sync>>::new(1);
                tokio::spawn(async move {
                    for number in 0.. {
                        // In two pieces: between them nobody may end the stream.
                        let (first, second) = (format!("id: {number}\nda"), format!("ta: {number}\n\n"));
                        body.send_data(first.into()).await.ok()?;
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        body.send_data(second.into()).await.ok()?;
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    Some(())
                });
                Response::builder().header("content-type", "text/event-stream").body(stream.boxed()).unwrap()
            }
            "/socket" => {
                let key = request.headers()["sec-websocket-key"].clone();
                let upgraded = hyper::upgrade::on(&mut request);
                tokio::spawn(async move {
                    let stream = hyper_util::rt::TokioIo::new(upgraded.await.unwrap());
                    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
                    while let Some(Ok(message)) = socket.next().await {
                        if message.is_text() && socket.send(message).await.is_err() {
                            break;
                        }
                    }
                });
                let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
                let response = Response::builder().status(101).header("connection", "upgrade");
                let response = response.header("upgrade", "websocket").header("sec-websocket-accept", accept);
                response.body(whole("")).unwrap()
            }
            _ => Response::new(whole("ok")),
        }
    })
    .await
}

#[tokio::test]
async fn nobody_is_refused_while_one_gateway_takes_over_from_another() {
    const STREAMS: usize = 64;
    let dir = tempfile::tempdir().unwrap();
    let instance = faces().await;
    let hello = |state| vec![route("hello", vec![endpoint("hello-0-g1", instance.address, state)])];
    let mut wanted = config(1, hello(EndpointState::Serving));
    wanted.listeners = vec![Listener::plain("public", nowhere())];
    let address = wanted.listeners[0].address;
    let mut gateway = Gateway::start_in(dir.path()).await;
    gateway.replace(&wanted).await;
    let old = gateway.pid();

    let load = Load::start(address, 16);
    let ends = Arc::new(AtomicBool::new(false));
    let mut streams = JoinSet::new();
    for number in 0..STREAMS {
        let ends = ends.clone();
        streams.spawn(async move {
            let mut body = match number % 2 {
                0 => {
                    let mut caller = Caller::connect(address).await;
                    let request = Request::get("/hello/events").body(whole("")).unwrap();
                    caller.send(request).await.unwrap().into_body()
                }
                _ => return follow_socket(address, ends).await,
            };
            while !ends.load(Ordering::SeqCst) {
                let frame = tokio::time::timeout(PATIENCE, body.frame()).await.expect("events go on");
                frame.expect("the stream goes on").unwrap();
            }
        });
    }
    let in_flight = async |gateway: &Gateway| gateway.status().await.in_flight("hello-0-g1");
    eventually("all streams are open", async || in_flight(&gateway).await >= STREAMS as u64).await;
    load.go_on(500).await;

    let start = Instant::now();
    let before = load.answered.load(Ordering::SeqCst);
    let mut successor = Gateway::take_over(dir.path()).await;
    assert_eq!(holder(dir.path()).unwrap(), Some(successor.pid()));
    assert_ne!(successor.pid(), old);
    let rate = (load.answered.load(Ordering::SeqCst) - before) as f64 / start.elapsed().as_secs_f64();
    load.go_on(2_000).await;
    println!("{rate:.0} requests a second while it took over, in {:?}", start.elapsed());
    // The successor knows of the streams that the old one has.
    assert!(in_flight(&successor).await >= STREAMS as u64);
    assert_eq!(streams.len(), STREAMS, "none is cut");
    assert!(streams.try_join_next().is_none());

    // What is configured now reaches the old one, too: a drained instance gets nothing from either.
    let other = faces().await;
    wanted.generation = 2;
    wanted.routes = hello(EndpointState::Draining);
    wanted.routes[0].endpoints.push(serving("hello-1-g1", other.address));
    successor.replace(&wanted).await;
    // Requests that were on their way to it arrive; then the streams alone are left.
    eventually("the streams alone are left", async || in_flight(&successor).await == STREAMS as u64).await;
    let seen = instance.requests();
    load.go_on(1_000).await;
    assert_eq!(instance.requests(), seen);
    assert!(in_flight(&successor).await >= STREAMS as u64);

    ends.store(true, Ordering::SeqCst);
    while let Some(ended) = streams.join_next().await {
        ended.unwrap();
    }
    load.end().await;
    assert!(gateway.ended().await.success(), "the old one ends with its last connection");
    eventually("nothing is left of it", async || in_flight(&successor).await == 0).await;
    assert_eq!(get(address, "/hello").await.status, 200);
    successor.signal(Signal::SIGTERM);
    assert!(successor.ended().await.success());
}

/// An instance that says who it is.
async fn named(name: &'static str) -> Instance {
    Instance::start(move |_| async move { Response::new(whole(name)) }).await
}

#[tokio::test]
async fn whoever_was_taken_over_from_twice_follows_still() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new, events) = (named("old").await, named("new").await, faces().await);
    let hello = |instance: &Instance, name| route("hello", vec![serving(name, instance.address)]);
    let stream = |state| route("stream", vec![endpoint("stream-0-g1", events.address, state)]);
    let mut first = Gateway::start_in(dir.path()).await;
    let mut wanted = config(1, vec![hello(&old, "hello-0-g1"), stream(EndpointState::Serving)]);
    wanted.listeners = vec![Listener::plain("public", nowhere())];
    wanted.access_log = true;
    let address = wanted.listeners[0].address;
    first.replace(&wanted).await;
    let mut caller = Caller::connect(address).await;
    assert_eq!(caller.get("/hello").await.unwrap().text, "old");
    let mut watcher = Caller::connect(address).await;
    let request = Request::get("/stream/events").body(whole("")).unwrap();
    let body = watcher.send(request).await.unwrap().into_body();

    let mut second = Gateway::take_over(dir.path()).await;
    let third = Gateway::take_over(dir.path()).await;
    assert_eq!(get(address, "/hello").await.text, "old");
    let logged = || std::fs::read_to_string(dir.path().join("access.log")).unwrap_or_default().lines().count();
    eventually("it is told of", async || logged() == 2).await;
    wanted.generation = 2;
    wanted.routes = vec![hello(&new, "hello-0-g2"), stream(EndpointState::Draining)];
    third.replace(&wanted).await;
    // Its connection is the first one's still.
    assert_eq!(caller.get("/hello").await.unwrap().text, "new");
    // So is the stream, which the third learns of from the second, though that has nothing open itself.
    assert_eq!(third.status().await.in_flight("stream-0-g1"), 1);
    drop((body, watcher, caller));
    assert!(first.ended().await.success());
    assert!(second.ended().await.success(), "it stays as long as its own predecessor does");
    eventually("nothing is open", async || third.status().await.in_flight("stream-0-g1") == 0).await;
}

#[tokio::test]
async fn a_predecessor_that_is_stopped_begins_nothing_any_more() {
    let (mut gateway, instance) = (Gateway::start().await, faces().await);
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", instance.address)])])).await;
    let address = gateway.address().await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = [0; 2_000];
    let mut seen = Vec::new();
    while !seen.ends_with(b"ok") {
        let count = idle.read(&mut answer).await.unwrap();
        seen.extend_from_slice(&answer[..count]);
    }
    let mut busy = Caller::connect(address).await;
    let mut events = busy.send(Request::get("/hello/events").body(whole("")).unwrap()).await.unwrap().into_body();

    // What a successor says, and a configuration that only its own release knows.
    let mut control = BufReader::new(UnixStream::connect(gateway.dir.join("control.sock")).await.unwrap());
    for (ask, expected) in [
        (r#"{"ask":"leave","grace_ms":600000}"#, "left"),
        (r#"{"ask":"replace","config":{"format":1,"generation":2,"listeners":[],"routes":[],"new":1}}"#, "refused"),
        (r#"{"ask":"shut-down","grace_ms":600000}"#, "stopping"),
    ] {
        control.write_all(format!("{ask}\n").as_bytes()).await.unwrap();
        let mut reply = String::new();
        control.read_line(&mut reply).await.unwrap();
        assert!(reply.contains(&format!(r#""reply":"{expected}""#)), "{reply}");
    }
    let closed = tokio::time::timeout(PATIENCE, idle.read(&mut answer)).await.expect("its connection is closed");
    assert_eq!(closed.unwrap(), 0);
    let frame = tokio::time::timeout(PATIENCE, events.frame()).await.expect("events go on");
    frame.expect("the stream goes on").unwrap();
    drop((events, busy));
    assert!(gateway.ended().await.success());
    assert_eq!(instance.requests(), 2);
}

async fn follow_socket(address: std::net::SocketAddr, ends: Arc<AtomicBool>) {
    let (mut socket, _) = connect_async(format!("ws://{address}/hello/socket")).await.unwrap();
    for number in 0.. {
        if ends.load(Ordering::SeqCst) {
            break;
        }
        socket.send(Message::text(number.to_string())).await.unwrap();
        let heard = tokio::time::timeout(PATIENCE, socket.next()).await.expect("echoes go on").unwrap().unwrap();
        assert_eq!(heard.into_text().unwrap().as_str(), number.to_string());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn when_a_drain_is_over_streams_end_where_they_may() {
    let gateway = Gateway::start().await;
    let instance = faces().await;
    let hello = |drain_ms, state| {
        let endpoint = endpoint("hello-0-g1", instance.address, state);
        vec![route("hello", vec![wharf_gateway::Endpoint { drain_ms, ..endpoint }])]
    };
    gateway.replace(&config(1, hello(Some(80), EndpointState::Serving))).await;
    let address = gateway.address().await;
    let (mut socket, _) = connect_async(format!("ws://{address}/hello/socket")).await.unwrap();
    let mut caller = Caller::connect(address).await;
    let events = caller.send(Request::get("/hello/events").body(whole("")).unwrap()).await.unwrap().into_body();
    let events = tokio::spawn(events.collect());
    socket.send(Message::text("hi")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap().as_str(), "hi");

    gateway.replace(&config(2, hello(Some(80), EndpointState::Draining))).await;
    let last = tokio::time::timeout(PATIENCE, socket.next()).await.expect("it ends").unwrap().unwrap();
    let Message::Close(Some(why)) = last else { panic!("{last:?}") };
    assert_eq!(why.code, CloseCode::Away);
    // A stream that ends as it should, and after a whole event.
    let text = tokio::time::timeout(PATIENCE, events).await.expect("it ends").unwrap().unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.ends_with("\n\n") && text.matches("data: ").count() == text.matches("id: ").count(), "{text:?}");
    eventually("nothing is open", async || gateway.status().await.in_flight("hello-0-g1") == 0).await;

    // An instance that serves again keeps its streams.
    gateway.replace(&config(3, hello(Some(80), EndpointState::Serving))).await;
    let (mut socket, _) = connect_async(format!("ws://{address}/hello/socket")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    socket.send(Message::text("still")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap().as_str(), "still");
}
