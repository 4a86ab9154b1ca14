//! Drift as SARIF 2.1.0, for code scanning: each finding at the line that speaks of it.

use super::{rule, sides, title};
use serde_json::{Value, json};
use wharf_model::{Ignore, Origin};
use wharf_plan::drift::{Class, Drift, Finding, Ignored};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
const EXPIRED: &str = "wharf::drift::expired_ignore";

/// Everything as one run of SARIF; `version` is that of wharf. What is ignored is there, and suppressed.
pub fn drift_sarif(drift: &Drift, version: &str) -> String {
    let rules: Vec<_> = Class::ALL.iter().map(|class| described(&id(*class), words(*class))).collect();
    let expired = described(EXPIRED, "a rule of the files that says what not to count has run out");
    let rules: Vec<_> = rules.into_iter().chain([expired]).collect();
    let results = drift.findings.iter().map(|one| result(one, None));
    let results = results.chain(drift.ignored.iter().map(|one| result(&one.finding, Some(one))));
    let results: Vec<_> = results.chain(drift.expired.iter().map(run_out)).collect();
    let driver = json!({ "name": "wharf", "semanticVersion": version, "rules": rules });
    let run = json!({ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results });
    format!("{:#}\n", json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] }))
}

fn id(class: Class) -> String {
    format!("wharf::drift::{}", class.as_str())
}

fn words(class: Class) -> &'static str {
    match class {
        Class::Missing => "something that was made is not there",
        Class::Changed => "something is otherwise than it was recorded",
        Class::Replaced => "something else stands in the place of what was made",
        Class::Unhealthy => "something that was made is there and does not work",
        Class::Extra => "something carries wharf's labels and was never recorded",
    }
}

fn described(id: &str, text: &str) -> Value {
    json!({ "id": id, "shortDescription": { "text": text } })
}

fn result(finding: &Finding, ignored: Option<&Ignored>) -> Value {
    let class = finding.class;
    let level = match class {
        Class::Missing | Class::Unhealthy | Class::Replaced => "error",
        Class::Changed | Class::Extra => "warning",
    };
    let object = finding.object.as_ref().map(|object| format!("@{object}")).unwrap_or_default();
    let text = format!("{} is {}: {} {}", title(finding), class.as_str(), finding.aspect, sides(finding));
    let mut result = json!({
        "ruleId": id(class),
        "ruleIndex": Class::ALL.iter().position(|known| *known == class),
        "level": level,
        "message": { "text": text },
        "partialFingerprints": { "wharfDrift/v1": format!("{}{object}", finding.path()) },
        "locations": locations(finding.origin.as_ref()),
    });
    if let Some(ignored) = ignored {
        result["suppressions"] = json!([{ "kind": "inSource", "justification": *ignored.rule.reason }]);
    }
    result
}

fn run_out(expired: &Ignore) -> Value {
    let day = expired.until.map(|day| day.to_string()).unwrap_or_default();
    json!({
        "ruleId": EXPIRED,
        "ruleIndex": Class::ALL.len(),
        "level": "error",
        "message": { "text": format!("{} ran out on {day}", rule(expired)) },
        "locations": locations(expired.origin.as_ref()),
    })
}

fn locations(origin: Option<&Origin>) -> Value {
    let place = |origin: &Origin| {
        json!({ "physicalLocation": {
            "artifactLocation": { "uri": uri(&origin.file) },
            "region": { "startLine": origin.line, "startColumn": origin.column },
        } })
    };
    origin.map(place).into_iter().collect()
}

/// A path as a relative reference.
fn uri(path: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    path.bytes().map(byte).collect()
}
