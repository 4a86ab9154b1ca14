//! What was probably meant by a quantity in the manner of other tools: `1h30m`, `4Gi`, `500m`, or a bare number.

use std::time::Duration;
use wharf_model::{Bytes, print_duration};

/// The help for a text that is no duration.
pub(crate) fn duration(text: &str) -> Option<String> {
    if let Ok(number) = text.trim().parse() {
        return Some(format!("add a unit: {}", durations(number)));
    }
    let (mut rest, mut millis) = (text.trim(), 0.0);
    while !rest.is_empty() {
        let (number, unit, more) = quantity(rest)?;
        let factor = match &*unit.to_lowercase() {
            "ms" | "msec" | "milliseconds" => 1.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1_000.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000.0,
            "d" | "day" | "days" => 86_400_000.0,
            _ => return None,
        };
        (rest, millis) = (more, millis + number * factor);
    }
    let span = Duration::from_millis(whole(millis)?);
    Some(format!("write \"{}\"", print_duration(span)))
}

/// The help for a text that is no size.
pub(crate) fn size(text: &str) -> Option<String> {
    if let Ok(number) = text.trim().parse() {
        return Some(format!("add a unit: {}", sizes(number)));
    }
    let (number, unit, "") = quantity(text.trim())? else { return None };
    let factor: u64 = match &*unit.to_lowercase() {
        "k" | "kb" | "ki" | "kib" => 1 << 10,
        "m" | "mb" | "mi" | "mib" => 1 << 20,
        "g" | "gb" | "gi" | "gib" => 1 << 30,
        "t" | "tb" | "ti" | "tib" => 1 << 40,
        _ => return None,
    };
    Some(format!("write \"{}\"", Bytes(whole(number * factor as f64)?)))
}

/// A number, its unit, and what follows.
fn quantity(text: &str) -> Option<(f64, &str, &str)> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (number, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let end = rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, more) = rest.split_at(end);
    Some((number.parse().ok()?, unit, more.trim_start()))
}

/// The number as one that is whole, more than none, and not beyond all reason.
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (1.0..1e15).contains(&number)).then_some(number as u64)
}

/// The help for cores that are counted in thousandths.
pub(crate) fn cores(text: &str) -> Option<String> {
    let thousandths: u32 = text.strip_suffix('m')?.parse().ok()?;
    Some(format!("write {}", f64::from(thousandths) / 1000.0))
}

/// What a number of unknown unit may be.
pub(crate) fn durations(number: i128) -> String {
    match number {
        0 => "\"0s\"".to_owned(),
        1_000.. => format!("\"{number}ms\" or \"{number}s\""),
        _ => format!("\"{number}s\" or \"{number}ms\""),
    }
}

/// What a number of unknown unit may be: bytes when there are many.
pub(crate) fn sizes(number: i128) -> String {
    match u64::try_from(number) {
        Ok(bytes) if bytes >= 1 << 20 => format!("\"{}\"", Bytes(bytes)),
        Ok(1_024..) => format!("\"{number}MiB\" or \"{number}KiB\""),
        _ => format!("\"{number}GiB\" or \"{number}MiB\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: Option<String>, expected: Option<&str>) {
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn quantities_of_other_tools_are_told_in_our_units() {
        check(duration("1h30m"), Some("write \"90m\""));
        check(duration("30 seconds"), Some("write \"30s\""));
        check(duration("2 days"), Some("write \"2d\""));
        check(duration("soon"), None);
        check(duration("1.5s"), Some("write \"1500ms\""));
        check(duration("5"), Some("add a unit: \"5s\" or \"5ms\""));
        check(duration(""), None);
        check(duration("0.1ms"), None);
        check(duration("99999999999999999999s"), None);
        check(size("4Gi"), Some("write \"4GiB\""));
        check(size("512 mb"), Some("write \"512MiB\""));
        check(size("1.5TiB"), Some("write \"1536GiB\""));
        check(size("4096"), Some("add a unit: \"4096MiB\" or \"4096KiB\""));
        check(size("much"), None);
        check(cores("500m"), Some("write 0.5"));
        check(cores("half"), None);
        assert_eq!((sizes(1 << 20), sizes(8)), ("\"1MiB\"".to_owned(), "\"8GiB\" or \"8MiB\"".to_owned()));
        assert_eq!(durations(5_000), "\"5000ms\" or \"5000s\"");
    }
}
