//! A moment, as the pure crates see it: handed in, never asked for.

use std::{fmt, ops::Add, str::FromStr, time::Duration};

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The day that it falls on, in UTC.
    pub fn date(self) -> Date {
        Date::of_day(i64::try_from(self.0 / DAY).unwrap_or(i64::MAX))
    }
}

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1_000;

/// The moment as RFC 3339 writes it, to the second: `2026-12-31T23:59:59Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 % DAY / 1_000;
        write!(f, "{}T{:02}:{:02}:{:02}Z", self.date(), seconds / 3_600, seconds / 60 % 60, seconds % 60)
    }
}

/// A day of the calendar: `2026-12-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A text that is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a day such as 2026-12-31")]
pub struct DateError(pub String);

impl Date {
    /// The day, counted from the first of 1970. Years begin in March here, so that the odd day of a leap year is the last.
    fn of_day(days: i64) -> Self {
        let from_era = days.clamp(0, 2_932_896) + 719_468;
        let (era, day_of_era) = (from_era / 146_097, from_era % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let small = |number: i64| u8::try_from(number).unwrap_or(u8::MAX);
        Self { year: u16::try_from(year).unwrap_or(u16::MAX), month: small(month), day: small(day) }
    }

    fn days_in(year: u16, month: u8) -> u8 {
        match month {
            2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let wrong = || DateError(text.to_owned());
        let mut parts = text.split('-');
        let mut number = |digits: usize| {
            let part =
                parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()));
            part.and_then(|part| part.parse::<u16>().ok()).ok_or_else(wrong)
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let small = |number: u16| u8::try_from(number).map_err(|_| wrong());
        let date = Self { year, month: small(month)?, day: small(day)? };
        let exists = (1..=12).contains(&date.month) && (1..=Self::days_in(year, date.month)).contains(&date.day);
        if exists && parts.next().is_none() { Ok(date) } else { Err(wrong()) }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let day = |days: u64| Timestamp(days * DAY).date().to_string();
        assert_eq!([0, 59, 11_016, 20_088].map(day), ["1970-01-01", "1970-03-01", "2000-02-29", "2024-12-31"]);
        assert_eq!(Timestamp(1_798_761_599_999).to_string(), "2026-12-31T23:59:59Z");
    }

    #[test]
    fn every_day_reads_back_and_follows_the_one_before() {
        let mut before: Option<Date> = None;
        for days in 0..60_000 {
            let date = Timestamp(days * DAY).date();
            assert_eq!(date.to_string().parse(), Ok(date));
            assert!(before.is_none_or(|before| before < date));
            before = Some(date);
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for bad in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-4-1",
            "2026-04-31",
            "2026-01-00",
            "2026-01-01-01",
            "+026-01-01",
        ] {
            assert_eq!(bad.parse::<Date>(), Err(DateError(bad.to_owned())));
        }
    }
}
