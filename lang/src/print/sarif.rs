//! SARIF 2.1.0, which code scanning services read.

use super::{path, severity};
use crate::{Problem, Problems, Region, explain};
use serde_json::{Value, json};
use std::fmt::Write;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The problems as one run of SARIF; `version` is that of wharf.
pub fn problems_sarif(problems: &Problems, folder: &str, version: &str) -> String {
    let all = || problems.iter().chain(problems.allowed());
    let mut codes: Vec<&str> = all().map(|problem| problem.code().as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<_> = codes.iter().map(|code| rule(code)).collect();
    let results: Vec<_> = all().map(|problem| result(problem, &codes, folder)).collect();
    let driver = json!({ "name": "wharf", "semanticVersion": version, "rules": rules });
    let run = json!({ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results });
    format!("{:#}\n", json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] }))
}

fn rule(code: &str) -> Value {
    let Some(known) = explain(code) else { return json!({ "id": code }) };
    let text = match known.allowing() {
        Some(allowing) => format!("{}\n\n{allowing}", known.text),
        None => known.text.to_owned(),
    };
    let markdown = format!(
        "{text}\n\nWrong:\n\n```kdl\n{}```\n\nRight:\n\n```kdl\n{}```\n",
        known.wrong.shown(),
        known.right.shown()
    );
    json!({
        "id": code,
        "name": known.short(),
        "shortDescription": { "text": known.brief },
        "fullDescription": { "text": known.text },
        "help": { "text": text, "markdown": markdown },
    })
}

fn result(problem: &Problem, codes: &[&str], folder: &str) -> Value {
    let code = problem.code().as_str();
    let mut text = problem.message().to_owned();
    if let Some(help) = problem.advice() {
        let _ = write!(text, "\n{help}");
    }
    let mut result = json!({
        "ruleId": code,
        "ruleIndex": codes.binary_search(&code).unwrap_or_default(),
        "level": severity(problem),
        "message": { "text": text },
    });
    if let Some(region) = problem.region() {
        result["locations"] = json!([location(region, folder)]);
    }
    if let Some(other) = problem.related_region() {
        let mut location = location(other, folder);
        location["message"] = json!({ "text": other.label });
        result["relatedLocations"] = json!([location]);
    }
    if let Some(reason) = problem.allowed() {
        let mut suppression = json!({ "kind": "inSource", "status": "accepted", "justification": reason });
        if let Some(region) = problem.allowed_region() {
            suppression["location"] = location(region, folder);
        }
        result["suppressions"] = json!([suppression]);
    }
    result
}

fn location(region: &Region, folder: &str) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&path(folder, &region.file)) },
        "region": {
            "startLine": region.start.line,
            "startColumn": region.start.column,
            "endLine": region.end.line,
            "endColumn": region.end.column,
        },
    } })
}

/// A path as a relative reference; an absolute one as a URI.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(byte.into()),
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("a b/ü:%.kdl"), "a%20b/%C3%BC%3A%25.kdl");
        assert_eq!(uri("/srv/a.kdl"), "file:///srv/a.kdl");
    }
}
