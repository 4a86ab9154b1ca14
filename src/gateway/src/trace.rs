//! The trace that a request belongs to (W3C Trace Context): what it brings, and what the instance is told of it. Plain
//! functions of headers and chance.

/// A place in a trace, as `traceparent` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) trace: u128,
    pub(crate) span: u64,
    /// Whether the spans of this trace are kept.
    pub(crate) sampled: bool,
}

impl Parent {
    /// Reads one that is well formed. Of a newer version, what this one knows.
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok()?;
        let mut fields = value.splitn(5, '-');
        let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let sound = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
        if !sound || version == "ff" || version == "00" && fields.next().is_some() {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let (trace, span) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
        (trace != 0 && span != 0).then_some(Self { trace, span, sampled: flags & 1 == 1 })
    }

    /// The trace's number as it is written everywhere.
    pub(crate) fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    pub(crate) fn span_id(&self) -> String {
        format!("{:016x}", self.span)
    }

    /// The value of `traceparent`.
    pub(crate) fn text(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// What a request brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brought {
    Nothing,
    /// Something that is no place in a trace, or several: `tracestate` means nothing then.
    Broken,
    Whole(Parent),
}

impl Brought {
    /// Reads all values of `traceparent`.
    pub(crate) fn of<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Nothing,
            (Some(value), None) => Parent::read(value).map_or(Self::Broken, Self::Whole),
            (Some(_), Some(_)) => Self::Broken,
        }
    }

    pub(crate) fn parent(self) -> Option<Parent> {
        match self {
            Self::Whole(parent) => Some(parent),
            Self::Nothing | Self::Broken => None,
        }
    }
}

/// A request's place in the trace that this gateway takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Joined {
    /// What the instance is told: the gateway's own span is the parent of whatever it does.
    pub(crate) own: Parent,
    /// The caller's span; none where the trace begins here.
    pub(crate) caller: Option<u64>,
}

/// Goes on with the trace that a request brings, and keeps to whether its spans are kept; else begins one, of which so many
/// thousandths are kept.
pub(crate) fn join(brought: Brought, thousandths: u64, mut random: impl FnMut() -> u64) -> Joined {
    let span = random().max(1);
    match brought.parent() {
        Some(parent) => Joined { own: Parent { span, ..parent }, caller: Some(parent.span) },
        None => {
            let trace = (u128::from(random()) << 64 | u128::from(random())).max(1);
            let sampled = random() % 1_000 < thousandths;
            Joined { own: Parent { trace, span, sampled }, caller: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(value: &str) -> Option<String> {
        Parent::read(value.as_bytes()).map(|parent| parent.text())
    }

    #[test]
    fn a_place_reads_as_it_is_written() {
        assert_eq!(read(WHOLE).as_deref(), Some(WHOLE));
        // Flags that this version does not know are not passed on, and neither is what a newer version adds.
        let newer = format!("cc{}7-what-comes", &WHOLE[2..WHOLE.len() - 1]);
        assert_eq!(read(&newer).as_deref(), Some(WHOLE));
    }

    #[test]
    fn what_is_broken_is_no_place() {
        let broken = [
            "".to_owned(),
            "00".to_owned(),
            "00-1-2-3".to_owned(),
            "é".to_owned(),
            WHOLE.to_uppercase(),
            format!("ff{}", &WHOLE[2..]),
            format!("{WHOLE}-00"),
            format!("{WHOLE}0"),
            format!(" {WHOLE}"),
            WHOLE.replace("0af7", "+af7"),
            format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", "0".repeat(16)),
        ];
        for broken in broken {
            assert_eq!(read(&broken), None, "{broken}");
        }
    }

    #[test]
    fn two_places_are_none() {
        let brought = |values: &[&'static str]| Brought::of(values.iter().map(|value| value.as_bytes()));
        assert_eq!(brought(&[]), Brought::Nothing);
        assert_eq!(brought(&[WHOLE]).parent(), Parent::read(WHOLE.as_bytes()));
        assert_eq!(brought(&[WHOLE, WHOLE]), Brought::Broken);
        assert_eq!(brought(&["00"]), Brought::Broken);
    }

    /// Chance that counts.
    fn counting() -> impl FnMut() -> u64 {
        let mut last = 0;
        move || {
            last += 1;
            last
        }
    }

    #[test]
    fn a_trace_goes_on_whatever_the_share_is() {
        let parent = Parent::read(WHOLE.as_bytes()).unwrap();
        for (sampled, thousandths) in [(true, 0), (false, 1_000)] {
            let brought = Brought::Whole(Parent { sampled, ..parent });
            let joined = join(brought, thousandths, counting());
            assert_eq!(joined.caller, Some(parent.span));
            assert_eq!(joined.own, Parent { trace: parent.trace, span: 1, sampled });
        }
    }

    #[test]
    fn a_share_of_the_traces_that_begin_here_is_kept() {
        for brought in [Brought::Nothing, Brought::Broken] {
            let joined = join(brought, 1_000, counting());
            assert_eq!((joined.own.trace, joined.caller), (2 << 64 | 3, None));
        }
        let mut random = counting();
        let kept = (0..1_000).filter(|_| join(Brought::Nothing, 248, &mut random).own.sampled).count();
        assert_eq!(kept, 248);
    }
}
