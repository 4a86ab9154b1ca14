//! Times as cron writes them: minute, hour, day, month, weekday; and days of the calendar. What a runtime makes of them
//! is its own; what none understands is refused here.

use crate::value::Refusal;
use std::sync::Arc;

const FIELDS: [(&str, u32, u32); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7)];

/// Checks times.
pub(crate) fn cron(text: &Arc<str>) -> Result<Arc<str>, Refusal> {
    let fields: Vec<_> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let message = format!("`{text}` is no time as cron writes it: it has five fields");
        let help = "minute, hour, day, month and weekday: \"0 8 * * 1-5\" is 8:00 from Monday to Friday";
        return Err(Refusal::invalid(message, "not five fields").help(help));
    }
    for (field, (name, from, to)) in fields.iter().zip(FIELDS) {
        if !field.split(',').all(|part| fits(part, from, to)) {
            return Err(refuse(field, name, from, to));
        }
    }
    Ok(Arc::clone(text))
}

/// `*`, `5` or `1-5`, with a step behind `/` if there is one.
fn fits(part: &str, from: u32, to: u32) -> bool {
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| (from..=to).contains(number));
    let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
    let steps = step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| step > 0));
    let ranges = match range.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)).is_some_and(|(first, last)| first <= last),
        None => range == "*" || number(range).is_some(),
    };
    steps && ranges
}

fn refuse(field: &str, name: &str, from: u32, to: u32) -> Refusal {
    let range = field.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    let (message, help) = match range.filter(|(first, last): &(u32, u32)| first > last) {
        Some((first, last)) => (
            format!("`{field}` runs backwards"),
            format!("write \"{first}-{to}\" and \"{from}-{last}\", with a `,` between"),
        ),
        None if field.ends_with("/0") => (format!("`{field}` has a step of nothing"), "leave `/0` out".to_owned()),
        None => (
            format!("`{field}` is no {name}: it takes numbers from {from} to {to}"),
            "write for example \"*\", \"5\", \"1-5\" or \"*/10\"".to_owned(),
        ),
    };
    Refusal::invalid(message, "not understood").help(help)
}

/// Checks a day of the calendar.
pub(crate) fn day(text: &Arc<str>) -> Result<Arc<str>, Refusal> {
    if is_day(text) {
        return Ok(Arc::clone(text));
    }
    let refusal = Refusal::invalid(format!("`{text}` is no day"), "not in the calendar");
    Err(refusal.help("year, month and day: \"2027-01-01\""))
}

fn is_day(text: &str) -> bool {
    text.parse::<wharf_model::Date>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for good in ["2027-01-01", "2028-02-29", "2000-02-29", "2026-12-31"] {
            assert!(day(&good.into()).is_ok(), "{good}");
        }
        for bad in ["", "2027-1-1", "2027-02-29", "2100-02-29", "2027-13-01", "2027-04-31", "2027-01-00", "+027-01-01"]
        {
            assert!(day(&bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_checked() {
        for good in ["* * * * *", "0 8 * * 1-5", "*/10 0,12 1 1 7"] {
            assert!(cron(&good.into()).is_ok(), "{good}");
        }
        for bad in ["", "* * * *", "60 * * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "@daily", "a * * * *"] {
            assert!(cron(&bad.into()).is_err(), "{bad}");
        }
    }
}
