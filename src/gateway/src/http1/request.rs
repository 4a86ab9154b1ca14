//! What a caller's head says: what is asked for, where its body ends, whether the connection goes on. Plain functions of
//! bytes; stricter than the parser, and never laxer than `framing`.

use std::borrow::Cow;

use httparse::{Error, Header, Status};
use hyper::Method;
use hyper::body::Body;
use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper::http::uri::Authority;
use hyper::http::{Request, Uri, Version};

use super::fields::{Field, Options, Room, length};
use super::reading::Framing;
use crate::framing::{self, LARGEST_HEAD};
use crate::headers;
use crate::proxy::Asking;

/// A head that was read whole, and all that it says.
#[derive(Debug)]
pub(crate) struct RequestHead<'h, 'b> {
    /// How long it is, in bytes.
    pub(crate) size: usize,
    pub(crate) method: Method,
    /// The path and the query; `*` where no path is meant.
    pub(crate) target: Cow<'b, str>,
    /// The host that the address names, where it is a whole one.
    named: Option<Authority>,
    host: Option<&'b [u8]>,
    /// HTTP/1.0.
    pub(crate) old: bool,
    pub(crate) fields: &'h [Header<'b>],
    pub(crate) options: Options<'b>,
    pub(crate) framing: Framing,
    /// Whether a length was said, be it none.
    pub(crate) says_length: bool,
    /// Whether the caller waits to be told that its body is wanted.
    pub(crate) expects: bool,
    /// The caller reads trailers.
    pub(crate) trailers: bool,
    /// The protocol that is wished for instead.
    pub(crate) upgrade: Option<&'b [u8]>,
    /// Whether another request may follow on the connection.
    pub(crate) stays: bool,
    /// It was read whole, and can be read in two ways.
    pub(crate) ambiguity: Option<&'static str>,
}

/// A head that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Malformed(&'static str),
    TooLarge,
}

impl<'h, 'b> RequestHead<'h, 'b> {
    /// Reads a head from the front of `bytes`; none as long as it has no end.
    pub(crate) fn read(bytes: &'b [u8], room: &'h mut Room<'b>) -> Result<Option<Self>, Unreadable> {
        let mut parsed = httparse::Request::new(&mut []);
        let size = match parsed.parse_with_uninit_headers(bytes, room) {
            Ok(Status::Complete(size)) if size <= LARGEST_HEAD => size,
            Ok(Status::Partial) if bytes.len() < LARGEST_HEAD => return Ok(None),
            Ok(_) | Err(Error::TooManyHeaders) => return Err(Unreadable::TooLarge),
            Err(_) => return Err(Unreadable::Malformed("its head is not one of HTTP/1")),
        };
        let malformed = |why| Unreadable::Malformed(why);
        let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes());
        let method = method.map_err(|_| malformed("its method is none"))?;
        let (target, named) =
            address(parsed.path.unwrap_or_default(), &method).ok_or(malformed("its address is none"))?;
        let old = parsed.version == Some(0);
        let mut head = Self {
            size,
            method,
            target,
            named,
            host: None,
            old,
            fields: parsed.headers,
            options: Options::default(),
            framing: Framing::Length(0),
            says_length: false,
            expects: false,
            trailers: false,
            upgrade: None,
            stays: !old,
            ambiguity: None,
        };
        head.ambiguity = head.look().err();
        Ok(Some(head))
    }

    /// The head that an instance of HTTP/1 would have been sent for a request that came otherwise, and is no ambiguous one.
    /// `fields` are its headers.
    pub(crate) fn of<B: Body>(request: &'b Request<B>, fields: &'h [Header<'b>]) -> Self {
        let (framing, path) = (request.body().size_hint().exact(), request.uri().path_and_query());
        let mut head = Self {
            size: 0,
            method: request.method().clone(),
            target: path.map_or("/", |path| path.as_str()).into(),
            named: request.uri().authority().cloned(),
            host: None,
            old: false,
            fields,
            options: Options::default(),
            framing: framing.map_or(Framing::Chunked, Framing::Length),
            says_length: false,
            expects: false,
            trailers: false,
            upgrade: None,
            stays: true,
            ambiguity: None,
        };
        for Header { name, value } in fields {
            match Field::of(name) {
                Field::Host => head.host = Some(value),
                Field::Length => head.says_length = true,
                Field::Connection => head.options.add(value),
                Field::Te => head.trailers |= has_word(value, "trailers"),
                _ => {}
            }
        }
        head
    }

    /// Goes through the lines once.
    fn look(&mut self) -> Result<(), &'static str> {
        let (mut hosts, mut codings, mut said) = (0, 0, None);
        for Header { name, value } in self.fields {
            match Field::of(name) {
                Field::Host => {
                    hosts += 1;
                    self.host = Some(value);
                }
                Field::Length if said.is_some() => return Err("it has more than one Content-Length"),
                Field::Length => said = Some(length(value).ok_or("its Content-Length is no length")?),
                Field::TransferEncoding => {
                    codings += if value.eq_ignore_ascii_case(b"chunked") { 1 } else { 2 };
                }
                Field::Connection => self.options.add(value),
                Field::Expect => self.expects = value.eq_ignore_ascii_case(b"100-continue") && !self.old,
                Field::Te => self.trailers |= has_word(value, "trailers"),
                Field::Upgrade => self.upgrade = self.upgrade.or(Some(value)),
                _ => {}
            }
        }
        if codings > 1 {
            return Err(framing::CODING);
        }
        framing::judge_host(self.old, self.named.as_ref().map(Authority::as_str), hosts, self.host)?;
        if codings == 1 && self.old {
            return Err("it has a Transfer-Encoding, which its version does not know");
        }
        self.says_length = said.is_some() && codings == 0;
        self.framing = if codings == 1 { Framing::Chunked } else { Framing::Length(said.unwrap_or(0)) };
        self.stays = if self.old { self.options.keep_alive } else { true } && !self.options.close;
        // One reader may have gone by the length: what is behind the chunks is nobody's request.
        self.stays &= codings == 0 || said.is_none();
        if !self.options.upgrade || self.old {
            self.upgrade = None;
        }
        Ok(())
    }

    /// The host that is asked for.
    pub(crate) fn host(&self) -> Option<&str> {
        match &self.named {
            Some(named) => Some(named.as_str()),
            None => std::str::from_utf8(self.host?).ok(),
        }
    }

    /// The path without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(&*self.target, |(path, _)| path)
    }

    /// Whether it is a request of gRPC.
    pub(crate) fn is_grpc(&self) -> bool {
        self.values(&CONTENT_TYPE).next().is_some_and(headers::is_grpc_type)
    }

    /// Whether there is a body to come.
    pub(crate) fn has_body(&self) -> bool {
        self.framing != Framing::Length(0)
    }

    /// The values of a header, in order.
    pub(crate) fn values(&self, name: &HeaderName) -> impl Iterator<Item = &'b [u8]> {
        let same = move |field: &&Header<'_>| field.name.eq_ignore_ascii_case(name.as_str());
        self.fields.iter().filter(same).map(|field| field.value)
    }

    /// The same for those who tell of requests.
    pub(crate) fn told(&self) -> Request<()> {
        let mut request = Request::builder().method(self.method.clone()).uri(&*self.target);
        request = request.version(if self.old { Version::HTTP_10 } else { Version::HTTP_11 });
        for Header { name, value } in self.fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap_or_default()
    }
}

/// The path with its query that an address asks for, and the host that it names. None where it is no address.
fn address<'b>(text: &'b str, method: &Method) -> Option<(Cow<'b, str>, Option<Authority>)> {
    if text.starts_with('/') && text.bytes().all(may_stand_in_an_address) {
        return Some((text.into(), None));
    }
    let uri: Uri = text.parse().ok()?;
    if method == Method::CONNECT || text == "*" {
        return Some((text.into(), None));
    }
    // A fragment is for whoever shows the answer, and is never sent.
    if uri.scheme().is_none() || text.contains('#') {
        return None;
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Some((path.into(), uri.authority().cloned()))
}

fn may_stand_in_an_address(byte: u8) -> bool {
    // What the standard allows, and what people send all the same: quotes and braces, and letters of other scripts are
    // sent encoded by everybody.
    matches!(byte, b'!' | b'"' | b'$'..=b';' | b'=' | b'?'..=b'_' | b'a'..=b'~') && byte != b'#'
}

/// Whether a list has this word.
fn has_word(value: &[u8], word: &str) -> bool {
    let text = std::str::from_utf8(value).unwrap_or_default();
    text.split(',').any(|found| found.trim().eq_ignore_ascii_case(word))
}

impl Asking for RequestHead<'_, '_> {
    fn ambiguity(&self) -> Option<&'static str> {
        self.ambiguity
    }

    fn method(&self) -> &Method {
        &self.method
    }

    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        Self::values(self, name).map(|value| value as &[u8])
    }

    fn least_body(&self) -> u64 {
        match self.framing {
            Framing::Length(length) => length,
            Framing::Chunked | Framing::UntilClose => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::room;
    use super::*;

    /// Reads a head at every length and says what was found, as `METHOD target, framing`, and whatever else is unusual.
    fn check(head: &str, expected: &str) {
        let bytes = head.as_bytes();
        let mut room = room();
        let read = RequestHead::read(bytes, &mut room);
        let told = match &read {
            Ok(None) => "more".to_owned(),
            Err(Unreadable::TooLarge) => "too large".to_owned(),
            Err(Unreadable::Malformed(why)) => (*why).to_owned(),
            Ok(Some(head)) => tell(head),
        };
        assert_eq!(told, expected, "{head:?}");
        let size = if let Ok(Some(head)) = &read { head.size } else { bytes.len() };
        for end in 0..size {
            let mut room = super::super::fields::room();
            let cut = RequestHead::read(&bytes[..end], &mut room);
            assert!(matches!(cut, Ok(None)) || (cut.is_err() && read.is_err()), "{head:?} until {end}: {cut:?}");
        }
    }

    fn tell(head: &RequestHead<'_, '_>) -> String {
        if let Some(why) = head.ambiguity {
            return why.to_owned();
        }
        let mut told = format!("{} {}, {:?}", head.method, head.target, head.framing);
        for (is, word) in [
            (head.old, "old"),
            (head.expects, "expects"),
            (head.trailers, "trailers"),
            (head.upgrade.is_some(), "upgrade"),
            (!head.stays, "closes"),
        ] {
            told += if is { " " } else { "" };
            told += if is { word } else { "" };
        }
        told
    }

    #[test]
    fn a_head_says_what_is_asked_for_and_where_the_body_ends() {
        check("GET /a?b=/c HTTP/1.1\r\nHost: x\r\n\r\nGET", "GET /a?b=/c, Length(0)");
        check("\r\nPOST / HTTP/1.1\nHost: x\nContent-Length: 007\n\n1234567", "POST /, Length(7)");
        check("PUT / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: CHUNKED\r\n\r\n", "PUT /, Chunked");
        check("GET http://x:1/a?b HTTP/1.1\r\nHost: X:1\r\n\r\n", "GET /a?b, Length(0)");
        check("GET http://x?b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /?b, Length(0)");
        check("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS *, Length(0)");
        check("CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", "CONNECT x:1, Length(0)");
        check("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET /, Length(0) closes");
        check("GET / HTTP/1.0\r\n\r\n", "GET /, Length(0) old closes");
        check("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET /, Length(0) old");
        check("GET / HTTP/1.1\r\nHost: x\r\nTE: gzip, trailers\r\n\r\n", "GET /, Length(0) trailers");
        let asks = "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
        check(asks, "GET /, Length(0) upgrade");
        check("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n", "GET /, Length(0)");
        let waits = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n";
        check(waits, "POST /, Length(1) expects");
        check("GET / HTTP/1.1\r\nHost: x\r\n", "more");
    }

    /// Chunks count, and nothing is read behind them.
    #[test]
    fn a_length_beside_chunks_ends_the_connection() {
        let both = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(both, "POST /, Chunked closes");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_none() {
        let check = |lines: &str, why: &str| check(&format!("POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n"), why);
        let length = "its Content-Length is no length";
        for value in ["+1", "-1", "1,1", "1 1", "0x1", "1.0", "99999999999999999999", ""] {
            check(&format!("Content-Length: {value}"), length);
        }
        check("Content-Length: 1\r\nContent-Length: 1", "it has more than one Content-Length");
        for coding in ["gzip, chunked", "chunked, chunked", "identity", "xchunked", "chunked\u{b}", "chunked;q=1"] {
            let why = if coding.contains('\u{b}') { "its head is not one of HTTP/1" } else { framing::CODING };
            check(&format!("Transfer-Encoding: {coding}"), why);
        }
        check("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", framing::CODING);
        check("Host: x", "it has more than one Host");
        check("X : 1", "its head is not one of HTTP/1");
        check("X: 1\r\n 2", "its head is not one of HTTP/1");
        check("X: 1\r2", "its head is not one of HTTP/1");
        check("X: 1\0a", "its head is not one of HTTP/1");
    }

    #[test]
    fn addresses_are_paths_or_whole() {
        let check =
            |address: &str, expected: &str| check(&format!("GET {address} HTTP/1.1\r\nHost: x\r\n\r\n"), expected);
        for address in ["/a#b", "/a\\b#", "x", "x:1", "//x#y", "http://x/#y", "/a<b", "/`"] {
            check(address, "its address is none");
        }
        check("//x/y", "GET //x/y, Length(0)");
        check("http://y/", "its Host is not the one that its address names");
    }

    #[test]
    fn a_head_has_a_size() {
        let many = (0..=framing::MOST_HEADERS).map(|number| format!("x-{number}: y\r\n")).collect::<String>();
        check(&format!("GET / HTTP/1.1\r\n{many}\r\n"), "too large");
        let large = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "y".repeat(LARGEST_HEAD));
        let mut room = room();
        assert_eq!(RequestHead::read(large.as_bytes(), &mut room).unwrap_err(), Unreadable::TooLarge);
    }
}
