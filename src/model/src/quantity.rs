//! Numbers with units, read from and printed in the words of the file: `"30s"`, `"4GiB"`, `"25%"`.

use std::{fmt, str::FromStr, time::Duration};

/// Why a text is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// No number, or no unit behind it.
    #[error("`{found}` is not {expected}")]
    Shape {
        /// The text.
        found: String,
        /// What it should be, with an example.
        expected: &'static str,
    },
    /// A number that does not fit.
    #[error("`{found}` is out of range")]
    Range {
        /// The text.
        found: String,
    },
}

const DURATION: &str = "a duration such as \"500ms\", \"30s\", \"5m\" or \"1h\"";
const BYTES: &str = "a size such as \"512KiB\", \"64MiB\" or \"4GiB\"";
const DECIMAL: &str = "a number such as 2 or 0.5, with at most six digits after the point";
const SAMPLE: &str = "a percentage such as \"5%\" or \"0.1%\", with at most one digit after the point";
const SHARE: &str = "a count or a percentage such as 1 or \"25%\"";

/// Splits `1.5GiB` into digits and unit and multiplies; `units` lists each unit with its factor.
fn scaled(text: &str, units: &[(&str, u64)], expected: &'static str) -> Result<u64, QuantityError> {
    let shape = || QuantityError::Shape { found: text.to_owned(), expected };
    let range = || QuantityError::Range { found: text.to_owned() };
    let end = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(shape)?;
    let (digits, unit) = text.split_at(end);
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or_else(shape)?;
    if digits.is_empty() {
        return Err(shape());
    }
    let number: u64 = digits.parse().map_err(|_| range())?;
    number.checked_mul(factor).ok_or_else(range)
}

/// Reads a duration. Units: `ms`, `s`, `m`, `h`, `d` (of 24 hours); one number, one unit.
///
/// # Errors
/// When the text is no such thing, or longer than fits into 64 bits of milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    scaled(text, &units, DURATION).map(Duration::from_millis)
}

/// Prints a duration in the largest unit that keeps it whole, so that [`parse_duration`] reads it back.
pub fn print_duration(span: Duration) -> String {
    let millis = span.as_millis();
    match millis {
        0 => "0s".to_owned(),
        _ if millis.is_multiple_of(86_400_000) => format!("{}d", millis / 86_400_000),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Reads a size. Units: `B`, `KiB`, `MiB`, `GiB`, `TiB`.
    ///
    /// # Errors
    /// When the text is no such thing, or larger than 64 bits of bytes.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let units = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
        scaled(text, &units, BYTES).map(Self)
    }
}

impl Bytes {
    /// So many, to a digit behind the point: for people.
    pub fn about(self) -> String {
        let units = [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match units.iter().find(|(_, factor)| self.0 >= *factor) {
            Some((unit, factor)) if !self.0.is_multiple_of(*factor) => {
                format!("{:.1}{unit}", self.0 as f64 / *factor as f64)
            }
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match units.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// A number of instances, or a share of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountOrPercent {
    /// So many.
    Count(u32),
    /// So many of a hundred.
    Percent(u8),
}

impl CountOrPercent {
    /// Reads a percentage, 0 to 100.
    ///
    /// # Errors
    /// When the text is no such thing.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let shape = || QuantityError::Shape { found: text.to_owned(), expected: SHARE };
        let digits = text.strip_suffix('%').ok_or_else(shape)?;
        let share: u64 = digits.parse().map_err(|_| shape())?;
        let share = u8::try_from(share).ok().filter(|share| *share <= 100);
        share.map(Self::Percent).ok_or_else(|| QuantityError::Range { found: text.to_owned() })
    }

    /// How many of `instances`, a fraction counting as one more.
    pub fn rounded_up(self, instances: u32) -> u32 {
        self.scaled(instances, 99)
    }

    /// How many of `instances`, a fraction counting as nothing.
    pub fn rounded_down(self, instances: u32) -> u32 {
        self.scaled(instances, 0)
    }

    fn scaled(self, instances: u32, spare: u64) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(share) => {
                u32::try_from((u64::from(instances) * u64::from(share) + spare) / 100).unwrap_or(u32::MAX)
            }
        }
    }
}

impl fmt::Display for CountOrPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

/// A number that is not negative, with at most six digits after the point: cores, prices, thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal {
    millionths: u64,
}

impl Decimal {
    /// A whole number.
    pub fn whole(number: u32) -> Self {
        Self { millionths: u64::from(number) * 1_000_000 }
    }

    /// A million times the number.
    pub fn millionths(self) -> u64 {
        self.millionths
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.millionths == 0
    }
}

impl FromStr for Decimal {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let shape = || QuantityError::Shape { found: text.to_owned(), expected: DECIMAL };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
            return Err(shape());
        }
        let range = || QuantityError::Range { found: text.to_owned() };
        let whole: u32 = whole.parse().map_err(|_| range())?;
        let fraction: u64 = format!("{fraction:0<6}").parse().map_err(|_| shape())?;
        Ok(Self { millionths: u64::from(whole) * 1_000_000 + fraction })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.millionths / 1_000_000, self.millionths % 1_000_000);
        match format!("{fraction:06}").trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            digits => write!(f, "{whole}.{digits}"),
        }
    }
}

/// A share of calls or traces that is kept: a percentage above 0, up to 100, with at most one digit after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sample {
    thousandths: u16,
}

impl Sample {
    /// Everything.
    pub const ALL: Self = Self { thousandths: 1_000 };

    /// So many of a thousand.
    pub fn thousandths(self) -> u16 {
        self.thousandths
    }
}

impl FromStr for Sample {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let shape = || QuantityError::Shape { found: text.to_owned(), expected: SAMPLE };
        let share: Decimal = text.strip_suffix('%').and_then(|share| share.parse().ok()).ok_or_else(shape)?;
        let step = Decimal::whole(1).millionths() / 10;
        if !share.millionths().is_multiple_of(step) {
            return Err(shape());
        }
        let thousandths = u16::try_from(share.millionths() / step).ok().filter(|share| (1..=1_000).contains(share));
        let thousandths = thousandths.ok_or_else(|| QuantityError::Range { found: text.to_owned() })?;
        Ok(Self { thousandths })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.thousandths / 10, self.thousandths % 10) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, tenths) => write!(f, "{whole}.{tenths}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_and_sizes_carry_units() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(Bytes::parse("4GiB"), Ok(Bytes(4 << 30)));
        for bad in ["", "5", "s", "5 s", "-5s", "5x", "1.5s", "99999999999999999999s", "99999999999999999h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert!(Bytes::parse("1GB").is_err());
    }

    #[test]
    fn surge_rounds_up_and_unavailable_down() {
        let quarter = CountOrPercent::parse("25%").unwrap();
        assert_eq!((quarter.rounded_up(5), quarter.rounded_down(5)), (2, 1));
        assert_eq!((quarter.rounded_up(0), quarter.rounded_down(0)), (0, 0));
        assert_eq!(CountOrPercent::Count(3).rounded_up(1), 3);
        assert!(CountOrPercent::parse("101%").is_err());
        assert!(CountOrPercent::parse("5").is_err());
    }

    #[test]
    fn decimals_are_exact() {
        for text in ["0", "2", "0.5", "0.000001", "4294967295.25"] {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), text);
        }
        for text in ["0.1%", "7%", "12.5%", "100%"] {
            assert_eq!(text.parse::<Sample>().unwrap().to_string(), text);
        }
        assert_eq!("5.0%".parse::<Sample>().map(Sample::thousandths), Ok(50));
        for bad in ["", "%", "5", "0%", "0.05%", "100.1%", "-1%", "1e1%"] {
            assert!(bad.parse::<Sample>().is_err(), "{bad}");
        }
        assert_eq!("1.50".parse::<Decimal>().unwrap().to_string(), "1.5");
        for bad in ["", "-1", ".5", "1.", "1e3", "0.0000001", "4294967296", "NaN"] {
            assert!(bad.parse::<Decimal>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn printing_reads_back(millis in 0_u64..1 << 50, bytes in any::<u64>()) {
            let span = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&print_duration(span)), Ok(span));
            prop_assert_eq!(Bytes::parse(&Bytes(bytes).to_string()), Ok(Bytes(bytes)));
        }
    }
}
