//! Version 1 of a report of drift as JSON.

use super::{Class, Drift, Finding, Former, FormerError, Ignored};
use serde::{Deserialize, Serialize};
use wharf_model::{Ignore, InstanceId, Origin, Restarts, Timestamp};

const FORMAT: &str = "wharf.drift/1";

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    project: &'a str,
    environment: &'a str,
    provider: &'a str,
    at_ms: u64,
    compared: usize,
    counts: Counts,
    findings: Vec<FindingV1>,
    ignored: Vec<IgnoredV1>,
    expired: Vec<RuleV1>,
    idle: Vec<RuleV1>,
    restarted: Vec<RestartedV1>,
    files_differ: bool,
}

/// A program that was started again without anybody having asked.
#[derive(Serialize)]
struct RestartedV1 {
    object: String,
    count: u32,
    because: String,
    at_ms: u64,
}

fn restarted((object, restarts): &(InstanceId, Restarts)) -> RestartedV1 {
    let Restarts { count, because, at } = restarts;
    RestartedV1 { object: object.to_string(), count: *count, because: because.clone(), at_ms: at.0 }
}

#[derive(Serialize)]
struct Counts {
    missing: usize,
    changed: usize,
    replaced: usize,
    unhealthy: usize,
    extra: usize,
    ignored: usize,
}

#[derive(Serialize)]
struct FindingV1 {
    path: String,
    address: String,
    field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<String>,
    first_seen_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<PlaceV1>,
    apply: Vec<ActionV1>,
    acceptable: bool,
}

#[derive(Serialize)]
struct ActionV1 {
    action: &'static str,
    address: String,
}

#[derive(Serialize)]
struct IgnoredV1 {
    finding: FindingV1,
    rule: RuleV1,
}

#[derive(Serialize)]
struct RuleV1 {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<PlaceV1>,
}

#[derive(Serialize)]
struct PlaceV1 {
    file: String,
    line: u32,
    column: u32,
}

pub(super) fn print(drift: &Drift) -> String {
    let document = Document {
        format: FORMAT,
        project: drift.project.as_str(),
        environment: drift.environment.as_str(),
        provider: drift.provider,
        at_ms: drift.now.0,
        compared: drift.compared,
        counts: Counts {
            missing: drift.count(Class::Missing),
            changed: drift.count(Class::Changed),
            replaced: drift.count(Class::Replaced),
            unhealthy: drift.count(Class::Unhealthy),
            extra: drift.count(Class::Extra),
            ignored: drift.ignored.len(),
        },
        findings: drift.findings.iter().map(finding).collect(),
        ignored: drift.ignored.iter().map(ignored).collect(),
        expired: drift.expired.iter().map(rule).collect(),
        idle: drift.idle.iter().map(rule).collect(),
        restarted: drift.restarted.iter().map(restarted).collect(),
        files_differ: drift.files_differ,
    };
    serde_json::to_string_pretty(&document).expect("strings and numbers become JSON")
}

fn finding(finding: &Finding) -> FindingV1 {
    let action = |(action, address): &(&'static str, _)| ActionV1 { action, address: ToString::to_string(address) };
    FindingV1 {
        path: finding.path(),
        address: finding.address.to_string(),
        field: finding.aspect.to_string(),
        object: finding.object.as_ref().map(ToString::to_string),
        class: finding.class.as_str(),
        recorded: finding.recorded.as_ref().map(ToString::to_string),
        observed: finding.observed.as_ref().map(ToString::to_string),
        first_seen_ms: finding.first_seen.0,
        at: finding.origin.as_ref().map(place),
        apply: finding.restore.iter().map(action).collect(),
        acceptable: finding.accept.is_some(),
    }
}

fn ignored(one: &Ignored) -> IgnoredV1 {
    IgnoredV1 { finding: finding(&one.finding), rule: rule(&one.rule) }
}

fn rule(rule: &Ignore) -> RuleV1 {
    let Ignore { path, service, reason, until, origin } = rule;
    RuleV1 {
        path: path.to_string(),
        service: service.as_ref().map(ToString::to_string),
        reason: reason.to_string(),
        until: until.map(|day| day.to_string()),
        at: origin.as_ref().map(place),
    }
}

fn place(origin: &Origin) -> PlaceV1 {
    PlaceV1 { file: origin.file.to_string(), line: origin.line, column: origin.column }
}

/// What is read of an earlier report; the rest is for others.
#[derive(Deserialize)]
struct Earlier {
    format: String,
    project: String,
    environment: String,
    findings: Vec<EarlierFinding>,
    ignored: Vec<EarlierIgnored>,
}

#[derive(Deserialize)]
struct EarlierFinding {
    path: String,
    object: Option<String>,
    class: String,
    first_seen_ms: u64,
}

#[derive(Deserialize)]
struct EarlierIgnored {
    finding: EarlierFinding,
}

pub(super) fn read(json: &str, project: &str, environment: &str) -> Result<Former, FormerError> {
    let earlier: Earlier = serde_json::from_str(json)?;
    if earlier.format != FORMAT {
        return Err(FormerError::Format { found: earlier.format, known: FORMAT });
    }
    if earlier.project != project || earlier.environment != environment {
        return Err(FormerError::Other(format!("{} in {}", earlier.project, earlier.environment)));
    }
    let all = earlier.findings.into_iter().chain(earlier.ignored.into_iter().map(|one| one.finding));
    let entry = |one: EarlierFinding| ((one.path, one.object, one.class), Timestamp(one.first_seen_ms));
    Ok(Former(all.map(entry).collect()))
}
