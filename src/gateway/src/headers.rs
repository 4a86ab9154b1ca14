//! Which headers travel with a request and a response, and which belong to one connection only. Plain functions.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Uri};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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

/// The protocol that a request wants to change to, if it does: `Connection: upgrade` and `Upgrade`.
pub(crate) fn wanted_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = headers.get(UPGRADE)?;
    named_in_connection(headers).contains(&UPGRADE).then(|| wanted.clone())
}

/// Puts a change of protocol back after [`strip_hop_by_hop`].
pub(crate) fn restore_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
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
pub(crate) fn forward(headers: &mut HeaderMap, client: &HeaderValue, make_id: impl FnOnce() -> HeaderValue) {
    strip_hop_by_hop(headers);
    // The gateway itself tells the client to go on, when the instance starts to take the body.
    headers.remove(EXPECT);
    let chain = match headers.get(&FORWARDED_FOR) {
        Some(before) => joined(headers.get_all(&FORWARDED_FOR).iter(), client).unwrap_or_else(|| before.clone()),
        None => client.clone(),
    };
    headers.insert(FORWARDED_FOR, chain);
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    if !headers.contains_key(&REQUEST_ID) {
        headers.insert(REQUEST_ID, make_id());
    }
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
        let mut headers = HeaderMap::new();
        for line in sent.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let upgrade = wanted_upgrade(&headers);
        forward(&mut headers, &HeaderValue::from_static("10.0.0.7"), || HeaderValue::from_static("made"));
        if let Some(protocol) = upgrade {
            restore_upgrade(&mut headers, protocol);
        }
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
             TE: trailers
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
    fn a_wanted_upgrade_goes_through() {
        check(
            "Connection: keep-alive, Upgrade
             Upgrade: websocket
             Sec-WebSocket-Key: x",
            "connection: upgrade
             sec-websocket-key: x
             upgrade: websocket
             x-forwarded-for: 10.0.0.7
             x-request-id: made",
        );
    }
}
