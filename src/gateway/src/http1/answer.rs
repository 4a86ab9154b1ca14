//! What an instance's head says: the status, where the body ends, whether the connection goes on. Plain functions of bytes.

use httparse::{Header, ParserConfig, Status};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};

use super::fields::{Field, Options, Room, length};
use super::reading::{Framing, Malformed};

/// So large the head of an answer may be, in bytes.
const LARGEST: usize = 256 << 10;

/// A head that was read whole, and all that it says.
#[derive(Debug)]
pub(crate) struct AnswerHead<'h, 'b> {
    /// How long it is, in bytes.
    pub(crate) size: usize,
    pub(crate) status: u16,
    pub(crate) reason: &'b str,
    pub(crate) fields: &'h [Header<'b>],
    pub(crate) options: Options<'b>,
    /// None where there is no body, whatever is said of its length.
    pub(crate) framing: Option<Framing>,
    /// Whether the connection can be used again after the body.
    pub(crate) stays: bool,
}

impl<'h, 'b> AnswerHead<'h, 'b> {
    /// Reads a head from the front of `bytes`; none as long as it has no end.
    pub(crate) fn read(bytes: &'b [u8], room: &'h mut Room<'b>, asked: &Method) -> Result<Option<Self>, Malformed> {
        let mut parsed = httparse::Response::new(&mut []);
        let config = ParserConfig::default();
        let size = match config.parse_response_with_uninit_headers(&mut parsed, bytes, room) {
            Ok(Status::Complete(size)) => size,
            Ok(Status::Partial) if bytes.len() < LARGEST => return Ok(None),
            Ok(Status::Partial) => return Err(Malformed("its head has no end")),
            Err(_) => return Err(Malformed("its head is not one of HTTP/1")),
        };
        let (status, old) = (parsed.code.unwrap_or_default(), parsed.version == Some(0));
        let (mut codings, mut said, mut options) = (0, None, Options::default());
        let fields: &[Header<'_>] = parsed.headers;
        for Header { name, value } in fields {
            match Field::of(name) {
                Field::Connection => options.add(value),
                Field::TransferEncoding => codings += if value.eq_ignore_ascii_case(b"chunked") { 1 } else { 2 },
                Field::Length => {
                    let length = length(value).ok_or(Malformed("its Content-Length is no length"))?;
                    if said.replace(length).is_some_and(|before| before != length) {
                        return Err(Malformed("it has more than one Content-Length"));
                    }
                }
                _ => {}
            }
        }
        let empty = asked == Method::HEAD || matches!(status, 100..=199 | 204 | 304);
        if !empty && (codings > 1 || (codings == 1 && old)) {
            return Err(Malformed("its Transfer-Encoding is not `chunked` alone"));
        }
        let framing = match said {
            _ if empty => None,
            _ if codings == 1 => Some(Framing::Chunked),
            Some(length) => Some(Framing::Length(length)),
            None => Some(Framing::UntilClose),
        };
        let stays = if old { options.keep_alive } else { !options.close };
        // Whether length or chunks were meant is known to the instance alone.
        let stays = stays && framing != Some(Framing::UntilClose) && (codings == 0 || said.is_none());
        let reason = parsed.reason.unwrap_or_default();
        Ok(Some(Self { size, status, reason, fields, options, framing, stays }))
    }

    pub(crate) fn content_type(&self) -> &'b [u8] {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case("content-type"))
            .map_or(b"", |field| field.value)
    }

    /// The headers that are not for this connection only, and say nothing of how the body is sent.
    pub(crate) fn passed(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.fields.len());
        for Header { name, value } in self.fields {
            match Field::of(name) {
                Field::Connection | Field::Hop | Field::Te | Field::TransferEncoding | Field::Upgrade => {}
                Field::Length if matches!(self.framing, Some(Framing::Chunked | Framing::UntilClose)) => {}
                _ if self.options.name(name) => {}
                _ => {
                    if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::from_bytes(value)) {
                        headers.append(name, value);
                    }
                }
            }
        }
        headers
    }

    /// The headers for those who tell of answers.
    pub(crate) fn told(&self) -> HeaderMap {
        let lines = self.fields.iter().filter_map(|Header { name, value }| {
            Some((HeaderName::try_from(*name).ok()?, HeaderValue::from_bytes(value).ok()?))
        });
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::room;
    use super::*;

    /// Reads a head at every length; `expected` is the framing and whether the connection stays.
    fn check(head: &str, asked: &Method, expected: Result<(Option<Framing>, bool), &str>) {
        let bytes = head.as_bytes();
        let ended = head.find("\r\n\r\n").map_or(bytes.len(), |end| end + 4);
        for end in 0..ended {
            let read = AnswerHead::read(&bytes[..end], &mut room(), asked).map(|head| head.is_some());
            assert!(read == Ok(false) || read.is_err() && expected.is_err(), "{head:?} until {end}: {read:?}");
        }
        let mut room = room();
        let read = AnswerHead::read(bytes, &mut room, asked);
        let read = read.map(|head| head.unwrap()).map(|head| {
            assert_eq!(head.size, ended);
            (head.framing, head.stays)
        });
        assert_eq!(read.map_err(|Malformed(why)| why), expected, "{head:?}");
    }

    #[test]
    fn the_end_is_told_by_length_chunks_or_close() {
        let get = &Method::GET;
        let length = |length, stays| Ok((Some(Framing::Length(length)), stays));
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", get, length(5, true));
        check("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n", get, length(5, true));
        check("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n", get, length(5, false));
        check("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\n", get, length(5, false));
        check("HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\n", get, length(5, true));
        check("HTTP/1.1 200\r\ntransfer-encoding: Chunked\r\n\r\n", get, Ok((Some(Framing::Chunked), true)));
        check("HTTP/1.1 200 OK\r\n\r\n", get, Ok((Some(Framing::UntilClose), false)));
        check("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", &Method::HEAD, Ok((None, true)));
        check("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", get, Ok((None, true)));
        check("HTTP/1.1 204 No Content\r\n\r\n", get, Ok((None, true)));
        let both = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n";
        check(both, get, Ok((Some(Framing::Chunked), false)));
    }

    #[test]
    fn an_answer_that_could_end_in_two_places_is_none() {
        let get = &Method::GET;
        let coding = "its Transfer-Encoding is not `chunked` alone";
        check("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", get, Err(coding));
        check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", get, Err(coding));
        check("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", get, Err(coding));
        let lengths = "it has more than one Content-Length";
        check("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", get, Err(lengths));
        check("HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\n", get, Err("its Content-Length is no length"));
        check("SSH-2.0-OpenSSH\r\n\r\n", get, Err("its head is not one of HTTP/1"));
    }
}
