//! Where a stream that goes on for ever can be ended without cutting a word in two: a WebSocket between frames, a stream
//! of events between events. Plain values that are fed what passes.

/// Follows the frames of a WebSocket, as a server sends them.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: Vec<u8>,
    /// Bytes of the frame's payload that have not come yet.
    left: u64,
}

impl Frames {
    /// Whether everything so far was whole frames.
    pub(crate) fn between(&self) -> bool {
        self.head.is_empty() && self.left == 0
    }

    /// Takes what comes next. Returns how much of it ends the frame that was open before; everything if it ends none.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut first_end = None;
        let mut rest = bytes;
        while let Some((byte, more)) = rest.split_first() {
            if self.left > 0 {
                let taken = self.left.min(rest.len() as u64);
                self.left -= taken;
                rest = &rest[usize::try_from(taken).unwrap_or(rest.len())..];
            } else {
                self.head.push(*byte);
                rest = more;
                if let Some(payload) = payload(&self.head) {
                    self.head.clear();
                    self.left = payload;
                }
            }
            if first_end.is_none() && self.between() {
                first_end = Some(bytes.len() - rest.len());
            }
        }
        first_end.unwrap_or(bytes.len())
    }
}

/// How long the payload is, mask included, once the head says so.
fn payload(head: &[u8]) -> Option<u64> {
    let (_, length) = (head.first()?, head.get(1)?);
    let mask = if length & 0x80 == 0 { 0 } else { 4 };
    let length = match length & 0x7f {
        126 => u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?)),
        127 => u64::from_be_bytes(head.get(2..10)?.try_into().ok()?),
        short => u64::from(short),
    };
    Some(length.saturating_add(mask))
}

/// Follows a stream of server-sent events: an empty line ends one.
#[derive(Debug)]
pub(crate) struct Events {
    /// Ends of lines in a row.
    ends: u8,
    after_return: bool,
}

impl Default for Events {
    fn default() -> Self {
        Self { ends: 2, after_return: false }
    }
}

impl Events {
    /// Whether everything so far was whole events.
    pub(crate) fn between(&self) -> bool {
        self.ends >= 2
    }

    /// Takes what comes next. Returns how much of it ends the event that was open before; everything if it ends none.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut first_end = None;
        for (place, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => self.ends = self.ends.saturating_add(1),
                _ => self.ends = 0,
            }
            self.after_return = *byte == b'\r';
            if first_end.is_none() && self.between() {
                first_end = Some(place + 1);
            }
        }
        first_end.unwrap_or(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_followed() {
        let long = [vec![0x82, 126, 1, 0], vec![7; 256]].concat();
        let longest = [vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], vec![7; 65_536]].concat();
        let masked = [vec![0x81, 0x82, 1, 2, 3, 4], vec![7; 2]].concat();
        for frame in [vec![0x81, 2, 7, 7], vec![0x89, 0], long, longest, masked] {
            let twice = [frame.clone(), frame.clone()].concat();
            let mut frames = Frames::default();
            assert_eq!((frames.feed(&twice), frames.between()), (frame.len(), true));
            // However it is cut into pieces.
            for size in [1, 3, 1_000] {
                let mut frames = Frames::default();
                let mut ends = 0;
                for piece in twice.chunks(size) {
                    frames.feed(piece);
                    ends += usize::from(frames.between());
                }
                assert!(frames.between() && ends >= 1, "{size}");
            }
            let mut frames = Frames::default();
            assert_eq!((frames.feed(&frame[..frame.len() - 1]), frames.between()), (frame.len() - 1, false));
            assert_eq!((frames.feed(&twice[frame.len() - 1..]), frames.between()), (1, true));
        }
    }

    /// Feeds pieces parted by `|`; `expected` has how much of each ends the open event, and whether all is whole after it.
    fn check(pieces: &str, expected: &[(usize, bool)]) {
        let mut events = Events::default();
        let seen: Vec<_> = pieces.split('|').map(|piece| (events.feed(piece.as_bytes()), events.between())).collect();
        assert_eq!(seen, expected, "{pieces:?}");
    }

    #[test]
    fn an_empty_line_ends_an_event() {
        assert!(Events::default().between());
        check("data: 1\n\n|data: 2\n|\ndata: 3", &[(9, true), (8, false), (1, false)]);
        check("data: 1\r\n\r\n|data: 2\r|\r\n", &[(10, true), (8, false), (1, true)]);
        check("a\n|b\n|c\n\nd\n\n", &[(2, false), (2, false), (3, true)]);
    }
}
