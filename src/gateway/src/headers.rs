//! Which headers travel with a request and a response, and which belong to one connection only. Plain functions.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Uri};

use crate::outgoing::Guest;
use crate::trace::{Brought, Joined};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const TRACE: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// Removes what concerns one connection only: the fixed set, and whatever `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // A body in chunks has no length, whatever is claimed: two readers that disagree on where a message ends can be made
    // to disagree on where the next one starts.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    if headers.contains_key(CONNECTION) {
        for name in named_in_connection(headers) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    let fixed =
        [&KEEP_ALIVE, &PROXY_CONNECTION, &PROXY_AUTHENTICATE, &PROXY_AUTHORIZATION, &TE, &TRAILER, &TRANSFER_ENCODING];
    for name in fixed {
        headers.remove(name);
    }
    headers.remove(UPGRADE);
}

fn named_in_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Makes sure that there is a `Host`: what the request's address says, else what the client sent, else the service.
pub(crate) fn name_host(headers: &mut HeaderMap, address: &Uri, service: &str) {
    let named = address.authority().map(Authority::as_str);
    if named.is_none() && headers.contains_key(HOST) {
        return;
    }
    if let Ok(host) = HeaderValue::from_str(named.unwrap_or(service)) {
        headers.insert(HOST, host);
    }
}

/// Turns a client's request headers into those that the instance gets. `make_id` is asked for a request id if the
/// client brought none.
pub(crate) fn forward(headers: &mut HeaderMap, guest: Guest<'_>, make_id: impl FnOnce() -> HeaderValue) {
    let trailers = accepts_trailers(headers);
    strip_hop_by_hop(headers);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    join_cookies(headers);
    go_on(headers, guest.trace);
    // The gateway itself tells the client to go on, when the instance starts to take the body.
    headers.remove(EXPECT);
    let chain = match headers.get(&FORWARDED_FOR) {
        Some(before) => joined(headers.get_all(&FORWARDED_FOR).iter(), guest.client).unwrap_or_else(|| before.clone()),
        None => guest.client.clone(),
    };
    headers.insert(FORWARDED_FOR, chain);
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(guest.scheme));
    if !headers.contains_key(&REQUEST_ID) {
        headers.insert(REQUEST_ID, make_id());
    }
}

/// Tells the instance of its place in a trace. A gateway that takes no part in traces passes on what is well formed.
fn go_on(headers: &mut HeaderMap, trace: Option<Joined>) {
    let goes_on = match trace {
        Some(joined) => joined.caller.is_some(),
        None => brought(headers) != Brought::Broken,
    };
    if !goes_on {
        headers.remove(TRACE);
        headers.remove(TRACE_STATE);
    }
    if let Some(value) = trace.and_then(|joined| HeaderValue::try_from(joined.own.text()).ok()) {
        headers.insert(TRACE, value);
    }
}

/// The place in a trace that a request brings.
pub(crate) fn brought(headers: &HeaderMap) -> Brought {
    Brought::of(headers.get_all(TRACE).iter().map(HeaderValue::as_bytes))
}

/// Whether the caller reads trailers, as gRPC clients do.
fn accepts_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("trailers"))
}

/// In HTTP/2 cookies may come in several headers; older servers read only the first.
fn join_cookies(headers: &mut HeaderMap) {
    let mut values = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (values.next(), values.next()) else { return };
    let mut all = [first.as_bytes(), second.as_bytes()].join(&b"; "[..]);
    for value in values {
        all.extend_from_slice(b"; ");
        all.extend_from_slice(value.as_bytes());
    }
    if let Ok(all) = HeaderValue::from_bytes(&all) {
        headers.insert(COOKIE, all);
    }
}

/// Whether a request is one of gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| is_grpc_type(kind.as_bytes()))
}

/// Whether a type of content is one of gRPC's.
pub(crate) fn is_grpc_type(kind: &[u8]) -> bool {
    kind.starts_with(b"application/grpc")
}

/// Whether an answer is a stream of events.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| is_event_stream_type(kind.as_bytes()))
}

/// Whether a type of content is that of events.
pub(crate) fn is_event_stream_type(kind: &[u8]) -> bool {
    kind.starts_with(b"text/event-stream")
}

fn joined<'a>(before: impl Iterator<Item = &'a HeaderValue>, client: &HeaderValue) -> Option<HeaderValue> {
    let mut chain = Vec::new();
    for value in before {
        chain.extend_from_slice(value.as_bytes());
        chain.extend_from_slice(b", ");
    }
    chain.extend_from_slice(client.as_bytes());
    HeaderValue::from_bytes(&chain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forwards headers written one per line, and compares what the instance gets, sorted.
    fn check(sent: &str, expected: &str) {
        check_traced(None, sent, expected);
    }

    fn check_traced(trace: Option<Joined>, sent: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        for line in sent.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let client = HeaderValue::from_static("10.0.0.7");
        let guest = Guest { client: &client, scheme: "http", trace };
        forward(&mut headers, guest, || HeaderValue::from_static("made"));
        let lines = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let mut lines: Vec<_> = lines.collect();
        lines.sort();
        let mut expected: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        expected.extend(["x-forwarded-proto: http"]);
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_belongs_to_the_connection_stays_behind() {
        check(
            "Host: example.com
             Connection: keep-alive, X-Mine
             Keep-Alive: timeout=5
             X-Mine: 1
             TE: gzip
             Transfer-Encoding: chunked
             Content-Length: 5
             Expect: 100-continue
             Upgrade: h2c
             Accept: */*",
            "accept: */*
             host: example.com
             x-forwarded-for: 10.0.0.7
             x-request-id: made",
        );
    }

    #[test]
    fn there_is_always_a_host() {
        let check = |address: &str, sent: Option<&str>, expected: &str| {
            let sent = sent.map(|host| (HOST, host.parse().unwrap()));
            let mut headers = HeaderMap::from_iter(sent);
            name_host(&mut headers, &address.parse().unwrap(), "hello");
            assert_eq!(headers[HOST], expected, "{address}");
        };
        check("/x", Some("example.com"), "example.com");
        check("/x", None, "hello");
        check("http://asked.example/x", Some("example.com"), "asked.example");
    }

    #[test]
    fn the_chain_of_clients_grows_and_an_id_is_kept() {
        check(
            "X-Forwarded-For: 192.0.2.1
             X-Forwarded-For: 192.0.2.2
             X-Forwarded-Proto: https
             X-Request-Id: abc",
            "x-forwarded-for: 192.0.2.1, 192.0.2.2, 10.0.0.7
             x-request-id: abc",
        );
    }

    #[test]
    fn trailers_and_cookies_arrive() {
        check(
            "TE: gzip, trailers
             Cookie: a=1
             Cookie: b=2",
            "cookie: a=1; b=2
             te: trailers
             x-forwarded-for: 10.0.0.7
             x-request-id: made",
        );
    }

    #[test]
    fn a_trace_goes_on_and_a_broken_one_ends() {
        let whole = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let rest = "x-forwarded-for: 10.0.0.7\nx-request-id: made";
        check(
            &format!("traceparent: {whole}\ntracestate: a=b"),
            &format!("traceparent: {whole}\ntracestate: a=b\n{rest}"),
        );
        let longer = format!("{whole}-00");
        for broken in [&longer, "00-1-2-3", "é"] {
            check(&format!("traceparent:  {broken}\ntracestate: a=b"), rest);
        }
        check(&format!("traceparent: {whole}\ntraceparent: {whole}\ntracestate: a=b"), rest);
        check("tracestate: a=b", &format!("tracestate: a=b\n{rest}"));
        let future = format!("01{}-more", &whole[2..]);
        check(&format!("traceparent: {future}"), &format!("traceparent: {future}\n{rest}"));
    }

    #[test]
    fn whoever_takes_part_in_a_trace_is_the_parent_of_what_follows() {
        let own = crate::trace::Parent { trace: 1, span: 2, sampled: true };
        let (one, two) = ("0".repeat(31) + "1", "0".repeat(15) + "2");
        let told = format!("traceparent: 00-{one}-{two}-01");
        let rest = "x-forwarded-for: 10.0.0.7\nx-request-id: made";
        let sent = format!("traceparent: 00-{one}-0000000000000003-01\ntracestate: a=b\ntracestate: c=d");
        let expected = format!("{told}\ntracestate: a=b\ntracestate: c=d\n{rest}");
        check_traced(Some(Joined { own, caller: Some(3) }), &sent, &expected);
        for sent in ["", "tracestate: a=b", "traceparent: 00-1-2-3\ntracestate: a=b"] {
            check_traced(Some(Joined { own, caller: None }), sent, &format!("{told}\n{rest}"));
        }
    }
}
