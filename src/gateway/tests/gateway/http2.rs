//! HTTP/2 and gRPC: with a gRPC client, with curl where it is there, and by hand.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http_body_util::{BodyExt, Channel, Full};
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Endpoint;
use wharf_gateway::{Check, Probe, Protocol, Route, TokenDigest};

use crate::support::*;

/// A gRPC server: `/echo.Echo/Chat` sends every message back as it comes, `/echo.Echo/Fail` fails, and the health
/// service says that it serves. Counts its connections.
async fn grpc_server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service_fn(serve_grpc)));
        }
    });
    (address, connections)
}

async fn serve_grpc(request: Request<hyper::body::Incoming>) -> Result<Response<AnyBody>, std::convert::Infallible> {
    assert_eq!(request.headers()["te"], "trailers");
    let (mut body, stream) = Channel::<Bytes, Box<dyn std::error::Error + Send + Sync>>::new(1);
    let path = request.uri().path().to_owned();
    tokio::spawn(async move {
        let mut trailers = HeaderMap::new();
        let status = match path.as_str() {
            "/echo.Echo/Chat" => {
                let mut incoming = request.into_body();
                while let Some(Ok(frame)) = incoming.frame().await {
                    if let Ok(data) = frame.into_data() {
                        body.send_data(data).await.ok()?;
                    }
                }
                "0"
            }
            "/grpc.health.v1.Health/Check" => {
                body.send_data(Bytes::from_static(&[0, 0, 0, 0, 2, 8, 1])).await.ok()?;
                "0"
            }
            _ => {
                trailers.insert("grpc-message", "no such luck".parse().unwrap());
                "9"
            }
        };
        trailers.insert("grpc-status", status.parse().unwrap());
        trailers.insert("x-after", "all".parse().unwrap());
        body.send(Frame::trailers(trailers)).await.ok()
    });
    Ok(Response::builder().header("content-type", "application/grpc").body(stream.boxed()).unwrap())
}

fn grpc_route(address: SocketAddr) -> Route {
    let probe = Probe { check: Check::Grpc { service: "echo.Echo".into() }, every_ms: 20, ..Probe::default() };
    let endpoints = vec![serving("echo-0-g1", address)];
    let (paths, protocol) = (vec!["/".into()], Protocol::H2c);
    Route { paths, protocol, probe: Some(probe), ..route("echo", endpoints) }
}

/// Messages are texts, as they are.
#[derive(Clone, Copy, Default)]
struct Texts;

impl Codec for Texts {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Texts {
    type Item = String;
    type Error = tonic::Status;

    fn encode(&mut self, item: String, to: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        to.put(item.as_bytes());
        Ok(())
    }
}

impl Decoder for Texts {
    type Item = String;
    type Error = tonic::Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, tonic::Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        Ok(Some(String::from_utf8(bytes.to_vec()).unwrap()))
    }
}

async fn grpc_client(address: SocketAddr) -> tonic::client::Grpc<tonic::transport::Channel> {
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    client
}

#[tokio::test]
async fn grpc_streams_both_ways_with_its_trailers() {
    let gateway = Gateway::start().await;
    let (server, connections) = grpc_server().await;
    gateway.replace(&config(1, vec![grpc_route(server)])).await;
    let mut client = grpc_client(gateway.address().await).await;

    let (say, said) = tokio::sync::mpsc::channel::<String>(1);
    let said = async_stream(said);
    let chat = "/echo.Echo/Chat".parse().unwrap();
    let response = client.streaming(tonic::Request::new(said), chat, Texts).await.unwrap();
    let mut heard = response.into_inner();
    for word in ["one", "two", "three"] {
        say.send(word.to_owned()).await.unwrap();
        let next = tokio::time::timeout(PATIENCE, heard.message()).await.expect("an answer in time");
        assert_eq!(next.unwrap().as_deref(), Some(word), "before the next is said");
    }
    drop(say);
    assert_eq!(heard.message().await.unwrap(), None);
    assert_eq!(heard.trailers().await.unwrap().unwrap().get("x-after").unwrap(), "all");

    client.ready().await.unwrap();
    let asked =
        client.unary::<String, String, _>(tonic::Request::new("x".into()), "/echo.Echo/Fail".parse().unwrap(), Texts);
    let status = asked.await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "no such luck"));

    eventually("the health service was asked", async || {
        let status = gateway.status().await;
        endpoint_status(&status, "echo-0-g1").last_answer.as_deref() == Some("gRPC serving")
    })
    .await;
    // Probes make connections of their own, one each; requests share one for each worker.
    assert!(connections.load(Ordering::SeqCst) >= 2);
}

fn async_stream(
    mut from: tokio::sync::mpsc::Receiver<String>,
) -> impl futures_core::Stream<Item = String> + Send + 'static {
    futures_util::stream::poll_fn(move |cx| from.poll_recv(cx))
}

#[tokio::test]
async fn a_grpc_caller_understands_why_it_is_refused() {
    let gateway = Gateway::start().await;
    let mut echo = grpc_route(nowhere());
    echo.tokens = vec![TokenDigest { name: "t".into(), sha256: hex::encode(Sha256::digest("s3cret")), rate: None }];
    echo.hold_ms = Some(10);
    gateway.replace(&config(1, vec![echo])).await;
    let address = gateway.address().await;
    for (token, code, words) in [
        ("wrong", Code::Unauthenticated, "a valid token is needed in the Authorization header"),
        ("s3cret", Code::Unavailable, ""),
    ] {
        let mut request = tonic::Request::new("x".to_owned());
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let mut client = grpc_client(address).await;
        let asked = client.unary::<String, String, _>(request, "/echo.Echo/Chat".parse().unwrap(), Texts);
        let status = asked.await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert!(words.is_empty() || status.message() == words, "{status:?}");
    }
}

/// An HTTP/2 connection to the gateway.
async fn http2_caller(address: SocketAddr) -> http2::SendRequest<AnyBody> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn http2_requests_reach_an_http1_instance_many_at_once() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])])).await;
    let address = gateway.address().await;
    let sender = http2_caller(address).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..50 {
        let mut sender = sender.clone();
        calls.spawn(async move {
            let request = Request::post(format!("http://example.com/hello/{number}"));
            let request = request.header("cookie", "a=1").header("cookie", "b=2").body(whole(format!("body {number}")));
            let response = sender.send_request(request.unwrap()).await.unwrap();
            assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
            let text = response.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(
                text.starts_with(&format!("POST /{number}\n")) && text.ends_with(&format!("body {number}")),
                "{text}"
            );
            assert!(text.contains("cookie: a=1; b=2\n") && text.contains("host: example.com\n"), "{text}");
        });
    }
    calls.join_all().await;
    // A refusal leaves the connection and its other requests alone.
    let mut sender = sender.clone();
    let request = Request::post("http://example.com/nothing").body(Full::new(Bytes::from(vec![b'x'; 100_000])));
    let refused = sender.send_request(request.unwrap().map(|body| body.map_err(|never| match never {}).boxed())).await;
    assert_eq!(refused.unwrap().status(), 404);
    let request = Request::get("http://example.com/hello").body(whole("")).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
}

/// What the standard has a server do with frames that make no sense: it says goodbye and closes. Nothing reaches the
/// instance, and others are served on.
#[tokio::test]
async fn callers_who_leave_half_way_say_nothing_about_an_instance() {
    let gateway = Gateway::start().await;
    // It waits for the whole body.
    let instance = Instance::start(|request| async {
        Response::new(whole(request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default()))
    })
    .await;
    let hello = route("hello", vec![serving("hello-0-g1", instance.address)]);
    gateway.replace(&config(1, vec![hello])).await;
    let address = gateway.address().await;
    let seen = async || gateway.status().await.routes[0].endpoints[0].clone();
    for _ in 0..20 {
        let mut caller = http2_caller(address).await;
        let (mut body, stream) = Channel::<Bytes, Box<dyn std::error::Error + Send + Sync>>::new(1);
        let request = Request::post("http://a/hello").body(stream.boxed()).unwrap();
        let asked = tokio::spawn(async move { caller.send_request(request).await });
        body.send_data("half".into()).await.unwrap();
        eventually("it is on its way", async || seen().await.in_flight == 1).await;
        // The stream is reset.
        body.abort("left".into());
        assert!(asked.await.unwrap().is_err());
        eventually("it is over", async || seen().await.in_flight == 0).await;
    }
    assert!(!seen().await.ejected);
    assert_eq!(post(address, "/hello", "whole").await.text, "whole");
}

#[tokio::test]
async fn frames_that_make_no_sense_end_the_connection() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])])).await;
    let address = gateway.address().await;
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let cases: [(&str, &[u8]); 9] = [
        ("data on no stream", &[0, 0, 1, 0, 0, 0, 0, 0, 0, 1]),
        ("data on an idle stream", &[0, 0, 1, 0, 0, 0, 0, 0, 1, 1]),
        ("headers on no stream", &[0, 0, 1, 1, 4, 0, 0, 0, 0, 0x82]),
        ("headers on an even stream", &[0, 0, 1, 1, 5, 0, 0, 0, 2, 0x82]),
        ("a broken header block", &[0, 0, 2, 1, 5, 0, 0, 0, 1, 0xff, 0xff]),
        ("a continuation of nothing", &[0, 0, 1, 9, 4, 0, 0, 0, 1, 0x82]),
        ("settings of a wrong length", &[0, 0, 5, 4, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
        ("a window that grows by nothing", &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("a frame that is too large", &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]),
    ];
    for (what, frame) in cases {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[PREFACE, SETTINGS, frame].concat()).await.unwrap();
        let mut heard = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut heard)).await;
        read.unwrap_or_else(|_| panic!("{what}: it is closed")).unwrap_or(0);
        assert!(goes_away(&heard), "{what}: {heard:?}");
    }
    assert_eq!((get(address, "/hello").await.status.as_u16(), echo.requests()), (200, 1));
}

/// Whether there is a GOAWAY among these frames.
fn goes_away(mut frames: &[u8]) -> bool {
    while let Some((head, rest)) = frames.split_at_checked(9) {
        if head[3] == 7 {
            return true;
        }
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        frames = rest.get(length..).unwrap_or_default();
    }
    false
}

#[tokio::test]
async fn a_caller_in_http1_is_answered_by_an_instance_in_http2() {
    let (gateway, (server, connections)) = (Gateway::start().await, grpc_server().await);
    // Ready or not is asked in HTTP/2, too; beside it is an instance in HTTP/1 for the same connection.
    let echo = Instance::echo().await;
    let routes = vec![grpc_route(server), route("hello", vec![serving("hello-0-g1", echo.address)])];
    gateway.replace(&config(1, routes)).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    let question = || Request::post("/echo.Echo/Chat").header("te", "trailers").body(whole("a question")).unwrap();
    for _ in 0..2 {
        assert_eq!(caller.get("/hello").await.unwrap().status, 200);
        let answer = caller.call(question()).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "a question"));
        assert_eq!(answer.header("content-type"), "application/grpc");
    }
    assert!(connections.load(Ordering::SeqCst) >= 1);
}

/// A WebSocket over HTTP/2 (RFC 8441) is not announced, and whoever asks for one all the same is refused: its stream ends, and
/// the connection goes on.
#[tokio::test]
async fn a_websocket_over_http2_is_refused_alone() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])])).await;
    let frame = |stream: u8, block: &[u8]| [&[0, 0, block.len() as u8, 1, 5, 0, 0, 0, stream], block].concat();
    let path = b"\x04\x06/hello\x01\x01x\x86";
    let connect = [&b"\x02\x07CONNECT\x00\x09:protocol\x09websocket"[..], path].concat();
    let get = [&b"\x82"[..], path].concat();
    let begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    let mut stream = TcpStream::connect(gateway.address().await).await.unwrap();
    stream.write_all(&[&begin[..], &frame(1, &connect), &frame(3, &get)].concat()).await.unwrap();
    let mut heard = Vec::new();
    // Kind and stream of each frame, and the settings that are announced.
    let (mut frames, mut settings) = (Vec::new(), Vec::new());
    while !frames.contains(&(1, 3)) {
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_buf(&mut heard)).await;
        assert!(read.expect("an answer").unwrap() > 0, "{frames:?}");
        let size = |heard: &[u8]| 9 + (usize::from(heard[1]) << 8 | usize::from(heard[2]));
        while heard.len() >= 9 && heard.len() >= size(&heard) {
            let body: Vec<u8> = heard.drain(..size(&heard)).collect();
            frames.push((body[3], body[8]));
            if body[3] == 4 {
                settings.extend(body[9..].chunks(6).map(|setting| setting[1]));
            }
        }
    }
    assert!(frames.contains(&(3, 1)) && !frames.contains(&(1, 1)), "stream 1 is reset: {frames:?}");
    assert!(!frames.iter().any(|(kind, _)| *kind == 7), "the connection stays: {frames:?}");
    assert!(!settings.is_empty() && !settings.contains(&8), "{settings:?}");
    assert_eq!(echo.requests(), 1);
}

#[tokio::test]
async fn curl_is_answered_in_every_version() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])])).await;
    let url = format!("http://{}/hello/x", gateway.address().await);
    for (version, shown) in [("--http1.0", "1"), ("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")] {
        let mut command = Command::new("curl");
        command.args([
            "-sS",
            "--noproxy",
            "*",
            version,
            "-d",
            "question",
            "-w",
            "\n%{http_code} %{http_version}",
            &url,
        ]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.starts_with("POST /x\n") && text.contains("question"), "{version}: {text} {error}");
        let last = text.lines().next_back().unwrap();
        assert_eq!(last, format!("200 {shown}"), "{version}");
    }
}
