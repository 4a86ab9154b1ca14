//! Drift in every form: for a terminal, for a comment or an issue, for code scanning, for a monitor.
//!
//! All are told from the one [`Drift`]; the JSON form is its own, as the next look reads it.

mod human;
mod markdown;
mod prometheus;
mod sarif;

pub use human::drift;
pub use markdown::drift_markdown;
pub use prometheus::drift_prometheus;
pub use sarif::drift_sarif;

use std::sync::Arc;
use wharf_model::{Address, Ignore, Value};
use wharf_plan::drift::{Class, Drift, Finding};

/// A file of the project as it would accept what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedFile {
    /// Its name.
    pub name: Arc<str>,
    /// What it holds.
    pub before: Arc<str>,
    /// What it would hold.
    pub after: String,
}

/// The findings of one object, which stand beside each other.
fn by_object(findings: &[Finding]) -> impl Iterator<Item = &[Finding]> {
    findings.chunk_by(|one, two| one.address == two.address && one.object == two.object)
}

/// `2 missing, 1 changed`.
fn counts(drift: &Drift) -> String {
    let told = Class::ALL.iter().map(|class| (drift.count(*class), class.as_str()));
    let told: Vec<_> = told.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    told.join(", ")
}

/// What is there instead of what: both sides, where both are known.
fn sides(finding: &Finding) -> String {
    let none = || "not set".to_owned();
    match (&finding.recorded, &finding.observed) {
        (None, None) => class_words(finding).to_owned(),
        (Some(Value::Secret(recorded, _)), Some(Value::Secret(observed, _))) if recorded == observed => {
            format!("(secret){recorded} has another value")
        }
        (None, Some(observed)) if finding.class != Class::Changed || is_word(finding) => one_line(observed),
        (recorded, observed) => {
            let side = |value: &Option<Value>| value.as_ref().map_or_else(none, one_line);
            format!("{} → {}", side(recorded), side(observed))
        }
    }
}

/// Whether it was seen, and never written down.
fn is_word(finding: &Finding) -> bool {
    !matches!(finding.aspect, wharf_plan::drift::Aspect::Field(_))
}

fn class_words(finding: &Finding) -> &'static str {
    match finding.class {
        Class::Missing => "it was made, and is not there",
        Class::Extra => "it was never recorded",
        Class::Changed | Class::Replaced | Class::Unhealthy => "it is otherwise than recorded",
    }
}

fn one_line(value: &Value) -> String {
    crate::text::tame(&value.to_string().replace('\n', " ⏎ "))
}

/// An address, with the object's name where that says more.
fn title(finding: &Finding) -> String {
    let name = name(&finding.address);
    finding.object.as_ref().map_or_else(|| name.clone(), |object| format!("{name} ({object})"))
}

/// An address for people: digests are cut to what tells them apart.
fn name(address: &Address) -> String {
    match address {
        Address::Content(wharf_model::ContentRef::Folder(digest)) => format!("content.folder-{}", digest.short()),
        Address::Content(wharf_model::ContentRef::Packages(digest)) => format!("content.packages-{}", digest.short()),
        address => address.to_string(),
    }
}

/// What `apply` would do about the findings of one object, in words; none when it would leave it be.
fn restored(findings: &[Finding]) -> Option<String> {
    let own = |address: &Address| findings.iter().any(|finding| finding.address == *address);
    let object = |address: &Address| if own(address) { "it".to_owned() } else { name(address) };
    let all = findings.iter().flat_map(|finding| &finding.restore);
    let mut actions: Vec<_> = all.map(|(action, address)| format!("{action} {}", object(address))).collect();
    actions.dedup();
    (!actions.is_empty()).then(|| actions.join(", "))
}

/// A rule of the files, as they write it.
fn rule(rule: &Ignore) -> String {
    let of = rule.service.as_ref().map(|service| format!(" of service {service}")).unwrap_or_default();
    let at = rule.origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default();
    format!("ignore {:?}{of}{at}", rule.path)
}

/// The changes of a file, as `diff -u` shows them.
fn unified(file: &EditedFile) -> String {
    let difference = similar::TextDiff::from_lines(&*file.before, &*file.after);
    difference.unified_diff().context_radius(2).header(&file.name, &file.name).to_string()
}
