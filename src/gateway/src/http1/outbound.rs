//! The heads that are sent on: a request's to an instance, an answer's to the caller. What belongs to one connection stays
//! behind, what the gateway knows is added, and the end of the body is said in one way. Plain functions of heads.

use std::cell::RefCell;
use std::time::SystemTime;

use bytes::{BufMut, BytesMut};
use httparse::Header;
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};

use super::answer::AnswerHead;
use super::fields::Field;
use super::reading::Framing;
use super::request::RequestHead;
use crate::live::LiveRoute;
use crate::outgoing::Guest;
use crate::paths;
use crate::trace::Brought;

/// A request's head as an instance gets it. `covered` bytes of the path are the route's prefix; `upgrade` is the protocol
/// that is let through; `make_id` is asked for a request id if the caller brought none.
pub(crate) fn request(
    out: &mut BytesMut,
    head: &RequestHead<'_, '_>,
    route: &LiveRoute,
    covered: usize,
    guest: Guest<'_>,
    upgrade: Option<&HeaderValue>,
    make_id: impl FnOnce() -> HeaderValue,
) {
    out.put_slice(head.method.as_str().as_bytes());
    out.put_slice(b" ");
    out.put_slice(paths::rest(&head.target, covered).as_bytes());
    out.put_slice(b" HTTP/1.1\r\n");
    line(out, "host", head.host().unwrap_or(&route.service).as_bytes());
    let (mut chained, mut cookies, mut known) = (false, 0, false);
    // Whether the caller's trace goes on.
    let traced = match guest.trace {
        Some(joined) => joined.caller.is_some(),
        None => Brought::of(values(head, Field::Trace)) != Brought::Broken,
    };
    for Header { name, value } in head.fields {
        match Field::of(name) {
            Field::Connection
            | Field::Expect
            | Field::ForwardedProto
            | Field::Hop
            | Field::Host
            | Field::Length
            | Field::Te
            | Field::TransferEncoding
            | Field::Upgrade => {}
            // The gateway's token is no business of the service.
            Field::Authorization if !route.tokens.is_empty() => {}
            Field::Trace | Field::TraceState if !traced => {}
            // Said below.
            Field::Trace if guest.trace.is_some() => {}
            _ if head.options.name(name) => {}
            Field::ForwardedFor => chained = true,
            Field::Cookie => cookies += 1,
            field => {
                known |= field == Field::RequestId;
                line(out, name, value);
            }
        }
    }
    if cookies > 0 {
        list(out, "cookie", values(head, Field::Cookie), b"; ");
    }
    let client = guest.client.as_bytes();
    let before = values(head, Field::ForwardedFor).filter(|_| chained);
    list(out, "x-forwarded-for", before.chain([client]), b", ");
    line(out, "x-forwarded-proto", guest.scheme.as_bytes());
    if !known {
        line(out, "x-request-id", make_id().as_bytes());
    }
    if let Some(joined) = guest.trace {
        line(out, "traceparent", joined.own.text().as_bytes());
    }
    if head.trailers {
        out.put_slice(b"te: trailers\r\n");
    }
    if let Some(protocol) = upgrade {
        out.put_slice(b"connection: upgrade\r\n");
        line(out, "upgrade", protocol.as_bytes());
    }
    if head.has_body() || head.says_length {
        framing(out, head.framing);
    }
    out.put_slice(b"\r\n");
}

/// How an answer's head and body are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// How the end of the body is told to the caller; none where there is no body.
    pub(crate) framing: Option<Framing>,
    /// Whether the connection is closed afterwards.
    pub(crate) close: bool,
    /// The caller speaks HTTP/1.0.
    pub(crate) old: bool,
}

/// An answer's head as the caller gets it. `upgrade` is the protocol that both change to.
pub(crate) fn answer(out: &mut BytesMut, head: &AnswerHead<'_, '_>, manner: Manner, upgrade: Option<&HeaderValue>) {
    status(out, head.status, head.reason, manner);
    let mut dated = false;
    for Header { name, value } in head.fields {
        match Field::of(name) {
            Field::Connection | Field::Hop | Field::Te | Field::TransferEncoding | Field::Upgrade => {}
            // Said below. Where there is no body, it is about the one that there would be.
            Field::Length if head.framing.is_some() || head.status < 200 || head.status == 204 => {}
            _ if head.options.name(name) => {}
            field => {
                dated |= field == Field::Date;
                line(out, name, value);
            }
        }
    }
    if !dated {
        date(out);
    }
    if let Some(protocol) = upgrade {
        out.put_slice(b"connection: upgrade\r\n");
        line(out, "upgrade", protocol.as_bytes());
    }
    end(out, manner);
}

/// An answer of the gateway's own.
pub(crate) fn reply<B>(out: &mut BytesMut, response: &Response<B>, manner: Manner) {
    status(out, response.status().as_u16(), reason(response.status()), manner);
    for (name, value) in response.headers() {
        if Field::of(name.as_str()) != Field::Connection {
            line(out, name.as_str(), value.as_bytes());
        }
    }
    date(out);
    end(out, manner);
}

fn end(out: &mut BytesMut, manner: Manner) {
    if manner.close {
        out.put_slice(b"connection: close\r\n");
    } else if manner.old {
        out.put_slice(b"connection: keep-alive\r\n");
    }
    if let Some(told) = manner.framing {
        framing(out, told);
    }
    out.put_slice(b"\r\n");
}

fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or(match status.as_u16() {
        450 => "Queue Full",
        _ => "Other",
    })
}

fn status(out: &mut BytesMut, status: u16, reason: &str, manner: Manner) {
    out.put_slice(if manner.old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    number(out, status.into());
    out.put_slice(b" ");
    out.put_slice(reason.as_bytes());
    out.put_slice(b"\r\n");
}

fn line(out: &mut BytesMut, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.put_slice(name.as_bytes());
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

fn list<'a>(out: &mut BytesMut, name: &str, values: impl Iterator<Item = &'a [u8]>, between: &[u8]) {
    out.put_slice(name.as_bytes());
    out.put_slice(b": ");
    for (place, value) in values.enumerate() {
        if place > 0 {
            out.put_slice(between);
        }
        out.put_slice(value);
    }
    out.put_slice(b"\r\n");
}

fn values<'b>(head: &RequestHead<'_, 'b>, wanted: Field) -> impl Iterator<Item = &'b [u8]> {
    head.fields.iter().filter(move |field| Field::of(field.name) == wanted).map(|field| field.value)
}

/// How the end of a body is told.
fn framing(out: &mut BytesMut, framing: Framing) {
    match framing {
        Framing::Length(length) => {
            out.put_slice(b"content-length: ");
            number(out, length);
            out.put_slice(b"\r\n");
        }
        Framing::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
        Framing::UntilClose => {}
    }
}

fn number(out: &mut BytesMut, number: u64) {
    let mut digits = [0; 20];
    let (mut rest, mut at) = (number, digits.len());
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return out.put_slice(&digits[at..]);
        }
    }
}

/// The date, written once a second.
fn date(out: &mut BytesMut) {
    thread_local! {
        static WRITTEN: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    WRITTEN.with_borrow_mut(|(written, text)| {
        if *written != second {
            (*written, *text) = (second, httpdate::fmt_http_date(now));
        }
        line(out, "date", text.as_bytes());
    });
}

/// Whether a caller may change to this protocol: only WebSocket. Any other, HTTP/2 above all, would carry further requests to
/// the instance that no token was checked for.
pub(crate) fn upgrade(head: &RequestHead<'_, '_>) -> Option<HeaderValue> {
    let wanted = head.upgrade.filter(|wanted| wanted.eq_ignore_ascii_case(b"websocket"))?;
    HeaderValue::from_bytes(wanted).ok()
}

#[cfg(test)]
mod tests {
    use super::super::fields::room;
    use super::*;

    const PLAIN: Manner = Manner { framing: None, close: false, old: false };

    /// Writes the answer that a caller gets, its date left out; lines are parted by `|`.
    fn check(sent: &str, manner: Manner, upgrade: Option<&'static str>, expected: &str) {
        let sent = sent.replace('|', "\r\n") + "\r\n\r\n";
        let mut room = room();
        let head = AnswerHead::read(sent.as_bytes(), &mut room, &hyper::Method::GET).unwrap().unwrap();
        let upgrade = upgrade.map(HeaderValue::from_static);
        let mut out = BytesMut::new();
        answer(&mut out, &head, manner, upgrade.as_ref());
        let text = String::from_utf8(out.to_vec()).unwrap();
        let lines = text.strip_suffix("\r\n\r\n").unwrap().split("\r\n").filter(|line| !line.starts_with("date: "));
        assert_eq!(lines.collect::<Vec<_>>().join("|"), expected, "{sent:?}");
        assert_eq!(text.to_lowercase().matches("\r\ndate: ").count(), 1);
    }

    #[test]
    fn an_answer_goes_on_without_what_concerns_the_connection() {
        let chunked = Manner { framing: Some(Framing::Chunked), ..PLAIN };
        check(
            "HTTP/1.1 299 So So|Connection: x-a, close|X-A: 1|X-B:  2 |Keep-Alive: 5|Transfer-Encoding: chunked|Trailer: x",
            chunked,
            None,
            "HTTP/1.1 299 So So|X-B: 2|transfer-encoding: chunked",
        );
        let length = Manner { framing: Some(Framing::Length(12)), close: true, old: false };
        check(
            "HTTP/1.0 200 OK|content-length: 12|Date: today",
            length,
            None,
            "HTTP/1.1 200 OK|Date: today|connection: close|content-length: 12",
        );
        check("HTTP/1.1 304 |Content-Length: 12", PLAIN, None, "HTTP/1.1 304 |Content-Length: 12");
        check("HTTP/1.1 204 |Content-Length: 12", PLAIN, None, "HTTP/1.1 204 ");
        let old = Manner { framing: Some(Framing::Length(1)), close: false, old: true };
        check(
            "HTTP/1.1 200 OK|Content-Length: 1",
            old,
            None,
            "HTTP/1.0 200 OK|connection: keep-alive|content-length: 1",
        );
    }

    #[test]
    fn both_sides_change_the_protocol() {
        check(
            "HTTP/1.1 101 Switching|Connection: Upgrade|Upgrade: WebSocket|Sec-WebSocket-Accept: a",
            PLAIN,
            Some("websocket"),
            "HTTP/1.1 101 Switching|Sec-WebSocket-Accept: a|connection: upgrade|upgrade: websocket",
        );
    }

    #[test]
    fn only_websocket_is_let_through() {
        for (wished, through) in [("websocket", true), ("WebSocket", true), ("h2c", false), ("websocket, h2c", false)] {
            let sent = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: {wished}\r\n\r\n");
            let mut room = room();
            let head = RequestHead::read(sent.as_bytes(), &mut room).unwrap().unwrap();
            assert_eq!(upgrade(&head).is_some(), through, "{wished}");
        }
    }

    #[test]
    fn numbers_are_written_whole() {
        for value in [0, 9, 10, 12_345, u64::MAX] {
            let mut out = BytesMut::new();
            number(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
    }
}
