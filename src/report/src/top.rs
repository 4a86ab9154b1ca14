//! What goes through an environment's gateways at the moment: for each service and instance, what came between two looks.

use crate::{
    status::{StatusInput, rows},
    text::{bad, bold, dim, duration, pad, plural},
};
use std::{fmt::Write, time::Duration};
use wharf_model::{Figures, InstanceId, Observed, ServiceName};

/// Two looks at an environment.
#[derive(Debug, Clone, Copy)]
pub struct TopInput<'a> {
    /// How it stands now.
    pub now: StatusInput<'a>,
    /// The look before.
    pub before: &'a Observed,
    /// How long before.
    pub elapsed: Duration,
}

/// What gateways have counted about an instance, all of them together; none where no gateway tells.
pub(crate) fn counted(observed: &Observed, id: &InstanceId) -> Option<Figures> {
    let routes = observed.gateways.values().filter_map(|gateway| gateway.routes.get(&id.service));
    routes.filter_map(|route| route.figures.get(id)).fold(None, |sum, figures| {
        let mut sum = sum.unwrap_or_default();
        Figures::add(&mut sum, figures);
        Some(sum)
    })
}

/// A time within which an answer began.
pub(crate) fn took(time: Duration) -> String {
    match time.as_millis() {
        0..=9 => format!("{:.1}ms", time.as_secs_f64() * 1e3),
        10..=999 => format!("{}ms", time.as_millis()),
        _ => format!("{:.1}s", time.as_secs_f64()),
    }
}

const COLUMNS: [usize; 6] = [8, 8, 8, 8, 10, 0];

/// A table of services and their instances, on a terminal.
pub fn top(input: &TopInput<'_>) -> String {
    let StatusInput { project, environment, provider, recorded, observed, .. } = input.now;
    let mut out = format!(
        "{} {project} in {environment} ({provider}): the last {}\n",
        bold("Traffic of"),
        duration(input.elapsed)
    );
    let services = recorded.services.keys();
    let width = observed
        .instances
        .keys()
        .map(|id| id.to_string().len() + 2)
        .chain(services.clone().map(|name| name.as_str().len()));
    let width = width.max().unwrap_or(0).max(7);
    if services.len() == 0 {
        out += "nothing is deployed. `wharf apply` does it.\n";
        return out;
    }
    let head = ["req/s", "errors", "p50", "p99", "in flight", "state"];
    let _ = writeln!(out, "\n{}", dim(line(pad("service", width), &head.map(str::to_owned))));
    for name in services {
        service(&mut out, input, name, width);
    }
    out
}

fn service(out: &mut String, input: &TopInput<'_>, name: &ServiceName, width: usize) {
    let rows = rows(&input.now, name);
    let own: Vec<_> = input.now.observed.instances.keys().filter(|id| id.service == *name).collect();
    let mut all = Figures::default();
    let mut lines = String::new();
    let mut under_way = 0;
    for id in own {
        let now = counted(input.now.observed, id);
        let since = now.map(|now| now.since(&counted(input.before, id).unwrap_or_default()));
        let row = rows.iter().find(|row| row.name == id.to_string());
        let in_flight = row.and_then(|row| row.in_flight);
        all.add(&since.clone().unwrap_or_default());
        under_way += in_flight.unwrap_or(0);
        let state = row.map_or("", |row| row.state.as_str());
        let cells = cells(since.as_ref(), in_flight, state.to_owned(), input.elapsed);
        let _ = writeln!(lines, "{}", line(pad(&format!("  {id}"), width), &cells));
    }
    let ready = rows.iter().filter(|row| row.state.as_str() == "ready").count();
    let cells = cells(
        Some(&all),
        Some(under_way),
        format!("{ready} of {} ready", plural(rows.len(), "instance")),
        input.elapsed,
    );
    let _ = writeln!(out, "{}", line(bold(pad(name.as_str(), width)), &cells));
    *out += &lines;
}

/// What is not known is left empty.
fn cells(since: Option<&Figures>, in_flight: Option<u64>, state: String, elapsed: Duration) -> [String; 6] {
    let each_second = |count: u64| format!("{:.1}", count as f64 / elapsed.as_secs_f64().max(0.001));
    let within = |thousandths| since.and_then(|since| since.first_byte.within(thousandths)).map(took);
    [
        since.map(|since| each_second(since.requests)).unwrap_or_default(),
        since.map(|since| since.errors.to_string()).unwrap_or_default(),
        within(500).unwrap_or_default(),
        within(990).unwrap_or_default(),
        in_flight.map(|count| count.to_string()).unwrap_or_default(),
        state,
    ]
}

fn line(name: String, cells: &[String; 6]) -> String {
    let mut text = name;
    for (place, (cell, width)) in cells.iter().zip(COLUMNS).enumerate() {
        let padded = format!("{cell:>width$}");
        let told = if place == 1 && !matches!(cell.as_str(), "0" | "" | "errors") { bad(padded) } else { padded };
        let _ = write!(text, "  {told}");
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_finely_as_they_matter() {
        let check = |micros, expected: &str| assert_eq!(took(Duration::from_micros(micros)), expected);
        check(420, "0.4ms");
        check(42_000, "42ms");
        check(1_240_000, "1.2s");
    }
}
