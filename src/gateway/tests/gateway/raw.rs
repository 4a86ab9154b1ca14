//! Connections that are joined to instances as they are.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wharf_gateway::{Endpoint, EndpointState, Listener};

use crate::support::*;

/// A server that says its name and then whatever it hears.
async fn parrot(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = stream.write_all(name.as_bytes()).await;
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn hear(stream: &mut TcpStream, count: usize) -> String {
    let mut heard = vec![0; count];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut heard)).await.expect("an answer in time").unwrap();
    String::from_utf8(heard).unwrap()
}

fn joined(generation: u64, endpoints: Vec<Endpoint>) -> wharf_gateway::Config {
    let mut tcp = route("tcp", endpoints);
    tcp.paths.clear();
    let mut wanted = config(generation, vec![tcp]);
    let edge = Listener::plain("edge", ([127, 0, 0, 1], 0).into());
    wanted.listeners = vec![Listener { joins: Some("public/tcp".into()), ..edge }];
    wanted
}

#[tokio::test]
async fn connections_reach_an_instance_whatever_they_carry() {
    let gateway = Gateway::start().await;
    // The first try may go nowhere: nothing was said yet, so it may be repeated.
    let endpoints = vec![serving("dead", nowhere()), serving("tcp-0-g1", parrot("one:").await)];
    gateway.replace(&joined(1, endpoints)).await;
    let address = gateway.address().await;
    for _ in 0..8 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(hear(&mut stream, 4).await, "one:");
        stream.write_all(b"\x00\xffping").await.unwrap();
        let mut heard = [0; 6];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"\x00\xffping");
        // One side's end reaches the other, and what is on its way still comes back.
        stream.write_all(b"last").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(hear(&mut stream, 4).await, "last");
        assert_eq!(stream.read(&mut heard).await.unwrap(), 0);
    }
    eventually("none is open", async || gateway.status().await.in_flight("tcp-0-g1") == 0).await;
}

#[tokio::test]
async fn a_drain_lets_connections_end_until_its_time_is_over() {
    let gateway = Gateway::start().await;
    let (one, two) = (parrot("one:").await, parrot("two:").await);
    gateway.replace(&joined(1, vec![serving("tcp-0-g1", one)])).await;
    let address = gateway.address().await;
    let mut old = TcpStream::connect(address).await.unwrap();
    assert_eq!(hear(&mut old, 4).await, "one:");

    let draining = |drain_ms| {
        let old = Endpoint { drain_ms, ..endpoint("tcp-0-g1", one, EndpointState::Draining) };
        vec![old, serving("tcp-1-g1", two)]
    };
    gateway.replace(&joined(2, draining(None))).await;
    let mut new = TcpStream::connect(address).await.unwrap();
    assert_eq!(hear(&mut new, 4).await, "two:");
    old.write_all(b"still").await.unwrap();
    assert_eq!(hear(&mut old, 5).await, "still");
    assert_eq!(gateway.status().await.in_flight("tcp-0-g1"), 1);

    gateway.replace(&joined(3, draining(Some(50)))).await;
    assert_eq!(tokio::time::timeout(PATIENCE, old.read(&mut [0; 8])).await.expect("it ends").unwrap_or(0), 0);
    eventually("none is open", async || gateway.status().await.in_flight("tcp-0-g1") == 0).await;
    new.write_all(b"on").await.unwrap();
    assert_eq!(hear(&mut new, 2).await, "on");
}
