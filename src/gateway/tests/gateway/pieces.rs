//! HTTP/1 by hand, on both sides: messages in pieces, several at once, early answers, and instances that mean no good.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::*;

/// Reads until what was heard ends so.
async fn hear(stream: &mut TcpStream, end: &str) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(end.as_bytes()) {
        let mut piece = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut piece)).await;
        match read.unwrap_or_else(|_| panic!("{end:?} in time, not {:?}", String::from_utf8_lossy(&heard))).unwrap() {
            0 => panic!("it ends with {:?}", String::from_utf8_lossy(&heard)),
            count => heard.extend_from_slice(&piece[..count]),
        }
    }
    String::from_utf8(heard).unwrap()
}

/// Reads all that comes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("it ends in time");
    String::from_utf8(heard).unwrap()
}

/// The data of an answer, whatever frames it.
fn data(answer: &str) -> String {
    let (head, mut body) = answer.split_once("\r\n\r\n").unwrap();
    if !head.contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let mut data = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        data += &rest[..size];
        body = rest[size..].strip_prefix("\r\n").unwrap();
        if size == 0 {
            return data;
        }
    }
}

/// An instance that reads until a request `ends` so, and answers with these bytes, cut at `cut`. Its connections stay.
async fn instance(ends: &'static str, answers: Vec<(String, usize)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut answers = answers.into_iter().cycle();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (answer, cut) = answers.next().unwrap();
            tokio::spawn(async move {
                loop {
                    let mut heard = Vec::new();
                    while !heard.ends_with(ends.as_bytes()) {
                        let mut piece = [0; 4096];
                        match stream.read(&mut piece).await {
                            Ok(count @ 1..) => heard.extend_from_slice(&piece[..count]),
                            _ => return,
                        }
                    }
                    let (first, second) = answer.split_at(cut);
                    stream.write_all(first.as_bytes()).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    let _ = stream.write_all(second.as_bytes()).await;
                }
            });
        }
    });
    address
}

async fn gateway_to(address: SocketAddr) -> (Gateway, SocketAddr) {
    let gateway = Gateway::start().await;
    let mut hello = route("hello", vec![serving("hello-0-g1", address)]);
    hello.probe = Some(wharf_gateway::Probe { every_ms: 3_600_000, ..wharf_gateway::Probe::default() });
    gateway.replace(&config(1, vec![hello])).await;
    let address = gateway.address().await;
    (gateway, address)
}

#[tokio::test]
async fn a_request_may_come_in_two_pieces_cut_anywhere() {
    let echo = Instance::echo().await;
    let (_gateway, address) = gateway_to(echo.address).await;
    let chunked = "POST /hello/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-Last: 1\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nlate: 1\r\n\r\n";
    let sized = "\r\nPOST /hello/a HTTP/1.1\r\nHost: x\r\nX-Last: 1\r\nContent-Length: 13\r\n\r\nabc0123456789";
    let mut callers = JoinSet::new();
    for request in [chunked, sized] {
        for cut in 1..request.len() {
            callers.spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                // Twice, so that nothing is left over from the first time.
                for _ in 0..2 {
                    stream.write_all(&request.as_bytes()[..cut]).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    stream.write_all(&request.as_bytes()[cut..]).await.unwrap();
                    let heard = hear(&mut stream, "\n\nabc0123456789").await;
                    assert!(
                        heard.starts_with("HTTP/1.1 200 OK\r\n") && heard.contains("x-last: 1\n"),
                        "{cut}: {heard}"
                    );
                    assert!(!heard.contains("late") && heard.matches("HTTP/1.1").count() == 1, "{cut}: {heard}");
                }
            });
        }
    }
    callers.join_all().await;
}

#[tokio::test]
async fn an_answer_may_come_in_two_pieces_cut_anywhere() {
    let heads = [
        "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n4\r\nabcd\r\n0A;e\r\n0123456789\r\n0\r\nlate: 1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 Fine\r\nX: y\r\nContent-Length: 14\r\n\r\nabcd0123456789",
    ];
    for answer in heads {
        let answers = (1..answer.len()).map(|cut| (answer.to_owned(), cut)).collect();
        let (_gateway, address) = gateway_to(instance("\r\n\r\n", answers).await).await;
        let mut callers = JoinSet::new();
        for _ in 1..answer.len() {
            callers.spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let sized = !answer.contains("chunked");
                for _ in 0..2 {
                    stream.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
                    let heard = hear(&mut stream, if sized { "abcd0123456789" } else { "\r\n0\r\n\r\n" }).await;
                    assert!(heard.starts_with("HTTP/1.1 200 Fine\r\nX: y\r\n"), "{heard}");
                    assert_eq!(data(&heard), "abcd0123456789", "{heard}");
                    assert!(!heard.contains("Link") && !heard.contains("late"), "{heard}");
                }
            });
        }
        callers.join_all().await;
    }
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_order() {
    let echo = Instance::echo().await;
    let (_gateway, address) = gateway_to(echo.address).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let one = "POST /hello/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none";
    let two = "POST /hello/2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n";
    let three = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n";
    let four = "GET /hello/4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all([one, two, three, four, one].concat().as_bytes()).await.unwrap();
    let heard = rest(&mut stream).await;
    let answers: Vec<_> = heard.split("HTTP/1.1 ").skip(1).collect();
    let seen = answers.iter().map(|answer| (&answer[..3], data(answer).lines().next().unwrap_or_default().to_owned()));
    let expected =
        [("200", "POST /1"), ("200", "POST /2"), ("404", "{\"error\":\"nothing is served here\"}"), ("200", "GET /4")];
    assert_eq!(seen.collect::<Vec<_>>(), expected.map(|(status, line)| (status, line.to_owned())), "{heard}");
    assert!(heard.contains("\n\none") && heard.contains("\n\ntwo") && heard.matches("connection: close").count() == 1);
}

#[tokio::test]
async fn an_old_caller_gets_what_it_understands() {
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n".to_owned();
    let (_gateway, address) = gateway_to(instance("\r\n\r\n", vec![(chunks, 50)]).await).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await.unwrap();
    let heard = rest(&mut stream).await;
    assert!(heard.starts_with("HTTP/1.0 200 OK\r\n") && heard.ends_with("connection: close\r\n\r\nabc"), "{heard}");

    let echo = Instance::echo().await;
    let (_gateway, address) = gateway_to(echo.address).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        stream
            .write_all(b"POST /hello HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc")
            .await
            .unwrap();
        let heard = hear(&mut stream, "\n\nabc").await;
        assert!(heard.contains("connection: keep-alive\r\n") && heard.contains("host: hello\n"), "{heard}");
    }
}

#[tokio::test]
async fn one_that_waits_is_told_to_go_on_and_one_that_is_refused_is_not() {
    let echo = Instance::echo().await;
    let (_gateway, address) = gateway_to(echo.address).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        let head = "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(hear(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"abc").await.unwrap();
        assert!(hear(&mut stream, "\n\nabc").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let head = "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let heard = rest(&mut stream).await;
    assert!(heard.starts_with("HTTP/1.1 404 ") && heard.contains("connection: close\r\n"), "{heard}");
}

#[tokio::test]
async fn an_answer_may_come_before_the_request_has_gone() {
    // It answers to the head alone, and goes on taking the body or closes.
    for closes in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let instance = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 1024];
                    let _ = stream.read(&mut buffer).await;
                    let _ = stream.write_all(b"HTTP/1.1 413 Enough\r\nContent-Length: 6\r\n\r\nenough").await;
                    while !closes && stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
                });
            }
        });
        let (gateway, address) = gateway_to(instance).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut from, mut to) = stream.split();
        let send = async {
            let piece = vec![b'x'; 64 << 10];
            while to.write_all(&piece).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let read = async {
            let mut heard = Vec::new();
            while !heard.ends_with(b"enough") {
                let mut piece = [0; 1024];
                let count = tokio::time::timeout(PATIENCE, from.read(&mut piece)).await.unwrap().unwrap();
                heard.extend_from_slice(&piece[..count]);
                assert!(count > 0, "{}", String::from_utf8_lossy(&heard));
            }
            String::from_utf8(heard).unwrap()
        };
        let heard = tokio::select! {
            heard = read => heard,
            () = send => panic!("the answer comes first"),
        };
        assert!(heard.starts_with("HTTP/1.1 413 Enough\r\n") && heard.contains("connection: close\r\n"), "{heard}");
        drop(stream);
        eventually("it is counted out", async || gateway.status().await.in_flight("hello-0-g1") == 0).await;
    }
}

/// What an instance says beyond its answer is nobody's answer; one that could be read in two ways is none.
#[tokio::test]
async fn an_instance_cannot_answer_for_others() {
    let forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    for answer in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nreal{forged}"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nreal\r\n0\r\n\r\n{forged}"),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\nreal\r\n0\r\n\r\n{forged}"
        ),
        format!("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nreal{forged}"),
        format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n{forged}"),
    ] {
        // The rest in the same packet, and later.
        let whole = answer.len();
        let answers =
            vec![(answer.clone(), whole), (answer.clone(), whole - forged.len()), (answer.clone(), whole - 10)];
        let (_gateway, address) = gateway_to(instance("\r\n\r\n", answers).await).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        for _ in 0..6 {
            stream.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let empty = answer.contains(" 204 ") || answer.contains(" 304 ");
            let end = if empty {
                "\r\n\r\n"
            } else if answer.contains("chunked") {
                "real\r\n0\r\n\r\n"
            } else {
                "real"
            };
            let heard = hear(&mut stream, end).await;
            assert!(!heard.contains("forged") && heard.matches("HTTP/1.1").count() == 1, "{answer:?}: {heard}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nreals",
        "HTTP/1.1 200 OK\r\nContent-Length: 4, 5\r\n\r\nreals",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nreals",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        "noise\r\n\r\n",
    ] {
        let (_gateway, address) = gateway_to(instance("\r\n\r\n", vec![(answer.to_owned(), 5)]).await).await;
        let seen = get(address, "/hello").await;
        assert_eq!((seen.status.as_u16(), seen.header("x-wharf-reason")), (502, "connection-lost"), "{answer:?}");
    }
    // One that breaks off later does so for the caller, too.
    for answer in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nreal\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nreally\r\n0\r\n\r\n",
    ] {
        let (_gateway, address) = gateway_to(instance("\r\n\r\n", vec![(answer.to_owned(), answer.len())]).await).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let heard = rest(&mut stream).await;
        assert!(!heard.ends_with("0\r\n\r\n") && !heard.contains("zz"), "{heard}");
    }
}

#[tokio::test]
async fn what_connection_names_stays_and_cannot_take_away_what_protects() {
    let echo = Instance::echo().await;
    let (_gateway, address) = gateway_to(echo.address).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX-Forwarded-For: 192.0.2.1\r\n\
                Connection: host, content-length, x-forwarded-for, x-a\r\nX-A: 1\r\nX-B: 2\r\n\r\nabc";
    stream.write_all(head.as_bytes()).await.unwrap();
    let heard = hear(&mut stream, "\n\nabc").await;
    for line in ["host: x\n", "content-length: 3\n", "x-forwarded-for: 127.0.0.1\n", "x-b: 2\n"] {
        assert!(heard.contains(line), "{line} in {heard}");
    }
    assert!(!heard.contains("x-a") && !heard.contains("connection"), "{heard}");
}
