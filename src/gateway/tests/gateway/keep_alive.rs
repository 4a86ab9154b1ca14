//! Instances close idle connections whenever they like, and no request may notice.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wharf_gateway::{Probe, Route};

use crate::support::*;

/// A server that closes a connection when nothing came for `patience` after a request, as all servers do, only sooner,
/// or after `at_most` requests without announcing it.
async fn impatient(patience: Duration, at_most: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                for number in 0..at_most {
                    let mut request = [0; 4096];
                    let patience = if number == 0 { PATIENCE } else { patience };
                    match tokio::time::timeout(patience, stream.read(&mut request)).await {
                        Ok(Ok(1..)) => {}
                        _ => return,
                    }
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                }
            });
        }
    });
    address
}

fn to(address: SocketAddr) -> Route {
    let mut hello = route("hello", vec![serving("hello-0-g1", address)]);
    hello.probe = Some(Probe { every_ms: 60_000, ..Probe::default() });
    hello
}

#[tokio::test]
async fn requests_race_with_the_close_and_win() {
    let gateway = Gateway::start().await;
    gateway.replace(&config(1, vec![to(impatient(Duration::from_millis(3), usize::MAX).await)])).await;
    let address = gateway.address().await;
    let mut caller = Caller::connect(address).await;
    for round in 0..300_u64 {
        // Around the moment at which the instance gives up, in steps of a tenth of a millisecond.
        tokio::time::sleep(Duration::from_micros(2_000 + round % 20 * 100)).await;
        assert_eq!(caller.get("/hello").await.unwrap().status, 200, "round {round}");
    }
}

#[tokio::test]
async fn a_connection_closed_after_each_request_is_noticed() {
    let gateway = Gateway::start().await;
    gateway.replace(&config(1, vec![to(impatient(PATIENCE, 1).await)])).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    for round in 0..200 {
        assert_eq!(caller.get("/hello").await.unwrap().status, 200, "round {round}");
        let request = Request::post("/hello").body(whole("question")).unwrap();
        assert_eq!(caller.call(request).await.unwrap().status, 200, "round {round}, with a body");
    }
}

#[tokio::test]
async fn a_request_with_a_body_gets_no_connection_that_idled() {
    let gateway = Gateway::start().await;
    // The instance waits longer than the gateway trusts a connection with a body, and shorter than it keeps it.
    gateway.replace(&config(1, vec![to(impatient(Duration::from_millis(1_500), usize::MAX).await)])).await;
    let mut callers = Vec::new();
    for _ in 0..8 {
        callers.push(Caller::connect(gateway.address().await).await);
    }
    for pause in [0, 900, 1_400, 1_500, 1_600] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        for caller in &mut callers {
            let request = Request::post("/hello").body(whole("question")).unwrap();
            assert_eq!(caller.call(request).await.unwrap().status, 200, "after {pause} ms");
        }
    }
}
