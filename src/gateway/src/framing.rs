//! Whether a request's head can be read in one way only.
//!
//! Two readers that disagree on where a message ends, or for whom it is, can be made to disagree on where the next one
//! starts. The parser refuses most of that itself; what it lets through, because some server somewhere sends it, is
//! refused here. Plain functions.

use hyper::header::{HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Uri, Version};

/// So many headers a request may have.
pub(crate) const MOST_HEADERS: usize = 100;

/// So large a request's head may be, in bytes.
pub(crate) const LARGEST_HEAD: usize = 64 << 10;

/// What is said of a body in a coding that another reader may not know.
pub(crate) const CODING: &str = "its Transfer-Encoding is not `chunked` alone";

/// Says what is ambiguous about a head, if anything is.
pub(crate) fn ambiguity(version: Version, uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next()
        && (codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Some(CODING);
    }
    let hosts = headers.get_all(HOST).iter();
    let named = uri.authority().map(Authority::as_str);
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    judge_host(version != Version::HTTP_11, named, hosts.count(), host).err()
}

/// Whether it is clear for whom a request is that says `host` in so many headers, and whose address may name one.
/// Requests before HTTP/1.1 need to say none, nor do those of HTTP/2, whose address does.
pub(crate) fn judge_host(
    may_lack: bool,
    named: Option<&str>,
    hosts: usize,
    host: Option<&[u8]>,
) -> Result<(), &'static str> {
    if hosts > 1 {
        return Err("it has more than one Host");
    }
    let Some(host) = host else { return if may_lack { Ok(()) } else { Err("it has no Host") } };
    let Some(host) = std::str::from_utf8(host).ok().filter(|host| is_host(host)) else {
        return Err("its Host is not a host");
    };
    let differs = named.is_some_and(|named| !named.eq_ignore_ascii_case(host));
    if differs { Err("its Host is not the one that its address names") } else { Ok(()) }
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
    use hyper::header::HeaderName;

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
