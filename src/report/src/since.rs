//! What a plan says that an earlier one did not: for a reviewer who has read that one.
//!
//! The earlier plan is JSON, as `wharf plan --format json` prints it. Only what is planned counts: a line that has moved in
//! its file is no news.

use crate::text::{plural, tame};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use wharf_plan::Plan;

/// The format that is understood.
const FORMAT: &str = "wharf.plan/";

/// How a plan differs from an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    earlier: String,
    is_same: bool,
    rows: Vec<SinceRow>,
}

/// One thing that is planned otherwise than before, or several of which the same is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SinceRow {
    /// The address; of several, the first and how many more there are.
    pub(crate) subject: String,
    pub(crate) words: String,
    /// Whether there is a risk that the earlier plan did not have.
    pub(crate) risks: bool,
}

/// An earlier plan that cannot be compared with.
#[derive(Debug, thiserror::Error)]
pub enum SinceError {
    /// It is no JSON.
    #[error("the earlier plan is not JSON")]
    Json(#[source] serde_json::Error),
    /// It is some other JSON.
    #[error("the earlier plan has the format `{found}`, and not one of wharf's plans")]
    Format {
        /// What it says that it is.
        found: String,
    },
    /// It is of something else.
    #[error("the earlier plan is of {theirs}, and this one of {ours}")]
    Elsewhere {
        /// Its project and environment.
        theirs: String,
        /// Ours.
        ours: String,
    },
}

impl Since {
    /// Compares a plan with the text of an earlier one.
    ///
    /// # Errors
    /// When the text is not a plan of the same project and environment.
    pub fn between(earlier: &str, plan: &Plan) -> Result<Self, SinceError> {
        let earlier: Value = serde_json::from_str(earlier).map_err(SinceError::Json)?;
        let format = text(&earlier, "format");
        if !format.starts_with(FORMAT) {
            return Err(SinceError::Format { found: tame(format) });
        }
        let of = |project: &str, environment: &str| format!("{} in {}", tame(project), tame(environment));
        let theirs = of(text(&earlier, "project"), text(&earlier, "environment"));
        let ours = of(plan.project().as_str(), plan.environment().as_str());
        if theirs != ours {
            return Err(SinceError::Elsewhere { theirs, ours });
        }
        let now: Value = serde_json::from_str(&plan.json()).map_err(SinceError::Json)?;
        let id = tame(text(&earlier, "id"));
        Ok(Self { is_same: id == plan.id().to_string(), earlier: id, rows: rows(&earlier, &now) })
    }

    /// One sentence that says what there is to read again.
    pub(crate) fn headline(&self) -> String {
        let earlier = &self.earlier;
        if self.is_same {
            return format!("This is plan {earlier}, which you reviewed");
        }
        if self.rows.is_empty() {
            return format!("Nothing that is planned differs from plan {earlier}, which you reviewed");
        }
        format!("Since plan {earlier}, which you reviewed, {} otherwise", differ(self.rows.len()))
    }

    pub(crate) fn rows(&self) -> &[SinceRow] {
        &self.rows
    }
}

fn differ(count: usize) -> String {
    format!("{} {}", plural(count, "thing"), if count == 1 { "is" } else { "are" })
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The changes of a plan by address; one that occurs again by its number as well.
fn changes(plan: &Value) -> BTreeMap<(&str, usize), &Value> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let keyed = list(plan, "changes").iter().map(|change| {
        let address = text(change, "address");
        let number = seen.entry(address).or_default();
        *number += 1;
        ((address, *number), change)
    });
    keyed.collect()
}

fn rows(earlier: &Value, now: &Value) -> Vec<SinceRow> {
    let (then, now) = (changes(earlier), changes(now));
    let mut rows: Vec<(SinceRow, usize)> = Vec::new();
    let mut at: HashMap<(String, String), usize> = HashMap::new();
    let mut say = |address: &str, words: String, risks: bool| {
        let kind = address.split('.').next().unwrap_or_default().to_owned();
        let index = *at.entry((kind, words.clone())).or_insert_with(|| {
            rows.push((SinceRow { subject: tame(address), words, risks: false }, 0));
            rows.len() - 1
        });
        rows[index].1 += 1;
        rows[index].0.risks |= risks;
    };
    for (key, change) in &now {
        match then.get(key) {
            None => {
                let risks: Vec<_> = list(change, "risks").iter().map(risk).collect();
                let told = if risks.is_empty() { String::new() } else { format!(", with {}", risks.join(", ")) };
                say(key.0, format!("{} is new{told}", tame(text(change, "action"))), !risks.is_empty());
            }
            Some(before) => {
                let (words, risks) = difference(before, change);
                if !words.is_empty() {
                    say(key.0, words.join("; "), risks);
                }
            }
        }
    }
    for (key, change) in then.iter().filter(|(key, _)| !now.contains_key(*key)) {
        say(key.0, format!("no {} any more", tame(text(change, "action"))), false);
    }
    let told = |(mut row, times): (SinceRow, usize)| {
        if times > 1 {
            row.subject = format!("{} and {} more like it", row.subject, times - 1);
        }
        row
    };
    rows.into_iter().map(told).collect()
}

/// In what two changes of one resource differ, and whether a risk is new.
fn difference(before: &Value, after: &Value) -> (Vec<String>, bool) {
    let mut words = Vec::new();
    let (was, is) = (text(before, "action"), text(after, "action"));
    if was != is {
        words.push(format!("{} instead of {}", tame(is), tame(was)));
    }
    let news = |key: &str, name: fn(&Value) -> String| {
        let known: Vec<String> = list(before, key).iter().map(name).collect();
        list(after, key).iter().map(name).filter(|one| !known.contains(one)).collect::<Vec<_>>()
    };
    let risks = news("risks", risk);
    words.extend(risks.iter().map(|risk| format!("new risk: {risk}")));
    for key in ["because", "fields"] {
        words.extend(parts(list(before, key), list(after, key)));
    }
    if before.get("rollout") != after.get("rollout") && words.is_empty() {
        words.push("its rollout takes other steps".to_owned());
    }
    (words, !risks.is_empty())
}

fn risk(risk: &Value) -> String {
    let number = |key: &str| risk.get(key).and_then(Value::as_u64);
    let kind = tame(&text(risk, "kind").replace('-', " "));
    match (number("lowest"), number("wanted")) {
        (Some(lowest), Some(wanted)) => format!("{kind}, {lowest} of {wanted} ready"),
        _ => kind,
    }
}

/// In what two lists of causes or of fields differ.
fn parts(before: &[Value], after: &[Value]) -> Vec<String> {
    let key = |part: &Value| (text(part, "kind").to_owned(), text(part, "field").to_owned());
    let then: BTreeMap<_, _> = before.iter().map(|part| (key(part), said(part))).collect();
    let now: BTreeMap<_, _> = after.iter().map(|part| (key(part), said(part))).collect();
    let name = |(kind, field): &(String, String)| tame(if field.is_empty() { kind } else { field });
    let mut words = Vec::new();
    for (key, said) in &now {
        match then.get(key) {
            None => words.push(format!("now also {}", name(key))),
            Some(was) if was != said => words.push(format!("{} {}", name(key), instead(was, said))),
            Some(_) => {}
        }
    }
    words.extend(then.keys().filter(|key| !now.contains_key(*key)).map(|key| format!("no more {}", name(key))));
    words
}

/// What a cause or a field says, wherever it is written: what was, where that is told, and what will be.
fn said(part: &Value) -> (Option<String>, String) {
    let one = |key: &str| part.get(key).and_then(Value::as_str).map(|text| tame(&text.replace('\n', " ⏎ ")));
    let after = ["after", "value", "saw", "why"].into_iter().find_map(one);
    (one("before"), after.unwrap_or_else(|| "–".to_owned()))
}

fn instead(was: &(Option<String>, String), is: &(Option<String>, String)) -> String {
    let whole = |(before, after): &(Option<String>, String)| match before {
        Some(before) => format!("{before} → {after}"),
        None => after.clone(),
    };
    if was.0 == is.0 {
        return format!("{} instead of {}", is.1, was.1);
    }
    format!("{} instead of {}", whole(is), whole(was))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(changes: &[Value]) -> Value {
        json!({ "changes": changes })
    }

    fn check(before: &[Value], after: &[Value], expected: &[(&str, &str, bool)]) {
        let (before, after) = (plan(before), plan(after));
        let rows = rows(&before, &after);
        let found: Vec<_> = rows.iter().map(|row| (row.subject.as_str(), row.words.as_str(), row.risks)).collect();
        assert_eq!(found, expected);
    }

    fn roll(address: &str, line: u32, after: &str) -> Value {
        let at = json!({ "file": "wharf.kdl", "line": line, "column": 1 });
        let cause = json!({ "kind": "written", "field": "env.A", "before": "1", "after": after, "at": at });
        json!({ "address": address, "action": "roll", "because": [cause] })
    }

    #[test]
    fn a_line_that_moved_is_no_news() {
        check(&[roll("service.a", 3, "2")], &[roll("service.a", 9, "2")], &[]);
    }

    #[test]
    fn other_values_new_changes_and_gone_ones_are_told() {
        check(
            &[roll("service.a", 3, "2"), roll("service.b", 3, "2")],
            &[roll("service.a", 3, "3"), roll("service.c", 3, "2"), roll("service.d", 3, "2")],
            &[
                ("service.a", "env.A 3 instead of 2", false),
                ("service.c and 1 more like it", "roll is new", false),
                ("service.b", "no roll any more", false),
            ],
        );
    }

    #[test]
    fn a_new_risk_is_pointed_at() {
        let mut risky = roll("service.a", 3, "2");
        risky["risks"] = json!([{ "kind": "capacity-dip", "lowest": 1, "wanted": 2 }]);
        check(
            &[roll("service.a", 3, "2")],
            &[risky.clone()],
            &[("service.a", "new risk: capacity dip, 1 of 2 ready", true)],
        );
        check(&[], &[risky], &[("service.a", "roll is new, with capacity dip, 1 of 2 ready", true)]);
    }
}
