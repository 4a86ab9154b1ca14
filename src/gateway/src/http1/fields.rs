//! Which lines of a head mean something to the gateway. Plain functions of names and values.

use std::mem::MaybeUninit;

use httparse::Header;

use crate::framing::MOST_HEADERS;

/// Where a parser puts the lines of a head.
pub(crate) type Room<'b> = [MaybeUninit<Header<'b>>; MOST_HEADERS];

/// Room for the lines of a head.
pub(crate) fn room<'b>() -> Room<'b> {
    [const { MaybeUninit::uninit() }; MOST_HEADERS]
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Authorization,
    Connection,
    Cookie,
    Date,
    Expect,
    ForwardedFor,
    ForwardedProto,
    Host,
    Length,
    RequestId,
    Te,
    Trace,
    TraceState,
    TransferEncoding,
    Upgrade,
    /// It belongs to one connection, and has no other meaning here.
    Hop,
    /// It goes on as it is.
    Other,
}

impl Field {
    pub(crate) fn of(name: &str) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            2 if is("te") => Self::Te,
            4 if is("host") => Self::Host,
            4 if is("date") => Self::Date,
            6 if is("cookie") => Self::Cookie,
            6 if is("expect") => Self::Expect,
            7 if is("upgrade") => Self::Upgrade,
            7 if is("trailer") => Self::Hop,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::Hop,
            10 if is("tracestate") => Self::TraceState,
            11 if is("traceparent") => Self::Trace,
            12 if is("x-request-id") => Self::RequestId,
            13 if is("authorization") => Self::Authorization,
            14 if is("content-length") => Self::Length,
            15 if is("x-forwarded-for") => Self::ForwardedFor,
            16 if is("proxy-connection") => Self::Hop,
            17 if is("transfer-encoding") => Self::TransferEncoding,
            17 if is("x-forwarded-proto") => Self::ForwardedProto,
            18 if is("proxy-authenticate") => Self::Hop,
            19 if is("proxy-authorization") => Self::Hop,
            _ => Self::Other,
        }
    }
}

/// What `Connection` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options<'b> {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
    /// Lines that belong to this connection only.
    named: Vec<&'b str>,
}

impl<'b> Options<'b> {
    /// Adds what one more line says. One that is no text says nothing.
    pub(crate) fn add(&mut self, value: &'b [u8]) {
        let words = std::str::from_utf8(value).unwrap_or_default().split(',').map(str::trim);
        for word in words {
            let is = |known: &str| word.eq_ignore_ascii_case(known);
            match word.len() {
                0 => {}
                5 if is("close") => self.close = true,
                7 if is("upgrade") => self.upgrade = true,
                10 if is("keep-alive") => self.keep_alive = true,
                _ => self.named.push(word),
            }
        }
    }

    /// Whether a line of this name belongs to this connection only.
    pub(crate) fn name(&self, name: &str) -> bool {
        self.named.iter().any(|named| named.eq_ignore_ascii_case(name))
    }
}

/// A length as the standard writes it: digits, and a number that can be one.
pub(crate) fn length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_digits_and_nothing_else() {
        for (text, expected) in [("0", Some(0)), ("007", Some(7)), ("18446744073709551615", Some(u64::MAX))] {
            assert_eq!(length(text.as_bytes()), expected);
        }
        for text in ["", "+1", "-1", " 1", "1 ", "1,1", "0x1", "1.0", "18446744073709551616", "\u{661}"] {
            assert_eq!(length(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn names_are_known_however_they_are_written() {
        for (name, expected) in
            [("HOST", Field::Host), ("Transfer-Encoding", Field::TransferEncoding), ("hosts", Field::Other)]
        {
            assert_eq!(Field::of(name), expected);
        }
    }

    #[test]
    fn connection_names_what_stays() {
        let mut options = Options::default();
        options.add(b"Keep-Alive, X-Mine,, Upgrade");
        options.add(b"close");
        assert!(options.close && options.keep_alive && options.upgrade && options.name("x-mine"));
        assert!(!options.name("close") && !options.name("x-other"));
    }
}
