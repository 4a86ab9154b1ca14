//! Whether two values of a field mean the same, however they are written.

use super::image;
use std::collections::BTreeSet;
use wharf_model::{Bytes, Decimal, Field, Value, parse_duration};

/// Whether what the runtime tells is what was recorded.
pub(super) fn same(field: Field, recorded: &Value, observed: &Value) -> bool {
    if recorded.same(observed) {
        return true;
    }
    let (Some(recorded), Some(observed)) = (text(recorded), text(observed)) else { return false };
    match field {
        Field::Image | Field::MountImage => image::same(recorded, observed),
        Field::Memory | Field::Shm | Field::Disk | Field::GpuMemory | Field::MaxBody => {
            alike(recorded, observed, |text| Bytes::parse(text).ok())
        }
        Field::Timeout | Field::TimeoutConnect | Field::TimeoutFirstByte | Field::TimeoutBetweenBytes => {
            alike(recorded, observed, |text| parse_duration(text).ok())
        }
        Field::Cpu => alike(recorded, observed, cores),
        // A set, whatever the order in which it was written.
        Field::Packages | Field::Allow | Field::LogPaths | Field::InstanceType => words(recorded) == words(observed),
        _ => false,
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) | Value::Lines(text) => Some(text),
        Value::Secret(..) | Value::Content(_) => None,
    }
}

fn alike<T: PartialEq>(one: &str, two: &str, read: impl Fn(&str) -> Option<T>) -> bool {
    read(one).is_some_and(|value| read(two) == Some(value))
}

/// Thousandths of a core: `2`, `2.0` and `2000m` are the same.
fn cores(text: &str) -> Option<Decimal> {
    match text.strip_suffix('m').and_then(|digits| digits.parse::<u64>().ok()) {
        Some(thousandths) => format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000).parse().ok(),
        None => text.parse().ok(),
    }
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: Field, recorded: &str, observed: &str, expected: bool) {
        let value = |text: &str| Value::Text(text.to_owned());
        assert_eq!(same(field, &value(recorded), &value(observed)), expected, "{field} {recorded} {observed}");
    }

    #[test]
    fn units_are_no_difference() {
        check(Field::Memory, "4GiB", "4096MiB", true);
        check(Field::Memory, "4GiB", "4GB", false);
        check(Field::MaxBody, "1MiB", "1024KiB", true);
        check(Field::Timeout, "1m", "60s", true);
        check(Field::Timeout, "5s", "50s", false);
        check(Field::Cpu, "2", "2000m", true);
        check(Field::Cpu, "0.5", "500m", true);
        check(Field::Cpu, "2", "1999m", false);
    }

    #[test]
    fn the_order_of_a_set_is_no_difference() {
        check(Field::Packages, "flask==2.3.3\nnumpy", "numpy\nflask==2.3.3", true);
        check(Field::Packages, "flask==2.3.3\nnumpy", "numpy", false);
        check(Field::Allow, "10.0.0.0/8 192.168.0.0/16", "192.168.0.0/16 10.0.0.0/8", true);
    }

    #[test]
    fn words_of_a_program_are_not_a_set() {
        check(Field::Program, "serve a b", "serve b a", false);
        check(Field::Env, "4GiB", "4096MiB", false);
    }
}
