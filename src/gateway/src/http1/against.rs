//! Our reading of heads and what we make of them, held against others' on many heads that were put together by chance: hyper's
//! parser with `framing` behind it, and `headers`, which does for HTTP/2 what `outbound` does here.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use http_body_util::Empty;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{EXPECT, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::fields::room;
use super::outbound;
use super::reading::Framing;
use super::request::RequestHead;
use crate::choice::Random;
use crate::config::{Config, Endpoint, Route, TokenDigest};
use crate::framing;
use crate::headers;
use crate::live::{Live, Telling};
use crate::outgoing::Guest;
use crate::proxy::Asking;
use crate::registry::Registry;
use crate::trace::{self, Brought};

const HEADS: usize = 6_000;

/// One of these.
fn pick<'a>(random: &Random, of: &[&'a str]) -> &'a str {
    of[usize::try_from(random.next() >> 33).unwrap() % of.len()]
}

/// Mostly the first.
fn mostly<'a>(random: &Random, usual: &'a str, of: &[&'a str]) -> &'a str {
    if random.next() % 10 < 8 { usual } else { pick(random, of) }
}

fn head(random: &Random) -> String {
    let methods = ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PURGE", "get", "G(T", ""];
    let addresses = [
        "/",
        "/a/b?c=d&e",
        "/a#b",
        "/%2e%2e/",
        "//x/y",
        "/a b",
        "/\u{e9}",
        "/a\\b",
        "/a|b",
        "/a\"b",
        "/{a}",
        "/a^b",
        "/a`b",
        "/<a>",
        "/?a?b",
        "/a?b#c",
        "*",
        "x",
        "x:80",
        "http://x/",
        "http://x:80/a?b",
        "http://y/",
        "http://x?a",
        "HTTP://X/",
        "http://u@x/",
        "http:///a",
        "ftp://x/",
        "/\u{7f}",
        "/\u{1}",
        "",
    ];
    let versions = ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1", ""];
    let ends = ["\n", "\r\n\r", "\r\r\n", " \r\n"];
    let lines = [
        "Content-Length: 5",
        "Content-Length: 5",
        "content-length: 0",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Content-Length: 6",
        "Content-Length:",
        "Content-Length: 5 ",
        "Content-Length : 5",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: Chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: \u{b}chunked",
        "Host: x",
        "Host: y",
        "Host: x/y",
        "host:",
        "Connection: close",
        "Connection: keep-alive, X-A",
        "Connection: te, content-length",
        "Keep-Alive: 5",
        "Upgrade: websocket",
        "X-A: 1",
        "X-A:2",
        "x-b: \u{e9}",
        "x-b: a\tb",
        "X-C: a\0b",
        "X-C: a\rb",
        " folded: 1",
        "no colon",
        ": no name",
        "x y: 1",
        "X-F\u{e9}: 1",
        "Cookie: a=1",
        "Cookie: b=2",
        "TE: trailers",
        "TE: gzip",
        "Trailer: x",
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-For: 192.0.2.2",
        "X-Forwarded-Proto: gopher",
        "X-Request-Id: mine",
        "Authorization: Bearer a",
        "Expect: 100-continue",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "traceparent: 00-1-2-3",
        "tracestate: a=b",
        "Proxy-Authorization: b",
        "Proxy-Connection: close",
        "Date: today",
        "Content-Type: text/plain",
    ];
    let mut text = format!(
        "{} {} {}{}",
        mostly(random, "GET", &methods),
        mostly(random, "/a", &addresses),
        mostly(random, "HTTP/1.1", &versions),
        mostly(random, "\r\n", &["\n", " \r\n"])
    );
    if random.next() % 10 < 9 {
        text += "Host: x\r\n";
    }
    for _ in 0..random.next() % 6 {
        text += pick(random, &lines);
        text += if random.next() % 20 < 19 { "\r\n" } else { pick(random, &ends) };
    }
    text + "\r\n"
}

/// What a reader made of a head: method, address, headers, and how the body's end is told.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    method: Method,
    target: String,
    lines: Vec<(String, Vec<u8>)>,
    body: Option<u64>,
}

fn sorted(lines: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

fn lines_of(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    sorted(headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())))
}

fn ours(text: &str) -> Result<Read, &'static str> {
    let mut room = room();
    let head = match RequestHead::read(text.as_bytes(), &mut room) {
        Ok(Some(head)) => head,
        Ok(None) => return Err("more"),
        Err(_) => return Err("unreadable"),
    };
    if let Some(why) = head.ambiguity {
        return Err(why);
    }
    let lines = head.fields.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec()));
    let body = match head.framing {
        Framing::Length(length) => Some(length),
        _ => None,
    };
    Ok(Read { method: head.method.clone(), target: head.target.to_string(), lines: sorted(lines), body })
}

/// What hyper and `framing` together make of it.
async fn theirs(text: &str) -> Option<Read> {
    let (mut client, server) = tokio::io::duplex(64 << 10);
    client.write_all(text.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let read = Arc::new(Mutex::new(None));
    let seen = read.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let ambiguity = framing::ambiguity(request.version(), request.uri(), request.headers());
        let target = match request.uri().path_and_query() {
            Some(path) if path.as_str().starts_with('?') => format!("/{}", path.as_str()),
            Some(path) => path.as_str().to_owned(),
            None => request.uri().to_string(),
        };
        let read = Read {
            method: request.method().clone(),
            target,
            lines: lines_of(request.headers()),
            body: request.body().size_hint().exact(),
        };
        if ambiguity.is_none() {
            seen.lock().unwrap().get_or_insert(read);
        }
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    let _ = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service).await;
    read.lock().unwrap().take()
}

#[tokio::test]
async fn nothing_is_read_that_hyper_would_not_read_the_same_way() {
    let random = Random::seeded(11);
    let (mut read, mut stricter) = (0, 0);
    for _ in 0..HEADS {
        let text = head(&random);
        match (ours(&text), theirs(&text).await) {
            (Ok(mut ours), Some(mut theirs)) => {
                read += 1;
                // The parser takes the length away from beside chunks before anybody sees it.
                if ours.body.is_none() {
                    ours.lines.retain(|(name, _)| name != "content-length");
                }
                theirs.lines.retain(|(name, _)| ours.body.is_some() || name != "content-length");
                assert_eq!(ours, theirs, "{text:?}");
            }
            (Ok(ours), None) => panic!("{text:?} is read as {ours:?}, and hyper reads nothing"),
            (Err(_), None) => {}
            (Err(why), Some(theirs)) => {
                stricter += 1;
                let twice = text.to_lowercase().matches("content-length").count() > 1;
                let fragment = text.contains('#');
                let wildly = theirs.target.contains(|byte: char| byte == '\\' || !byte.is_ascii());
                // A line that ends twice, say: the parser skips what stands before the next head.
                let named = (why == "it has more than one Content-Length" && twice)
                    || (why == "its Content-Length is no length" && theirs.body.is_none())
                    || (why == "unreadable" && (fragment || wildly || !theirs.target.contains('/')));
                assert!(named, "{text:?} is refused ({why}), and hyper reads {theirs:?}");
            }
        }
    }
    assert!(read > HEADS / 10 && stricter > 10, "{read} were read, {stricter} only by hyper");
}

#[test]
fn instances_get_the_same_from_callers_in_either_version() {
    let random = Random::seeded(5);
    let token = TokenDigest { name: "a".into(), sha256: "00".repeat(32), rate: None };
    let routes = [("/a", vec![token]), ("/", vec![])].map(|(path, tokens)| {
        let endpoints = vec![Endpoint::serving("hello-0-g1", ([127, 0, 0, 1], 1).into())];
        Route {
            name: path.into(),
            service: "hello".into(),
            paths: vec![path.into()],
            tokens,
            endpoints,
            ..Route::default()
        }
    });
    let (live, mut registry) = (Live::new(), Registry::new(tokio_util::sync::CancellationToken::new()));
    live.replace(&Config { routes: routes.to_vec(), ..Config::empty() }, Telling::default(), &mut registry);
    let client = HeaderValue::from_static("10.0.0.7");
    let made = || HeaderValue::from_static("made");
    let mut compared = 0;
    for turn in 0..4 * HEADS {
        let text = head(&random);
        let mut room = room();
        let Ok(Some(head)) = RequestHead::read(text.as_bytes(), &mut room) else { continue };
        let brought = Brought::of(Asking::values(&head, &headers::TRACE));
        let trace = (turn % 2 == 0).then(|| trace::join(brought, 1_000, || random.next()));
        let guest = Guest { client: &client, scheme: "http", trace };
        // Where `Connection` names what the gateway itself sets, here it is set all the same.
        if head.ambiguity.is_some() || text.contains("content-length\r\n") {
            continue;
        }
        let Some((route, covered)) = live.find(None, head.path(), &random).route else { continue };
        let mut out = BytesMut::new();
        outbound::request(&mut out, &head, &route, covered, guest, None, made);
        let mut lines = [httparse::EMPTY_HEADER; 100];
        let mut sent = httparse::Request::new(&mut lines);
        assert_eq!(sent.parse(&out), Ok(httparse::Status::Complete(out.len())), "{text:?}");
        assert_eq!(sent.path, Some(&*crate::paths::rest(&head.target, covered)));
        let of_body = |name: &str| matches!(name, "content-length" | "transfer-encoding");
        let told = sent.headers.iter().map(|line| (line.name.to_ascii_lowercase(), line.value.to_vec()));
        let told = sorted(told.filter(|(name, _)| !of_body(name)));

        let request = head.told();
        let mut expected = request.headers().clone();
        let address = match head.host() {
            Some(host) => format!("http://{host}/").parse().unwrap_or_default(),
            None => hyper::Uri::default(),
        };
        headers::name_host(&mut expected, &address, "hello");
        headers::forward(&mut expected, guest, made);
        if !route.tokens.is_empty() {
            expected.remove("authorization");
        }
        assert!(!expected.contains_key(EXPECT));
        let mut expected = lines_of(&expected);
        expected.retain(|(name, _)| !of_body(name));
        assert_eq!(told, expected, "{text:?}");
        compared += 1;
    }
    assert!(compared > HEADS / 2, "{compared}");
}
