//! Callers that mean no good: heads that can be read in two ways, heads that never end, more than anybody needs.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

/// Sends bytes as they are, and returns everything that comes back until the gateway closes or is silent.
async fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(Duration::from_millis(300), stream.read(&mut buffer)).await {
        heard.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&heard).into_owned()
}

async fn gateway() -> (Gateway, Instance, SocketAddr) {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])])).await;
    let address = gateway.address().await;
    (gateway, echo, address)
}

#[tokio::test]
async fn heads_that_can_be_read_in_two_ways_are_refused() {
    let (_gateway, echo, address) = gateway().await;
    let cases = [
        ("two lengths", "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        ("a list of lengths", "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 4\r\n\r\nabcd"),
        ("a signed length", "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc"),
        ("a length in hex", "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc"),
        ("an endless length", "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nabc"),
        ("two lengths alike", "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
        ("no length", "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nabc"),
        ("a length and a tab", "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\t3\r\n\r\nabc"),
        (
            "a coding behind a strange space",
            "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        ),
        ("chunked twice", "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        (
            "chunked with a question",
            "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
        ),
        ("an address within another", "GET /hello#/x HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("a host without an address", "GET x HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("a host with a user", "GET /hello HTTP/1.1\r\nHost: u@x\r\n\r\n"),
        ("a null in the path", "GET /hello\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("space before the method", " GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("no name", "GET /hello HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n"),
        ("no colon", "GET /hello HTTP/1.1\r\nHost: x\r\nX\r\n\r\n"),
        ("a coding that hides", "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("a second coding", "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (
            "chunked not last",
            "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        ),
        (
            "a coding twice",
            "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        ),
        ("a coding in 1.0", "POST /hello HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("space before the colon", "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        ("a folded line", "GET /hello HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n"),
        ("a line that begins with space", "GET /hello HTTP/1.1\r\n Host: x\r\n\r\n"),
        ("no host", "GET /hello HTTP/1.1\r\n\r\n"),
        ("two hosts", "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
        ("another host", "GET http://y/hello HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("a host with a path", "GET /hello HTTP/1.1\r\nHost: x/y\r\n\r\n"),
        ("a null in a value", "GET /hello HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"),
        ("a return in a value", "GET /hello HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n"),
        ("space in the path", "GET /hello world HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("no version", "GET /hello\r\nHost: x\r\n\r\n"),
        ("a version of the future", "GET /hello HTTP/3.7\r\nHost: x\r\n\r\n"),
        ("a method that is none", "G(T /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("noise", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n"),
    ];
    for (what, request) in cases {
        let heard = raw(address, request.as_bytes()).await;
        let statuses: Vec<_> = heard.lines().filter(|line| line.starts_with("HTTP/1.")).collect();
        assert!(statuses.len() <= 1 && statuses.iter().all(|line| line.contains(" 400 ")), "{what}: {heard}");
    }
    assert_eq!(echo.requests(), 0, "none reached the instance");
}

/// The classic: one reader goes by the length, the other by the chunks. Chunks count, as the standard says, the length is
/// not passed on, and what is behind the chunks is not read as a request.
#[tokio::test]
async fn a_length_beside_chunks_smuggles_nothing() {
    let (_gateway, echo, address) = gateway().await;
    let smuggled = "GET /hello/secret HTTP/1.1\r\nHost: x\r\n\r\n";
    for lines in ["Content-Length: 6\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 6"]
    {
        let request = format!("POST /hello HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n0\r\n\r\n{smuggled}");
        let heard = raw(address, request.as_bytes()).await;
        assert_eq!(heard.matches("HTTP/1.1 ").count(), 1, "{heard}");
        assert!(!heard.contains("secret") && !heard.contains("content-length: 6"), "{heard}");
    }
    assert_eq!(echo.requests(), 2);
}

#[tokio::test]
async fn broken_chunks_end_the_request() {
    let (_gateway, _echo, address) = gateway().await;
    let head = "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunks in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcdef\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "fffffffffffffffff\r\nabc",
        "3\nabc\n0\n\n",
        "3\r\nabc\r\n0\n\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nX\0: y\r\n\r\n",
    ] {
        let heard = raw(address, format!("{head}{chunks}GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
        assert!(!heard.contains(" 200 "), "{chunks:?}: {heard}");
    }
}

#[tokio::test]
async fn heads_have_a_size() {
    let (_gateway, echo, address) = gateway().await;
    let many: String = (0..150).map(|number| format!("X-{number}: y\r\n")).collect();
    let heard = raw(address, format!("GET /hello HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes()).await;
    assert!(heard.starts_with("HTTP/1.1 431 "), "{heard}");
    let large = "y".repeat(80 << 10);
    let heard = raw(address, format!("GET /hello HTTP/1.1\r\nHost: x\r\nX: {large}\r\n\r\n").as_bytes()).await;
    assert!(heard.starts_with("HTTP/1.1 431 "), "{heard}");
    let heard = raw(address, format!("GET /hello/{large} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
    assert!(heard.starts_with("HTTP/1.1 414 ") || heard.starts_with("HTTP/1.1 431 "), "{heard}");
    assert_eq!(echo.requests(), 0);
}

#[tokio::test]
async fn slow_heads_hold_no_connection_and_hinder_nobody() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let mut wanted = config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])]);
    wanted.listeners[0].head_ms = Some(400);
    gateway.replace(&wanted).await;
    let address = gateway.address().await;
    let mut slow = tokio::task::JoinSet::new();
    for number in 0..100 {
        slow.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head: &[u8] = [&b"GET /hello HTTP/1.1\r\nHost: x\r\nX-Slow: "[..], b"PRI", b"G", b""][number % 4];
            let _ = stream.write_all(head).await;
            let (mut from, mut to) = stream.split();
            let mut heard = [0; 1024];
            // A byte now and then does not help.
            let drip = async {
                while head.len() > 10 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let _ = to.write_all(b"y").await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                read = tokio::time::timeout(PATIENCE, from.read(&mut heard)) => drop(read.expect("it is closed")),
                () = drip => {}
            }
        });
    }
    for _ in 0..20 {
        assert_eq!(get(address, "/hello").await.status, 200);
    }
    slow.join_all().await;
}
