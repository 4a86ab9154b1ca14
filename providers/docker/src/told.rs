//! What the engine says of an instance now. Its labels say from what it was made; this says what became of it since.

use bollard::models::HostConfig;
use std::collections::BTreeSet;
use wharf_model::{Bytes, Decimal, Entry, Field, FieldPath, Told, Value};

/// The limits of a container, which can be changed while it runs, and the networks that it is in, where those are not
/// that of the environment alone.
pub(crate) fn told(host: Option<&HostConfig>, network: Option<String>) -> Told {
    let mut told = Told::default();
    if let Some(host) = host {
        told.about.extend([Field::Cpu, Field::Memory]);
        told.entries.extend(cores(host).map(|cores| entry(Field::Cpu, cores)));
        let memory = host.memory.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
        told.entries.extend(memory.map(|bytes| entry(Field::Memory, Bytes(bytes))));
    }
    told.about.insert(Field::Network);
    told.entries.extend(network.map(|network| entry(Field::Network, network)));
    told.entries.sort_by(|one, two| one.path.cmp(&two.path));
    told
}

/// What is told of an instance by what is told of each of its containers, rank 0 first. Where they are unlike, all is told.
pub(crate) fn together(each: Vec<Told>) -> Told {
    let mut each = each.into_iter();
    let mut all: Vec<Told> = each.next().into_iter().collect();
    all.extend(each.filter(|told| !all.contains(told)).collect::<Vec<_>>());
    match all.len() {
        1 => all.remove(0),
        _ => unlike(&all),
    }
}

fn unlike(all: &[Told]) -> Told {
    let about: BTreeSet<Field> = all.iter().flat_map(|told| told.about.iter().copied()).collect();
    let paths: BTreeSet<FieldPath> =
        all.iter().flat_map(|told| &told.entries).map(|entry| entry.path.clone()).collect();
    let of = |told: &Told, path: &FieldPath| {
        told.entries.iter().find(|entry| entry.path == *path).map(|entry| entry.value.clone())
    };
    let merged = |path: FieldPath| {
        let values: Vec<_> = all.iter().map(|told| of(told, &path)).collect();
        let value = match values.first() {
            Some(Some(first)) if values.iter().all(|value| value.as_ref() == Some(first)) => first.clone(),
            _ => {
                let words: Vec<_> =
                    values.iter().map(|value| value.as_ref().map_or("none".to_owned(), ToString::to_string)).collect();
                Value::Text(words.join(" and "))
            }
        };
        Entry { path, value }
    };
    Told { about, entries: paths.into_iter().map(merged).collect() }
}

/// Says that an instance lacks cards that it was started with.
pub(crate) fn lacks_card(told: &mut Told, gone: &str) {
    told.about.insert(Field::Gpu);
    told.entries.push(entry(Field::Gpu, format!("{gone} is gone")));
    told.entries.sort_by(|one, two| one.path.cmp(&two.path));
}

fn entry(field: Field, value: impl ToString) -> Entry {
    Entry { path: FieldPath::of(field), value: Value::Text(value.to_string()) }
}

/// How many cores it may use, whichever of the engine's two ways says so.
fn cores(host: &HostConfig) -> Option<Decimal> {
    let positive = |number: Option<i64>| number.filter(|number| *number > 0);
    let millionths = match (positive(host.nano_cpus), positive(host.cpu_quota)) {
        (Some(nano), _) => nano / 1_000,
        (None, Some(quota)) => quota.checked_mul(1_000_000)? / positive(host.cpu_period).unwrap_or(100_000),
        (None, None) => return None,
    };
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: HostConfig, network: Option<&str>, expected: &str) {
        let entries = told(Some(&host), network.map(str::to_owned)).entries;
        let text: Vec<_> = entries.iter().map(|entry| format!("{} {}", entry.path, entry.value)).collect();
        assert_eq!(text.join(", "), expected);
    }

    #[test]
    fn limits_are_told_in_the_units_of_the_file() {
        let host = HostConfig { nano_cpus: Some(500_000_000), memory: Some(64 << 20), ..HostConfig::default() };
        check(host, None, "resources.cpu 0.5, resources.memory 64MiB");
        let host = HostConfig { cpu_quota: Some(150_000), cpu_period: Some(100_000), ..HostConfig::default() };
        check(host, None, "resources.cpu 1.5");
        check(HostConfig { memory: Some(0), nano_cpus: Some(0), ..HostConfig::default() }, None, "");
        check(HostConfig::default(), Some("inner"), "network inner");
    }

    #[test]
    fn containers_of_one_instance_that_are_unlike_are_all_told() {
        let one = |cores: i64| {
            let host = HostConfig { nano_cpus: Some(cores * 1_000_000_000), ..HostConfig::default() };
            told(Some(&host), None)
        };
        let words = |each: Vec<Told>| {
            let told = together(each);
            told.entries.iter().map(|entry| format!("{} {}", entry.path, entry.value)).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(words(vec![one(1), one(1)]), "resources.cpu 1");
        assert_eq!(words(vec![one(1), one(1), one(2)]), "resources.cpu 1 and 2");
        assert_eq!(words(vec![one(1), told(None, None)]), "resources.cpu 1 and none");
    }
}
