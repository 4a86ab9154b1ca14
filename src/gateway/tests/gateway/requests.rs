//! What a single request meets: route, token, limits, headers, refusals.

use std::time::{Duration, Instant};

use hyper::{Request, Response, StatusCode};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wharf_gateway::{EndpointState, TokenDigest};

use crate::support::*;

#[tokio::test]
async fn the_service_sees_the_path_behind_the_prefix() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let mut hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    hello.paths = vec!["/api/predict/hello".into(), "/chat".into()];
    gateway.replace(&config(1, vec![hello])).await;
    let address = gateway.address().await;

    let mut caller = Caller::connect(address).await;
    for (path, seen) in [
        ("/api/predict/hello", "GET /\n"),
        ("/api/predict/hello/", "GET /\n"),
        ("/chat/v1/models?a=%2F&b", "GET /v1/models?a=%2F&b\n"),
    ] {
        let answer = caller.get(path).await.unwrap();
        assert!(answer.text.starts_with(seen), "{path}: {}", answer.text);
    }
    let answer = caller.get("/chatty").await.unwrap();
    assert_eq!((answer.status, answer.header("x-wharf-reason")), (StatusCode::NOT_FOUND, "no-route"));
    assert_eq!(answer.text, "{\"error\":\"nothing is served here\"}\n");
}

#[tokio::test]
async fn headers_tell_the_service_who_called() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])])).await;
    let request = Request::get("/hello")
        .header("host", "example.com")
        .header("x-forwarded-for", "192.0.2.1")
        .header("x-request-id", "mine")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("authorization", "Bearer app-token")
        .body(whole(""))
        .unwrap();
    let answer = Caller::connect(gateway.address().await).await.call(request).await.unwrap();
    let expected = "GET /\nauthorization: Bearer app-token\nhost: example.com\nx-forwarded-for: 192.0.2.1, 127.0.0.1\n\
                    x-forwarded-proto: http\nx-request-id: mine\n\n";
    assert_eq!(answer.text, expected);
}

#[tokio::test]
async fn a_token_opens_the_route_and_stays_with_the_gateway() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let mut hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    hello.tokens = vec![TokenDigest { name: "team".into(), sha256: hex::encode(Sha256::digest("s3cret")), rate: None }];
    gateway.replace(&config(1, vec![hello])).await;
    let address = gateway.address().await;

    for (token, status) in [(Some("s3cret"), 200), (Some("Bearer s3cret"), 200), (Some("other"), 401), (None, 401)] {
        let mut request = Request::get("/hello").header("host", "example.com");
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let answer = Caller::connect(address).await.call(request.body(whole("")).unwrap()).await.unwrap();
        assert_eq!(answer.status, status, "{token:?}");
        assert!(!answer.text.contains("s3cret") && !answer.text.contains("authorization:"), "{}", answer.text);
        if status == 401 {
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    assert_eq!(echo.requests(), 2);
}

#[tokio::test]
async fn a_refused_upload_is_answered_and_its_connection_closed() {
    let gateway = Gateway::start().await;
    gateway.replace(&config(1, vec![])).await;
    // More than fits into the sockets' buffers: the answer must come through although nobody reads the body.
    let answer = post(gateway.address().await, "/nothing", vec![b'x'; 20_000_000]).await;
    assert_eq!((answer.status, answer.header("connection")), (StatusCode::NOT_FOUND, "close"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let mut hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    hello.max_body = Some(1_000);
    gateway.replace(&config(1, vec![hello])).await;
    let address = gateway.address().await;

    assert_eq!(post(address, "/hello", vec![b'x'; 1_000]).await.status, 200);
    let answer = post(address, "/hello", vec![b'x'; 1_001]).await;
    assert_eq!((answer.status, answer.header("connection")), (StatusCode::PAYLOAD_TOO_LARGE, "close"));
    assert_eq!(answer.text, "{\"error\":\"the request body is larger than 1000 bytes\",\"service\":\"hello\"}\n");
    assert_eq!(echo.requests(), 1, "the length alone told");

    // Without a length, counting tells.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    let head = "POST /hello HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(format!("{head}{chunk}{chunk}{chunk}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn without_a_ready_instance_a_request_waits_a_moment_and_is_refused() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let draining = endpoint("hello-0-g1", echo.address, EndpointState::Draining);
    gateway.replace(&config(1, vec![route("hello", vec![draining])])).await;
    let start = Instant::now();
    let answer = get(gateway.address().await, "/hello").await;
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(
        (answer.status, answer.header("x-wharf-reason")),
        (StatusCode::SERVICE_UNAVAILABLE, "no-ready-instance")
    );
    assert_eq!(answer.text, "{\"error\":\"no instance is ready\",\"service\":\"hello\"}\n");
}

#[tokio::test]
async fn a_waiting_request_goes_on_when_an_instance_comes() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    gateway.replace(&config(1, vec![route("hello", vec![])])).await;
    let address = gateway.address().await;
    let waiting = tokio::spawn(async move { get(address, "/hello").await });
    // Another request gets through to the gateway first, so the waiting one is very likely there, too.
    assert_eq!(get(address, "/other").await.status, 404);
    gateway.replace(&config(2, vec![route("hello", vec![serving("hello-0-g1", echo.address)])])).await;
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_failed_connection_is_retried_elsewhere() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let endpoints = vec![serving("dead", nowhere()), serving("alive", echo.address)];
    gateway.replace(&config(1, vec![route("hello", endpoints)])).await;
    let address = gateway.address().await;
    for _ in 0..20 {
        assert_eq!(post(address, "/hello", "x").await.status, 200);
    }
    assert_eq!(echo.requests(), 20);

    gateway.replace(&config(2, vec![route("hello", vec![serving("dead", nowhere())])])).await;
    let answer = get(address, "/hello").await;
    assert_eq!((answer.status, answer.header("x-wharf-reason")), (StatusCode::SERVICE_UNAVAILABLE, "cannot-connect"));
}

#[tokio::test]
async fn too_late_an_answer_is_refused() {
    let gateway = Gateway::start().await;
    let slow = Instance::start(|_| std::future::pending()).await;
    let mut hello = route("hello", vec![serving("hello-0-g1", slow.address)]);
    hello.timeout_ms = Some(100);
    gateway.replace(&config(1, vec![hello])).await;
    let answer = get(gateway.address().await, "/hello").await;
    assert_eq!((answer.status, answer.header("connection")), (StatusCode::REQUEST_TIMEOUT, "close"));
    let status = gateway.status().await;
    let seen = endpoint_status(&status, "hello-0-g1");
    assert_eq!((seen.in_flight, seen.served, seen.failed), (0, 0, 1));
}

#[tokio::test]
async fn an_instance_that_hangs_up_is_reported() {
    let gateway = Gateway::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", address)])])).await;
    let answer = get(gateway.address().await, "/hello").await;
    assert_eq!((answer.status, answer.header("x-wharf-reason")), (StatusCode::BAD_GATEWAY, "connection-lost"));
}

#[tokio::test]
async fn an_old_server_is_understood() {
    let gateway = Gateway::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for response in ["HTTP/1.0 200 OK\r\n\r\nold", "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nold"].iter().cycle()
        {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(response.as_bytes()).await;
        }
    });
    let probe = wharf_gateway::Probe { every_ms: 60_000, ..wharf_gateway::Probe::default() };
    let mut hello = route("hello", vec![serving("hello-0-g1", address)]);
    hello.probe = Some(probe);
    gateway.replace(&config(1, vec![hello])).await;
    // One connection to the gateway survives, though each to the instance is closed.
    let mut caller = Caller::connect(gateway.address().await).await;
    for _ in 0..6 {
        let answer = caller.get("/hello").await.unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "old"));
    }
}

#[tokio::test]
async fn a_websocket_passes_and_counts_as_in_flight() {
    let gateway = Gateway::start().await;
    let instance = Instance::start(|mut request| async move {
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = hyper_util::rt::TokioIo::new(upgraded.await.unwrap());
            let mut word = [0; 4];
            while stream.read_exact(&mut word).await.is_ok() {
                word.reverse();
                stream.write_all(&word).await.unwrap();
            }
        });
        let response = Response::builder().status(101).header("connection", "upgrade").header("upgrade", "websocket");
        response.body(whole("")).unwrap()
    })
    .await;
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", instance.address)])])).await;

    let mut caller = Caller::connect(gateway.address().await).await;
    let request = Request::get("/hello").header("connection", "Upgrade").header("upgrade", "websocket");
    let response = caller.send(request.body(whole("")).unwrap()).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["upgrade"]),
        (StatusCode::SWITCHING_PROTOCOLS, &"websocket".parse().unwrap())
    );
    let mut stream = hyper_util::rt::TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    for (word, expected) in [(b"ping", b"gnip"), (b"abcd", b"dcba")] {
        stream.write_all(word).await.unwrap();
        let mut seen = [0; 4];
        stream.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, expected);
    }
    assert_eq!(gateway.status().await.in_flight("hello-0-g1"), 1);
    drop(stream);
    eventually("the websocket has ended", async || gateway.status().await.in_flight("hello-0-g1") == 0).await;
}

#[tokio::test]
async fn no_other_protocol_is_let_through() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])])).await;
    let request = Request::get("/hello").header("connection", "Upgrade, HTTP2-Settings").header("upgrade", "h2c");
    let request = request.header("http2-settings", "AAMAAABkAAQAAP__").body(whole("")).unwrap();
    let answer = Caller::connect(gateway.address().await).await.call(request).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(!answer.text.contains("upgrade") && !answer.text.contains("http2"), "{}", answer.text);
}
