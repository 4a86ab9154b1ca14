//! Drift as a monitor reads it: the text format of Prometheus.

use std::fmt::Write;
use wharf_model::Timestamp;
use wharf_plan::drift::{Class, Drift};

/// Everything as gauges. Every class has a value, also when nothing was found, so that an alert can tell none from no look.
pub fn drift_prometheus(drift: &Drift) -> String {
    let place = format!("project=\"{}\",environment=\"{}\"", drift.project, drift.environment);
    let mut out = String::new();
    let mut gauge = |name: &str, help: &str, values: Vec<(String, u64)>| {
        let _ = writeln!(out, "# HELP wharf_drift_{name} {help}\n# TYPE wharf_drift_{name} gauge");
        for (labels, value) in values {
            let _ = writeln!(out, "wharf_drift_{name}{{{place}{labels}}} {value}");
        }
    };
    let classes = Class::ALL.iter().map(|class| (format!(",class=\"{}\"", class.as_str()), drift.count(*class) as u64));
    gauge("findings", "What differs from the record and counts.", classes.collect());
    let one = |value: usize| vec![(String::new(), value as u64)];
    gauge("ignored", "What differs and is ignored.", one(drift.ignored.len()));
    gauge("expired_ignores", "Rules to ignore something that have run out.", one(drift.expired.len()));
    gauge("compared_objects", "Objects that were held against the record.", one(drift.compared));
    let restarts = drift.restarted.iter().map(|(id, restarts)| (format!(",object=\"{id}\""), restarts.count.into()));
    gauge("restarts", "How often the program of an instance was started again by itself.", restarts.collect());
    gauge("time_seconds", "When the look was taken.", vec![(String::new(), seconds(drift.now))]);
    let ages = drift.findings.iter().map(|finding| {
        let object = finding.object.as_ref().map(|object| format!(",object=\"{object}\"")).unwrap_or_default();
        let (address, field) = (label(&finding.address.to_string()), label(&finding.aspect.to_string()));
        let labels = format!(",address=\"{address}\"{object},field=\"{field}\",class=\"{}\"", finding.class.as_str());
        (labels, finding.age(drift.now).as_secs())
    });
    gauge("finding_age_seconds", "How long each finding has been seen.", ages.collect());
    out
}

fn seconds(at: Timestamp) -> u64 {
    at.0 / 1_000
}

/// The value of a label, as the format quotes it.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
