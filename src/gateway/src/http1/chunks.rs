//! A body in chunks: which of the bytes are its own, and where it ends.
//!
//! Strict where readers differ: sizes are hexadecimal digits and no more than a number holds, lines end with both CR and LF,
//! and there is a limit to what is said beside the data. A value that is fed what comes.

use super::reading::{Malformed, Taken};

/// So much may be said beside the data, in bytes: extensions of all chunks together, trailers.
const MOST_ASIDE: usize = 16 << 10;

/// How far a body in chunks has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunks {
    at: At,
    aside: usize,
    /// The trailers as they came, each line with its end.
    trailers: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Size {
        size: u64,
        digits: u8,
    },
    /// Behind the size, where spaces may stand.
    Padding {
        size: u64,
    },
    Extension {
        size: u64,
    },
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataReturn,
    DataEnd,
    LineStart,
    Trailer,
    TrailerEnd,
    LastEnd,
    Ended,
}

impl Chunks {
    pub(crate) fn new() -> Self {
        Self { at: At::Size { size: 0, digits: 0 }, aside: 0, trailers: Vec::new() }
    }

    pub(crate) fn ended(&self) -> bool {
        self.at == At::Ended
    }

    /// The trailers, as lines.
    pub(crate) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// Takes what has come, as far as it belongs to the body, and moves the data in it to the front.
    pub(crate) fn take(&mut self, bytes: &mut [u8]) -> Result<Taken, Malformed> {
        let (mut data, mut used) = (0, 0);
        while used < bytes.len() && self.at != At::Ended {
            if let At::Data { left } = &mut self.at {
                let run = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - used);
                bytes.copy_within(used..used + run, data);
                data += run;
                used += run;
                *left -= run as u64;
                if *left == 0 {
                    self.at = At::DataReturn;
                }
            } else {
                self.at = self.next(bytes[used])?;
                used += 1;
            }
        }
        Ok(Taken { data, used })
    }

    fn next(&mut self, byte: u8) -> Result<At, Malformed> {
        Ok(match (self.at, byte) {
            (At::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == 16 {
                    return Err(Malformed("its chunks have no end"));
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                At::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (At::Size { digits: 0, .. }, _) => return Err(Malformed("a chunk has no size")),
            (At::Size { size, .. } | At::Padding { size } | At::Extension { size }, b'\r') => At::SizeEnd { size },
            (At::Size { size, .. } | At::Padding { size }, b' ' | b'\t') => self.beside(At::Padding { size })?,
            (At::Size { size, .. } | At::Padding { size }, b';') => self.beside(At::Extension { size })?,
            (At::Extension { size }, _) if byte != b'\n' && (byte == b'\t' || !byte.is_ascii_control()) => {
                self.beside(At::Extension { size })?
            }
            (At::SizeEnd { size: 0 }, b'\n') => At::LineStart,
            (At::SizeEnd { size }, b'\n') => At::Data { left: size },
            (At::DataReturn, b'\r') => At::DataEnd,
            (At::DataEnd, b'\n') => At::Size { size: 0, digits: 0 },
            (At::LineStart, b'\r') => At::LastEnd,
            (At::LastEnd, b'\n') => At::Ended,
            (At::Trailer, b'\r') => self.keep(byte, At::TrailerEnd)?,
            (At::TrailerEnd, b'\n') => self.keep(byte, At::LineStart)?,
            (At::LineStart | At::Trailer, _) if byte == b'\t' || !byte.is_ascii_control() => {
                self.keep(byte, At::Trailer)?
            }
            _ => return Err(Malformed("its chunks are broken")),
        })
    }

    fn beside(&mut self, next: At) -> Result<At, Malformed> {
        self.aside += 1;
        if self.aside > MOST_ASIDE { Err(Malformed("there is too much beside its chunks")) } else { Ok(next) }
    }

    fn keep(&mut self, byte: u8, next: At) -> Result<At, Malformed> {
        self.trailers.push(byte);
        self.beside(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `body`, cut in two at every byte, and a byte at a time; the result is the data and what is left over.
    fn read(body: &str) -> Result<(String, String), Malformed> {
        let whole = read_in(body, &[body.len()])?;
        for cut in 0..body.len() {
            assert_eq!(read_in(body, &[cut, body.len()]), Ok(whole.clone()), "{body:?} cut at {cut}");
        }
        assert_eq!(read_in(body, &(1..=body.len()).collect::<Vec<_>>()), Ok(whole.clone()));
        Ok(whole)
    }

    fn read_in(body: &str, cuts: &[usize]) -> Result<(String, String), Malformed> {
        let mut chunks = Chunks::new();
        let (mut data, mut at) = (Vec::new(), 0);
        for cut in cuts {
            let mut piece = body.as_bytes()[at..*cut].to_vec();
            let taken = chunks.take(&mut piece)?;
            data.extend_from_slice(&piece[..taken.data]);
            at += taken.used;
        }
        assert!(chunks.ended() || at == body.len());
        let rest = if chunks.ended() { body[at..].to_owned() } else { "more".to_owned() };
        Ok((String::from_utf8(data).unwrap(), rest))
    }

    fn check(body: &str, data: &str, rest: &str) {
        assert_eq!(read(body), Ok((data.to_owned(), rest.to_owned())), "{body:?}");
    }

    #[test]
    fn data_comes_out_and_the_next_request_stays() {
        check("3\r\nabc\r\n0\r\n\r\n", "abc", "");
        check("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nGET /", "abc0123456789", "GET /");
        check("0003;a=\"b c\";d\r\nabc\r\n0 \r\nx: y\r\nz:\r\n\r\n0", "abc", "0");
        check("3\r\nab", "ab", "more");
        check("000\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "", "3\r\nabc\r\n0\r\n\r\n");
    }

    #[test]
    fn trailers_are_kept() {
        let mut chunks = Chunks::new();
        chunks.take(&mut b"0\r\na: b\r\nc: d\r\n\r\n".to_vec()).unwrap();
        assert!(chunks.ended());
        assert_eq!(chunks.trailers(), b"a: b\r\nc: d\r\n");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for body in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1\n",
            "1\r\r\n",
            "1;a\nb\r\n",
            "1;\0\r\n",
            "1 1\r\n",
            "11111111111111111\r\n",
            "1\r\nab\r\n",
            "1\r\na\n0\r\n\r\n",
            "1\r\na\r0\r\n\r\n",
            "0\r\n\n",
            "0\r\na: b\n\r\n",
            "0\r\na: b\r\r\n",
            "0\r\na\0\r\n\r\n",
            "1\u{e9}\r\n",
        ] {
            let mut piece = body.as_bytes().to_vec();
            Chunks::new().take(&mut piece).expect_err(body);
        }
        let endless = format!("1;{}", "x".repeat(MOST_ASIDE));
        Chunks::new().take(&mut endless.into_bytes()).unwrap_err();
    }
}
