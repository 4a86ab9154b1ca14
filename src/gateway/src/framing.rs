//! Whether a request's head can be read in one way only.
//!
//! Two readers that disagree on where a message ends, or for whom it is, can be made to disagree on where the next one
//! starts. The parser refuses most of that itself; what it lets through, because some server somewhere sends it, is
//! refused here. Plain functions.

use hyper::header::{HOST, TRANSFER_ENCODING};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Uri, Version};

/// So many headers a request may have.
pub(crate) const MOST_HEADERS: usize = 100;

/// So large a request's head may be, in bytes.
pub(crate) const LARGEST_HEAD: usize = 64 << 10;

/// Says what is ambiguous about a head, if anything is.
pub(crate) fn ambiguity(version: Version, uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next()
        && (codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Some("its Transfer-Encoding is not `chunked` alone");
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Some("it has more than one Host");
    }
    let named = uri.authority();
    match host {
        None if version == Version::HTTP_11 => Some("it has no Host"),
        None => None,
        Some(host) => {
            let Some(host) = host.to_str().ok().filter(|host| is_host(host)) else {
                return Some("its Host is not a host");
            };
            let differs = named.is_some_and(|named| !named.as_str().eq_ignore_ascii_case(host));
            differs.then_some("its Host is not the one that its address names")
        }
    }
}

/// Whether it is a host, perhaps with a port. An empty one is allowed by the standard.
fn is_host(text: &str) -> bool {
    let simple = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'_');
    text.bytes().all(simple) || (!text.contains('@') && text.parse::<Authority>().is_ok())
}

/// The host that a request asks for, as its address or its header says.
pub(crate) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let named = uri.authority().map(Authority::as_str);
    named.or_else(|| headers.get(HOST)?.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    /// Judges a head written as `address`, then headers one per line.
    fn check(version: Version, address: &str, lines: &str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for line in lines.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        assert_eq!(ambiguity(version, &address.parse().unwrap(), &headers), expected, "{address} {lines}");
    }

    #[test]
    fn a_plain_head_is_fine() {
        check(Version::HTTP_11, "/", "host: example.com:8080", None);
        check(Version::HTTP_11, "/", "host: [::1]:8080", None);
        check(Version::HTTP_11, "/", "host: a\ntransfer-encoding: Chunked", None);
        check(Version::HTTP_10, "/", "accept: */*", None);
        check(Version::HTTP_2, "http://a/", "accept: */*", None);
        check(Version::HTTP_11, "http://A/", "host: a", None);
    }

    #[test]
    fn there_is_one_coding() {
        let words = Some("its Transfer-Encoding is not `chunked` alone");
        check(Version::HTTP_11, "/", "host: a\ntransfer-encoding: gzip, chunked", words);
        check(Version::HTTP_11, "/", "host: a\ntransfer-encoding: chunked\ntransfer-encoding: chunked", words);
        check(Version::HTTP_11, "/", "host: a\ntransfer-encoding: xchunked", words);
    }

    #[test]
    fn there_is_one_host_and_it_is_the_one_asked_for() {
        check(Version::HTTP_11, "/", "accept: */*", Some("it has no Host"));
        check(Version::HTTP_11, "/", "host: a\nhost: a", Some("it has more than one Host"));
        check(Version::HTTP_11, "/", "host: a/b", Some("its Host is not a host"));
        check(Version::HTTP_11, "/", "host: u@a", Some("its Host is not a host"));
        check(Version::HTTP_11, "http://b/", "host: a", Some("its Host is not the one that its address names"));
        check(Version::HTTP_2, "http://b/", "host: a", Some("its Host is not the one that its address names"));
    }
}
