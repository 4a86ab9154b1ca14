//! Records as people and programs read them: one alone, what became of it, and the list of all.

use crate::text::{bad, bold, cut, dim, good, pad, tame, warn, width};
use serde_json::{Value as Json, json};
use std::fmt::Write;
use wharf_model::{
    Address, Difference, Ending, Entry, InstanceId, PlanId, Record, RecordedInstance, RevisionNumber, Timestamp, Value,
};
use wharf_plan::history::{Became, Fate, entries};

/// One commit, with what became of the one before.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// Its number.
    pub serial: u64,
    /// When it was made.
    pub at: Option<Timestamp>,
    /// By whom.
    pub who: Option<String>,
    /// By which plan.
    pub plan: Option<PlanId>,
    /// What became otherwise; nobody knows where the commit before it is not kept.
    pub became: Option<Vec<Became>>,
}

/// How an apply ended, as far as the record knows.
fn verdict(became: &[Became]) -> &'static str {
    let endings = became.iter().filter_map(|became| match &became.what {
        Fate::Changed { trouble: Some((_, ending)), .. } => Some(ending),
        _ => None,
    });
    let word = |ending: &Ending| match ending {
        Ending::Done => (0, "done"),
        Ending::RolledBack { .. } => (1, "rolled back"),
        Ending::Halted { .. } => (2, "halted"),
    };
    endings.map(word).max().map_or("done", |(_, word)| word)
}

/// The commits on a terminal, the newest first.
pub fn log(entries: &[LogEntry], columns: usize) -> String {
    let mut out = String::new();
    for entry in entries {
        let at = entry.at.map(|at| at.to_string()).unwrap_or_default();
        let plan = entry.plan.as_ref().map(|plan| format!("plan {plan}")).unwrap_or_default();
        let verdict = match entry.became.as_deref().map(verdict) {
            None => String::new(),
            Some("done") => good("done"),
            Some(other) => bad(other),
        };
        let who = tame(entry.who.as_deref().unwrap_or_default());
        let head = [bold(format!("@{}", entry.serial)), at, who, plan, verdict];
        let head: Vec<_> = head.into_iter().filter(|part| !part.is_empty()).collect();
        let _ = writeln!(out, "{}", head.join("  "));
        match entry.became.as_deref() {
            None => {
                let words = format!("what came before is not kept; `wharf show @{}` shows what it holds", entry.serial);
                let _ = writeln!(out, "    {}", dim(words));
            }
            Some([]) => drop(writeln!(out, "    {}", dim("nothing changed"))),
            Some(all) => {
                for became in all {
                    let _ = writeln!(out, "    {}", cut(&brief(became), columns.saturating_sub(4).max(40)));
                }
            }
        }
    }
    out
}

/// What became of one resource, in a line.
fn brief(became: &Became) -> String {
    let address = &became.address;
    match &became.what {
        Fate::Came(_) => format!("+ {address}"),
        Fate::Went => format!("- {address}"),
        Fate::Changed { fields, revisions, came, went, trouble } => {
            let mut parts: Vec<String> = Vec::new();
            parts.extend(revisions.map(|(old, new)| {
                let side =
                    |number: Option<RevisionNumber>| number.map_or("–".to_owned(), |number| number.to_string());
                format!("{} → {}", side(old), side(new))
            }));
            parts.extend(fields.iter().map(|field| field.path.to_string()));
            if !came.is_empty() || !went.is_empty() {
                parts.push(format!("+{} −{} instances", came.len(), went.len()));
            }
            parts.extend(trouble.as_ref().map(|(number, ending)| ended(&number.to_string(), ending)));
            tame(&format!("~ {address}  {}", parts.join(", ")))
        }
    }
}

fn ended(number: &str, ending: &Ending) -> String {
    match ending {
        Ending::Done => format!("{number} served"),
        Ending::RolledBack { because } => format!("{number} was rolled back: {because}"),
        Ending::Halted { because } => format!("{number} was halted: {because}"),
    }
}

/// The commits for programs, the newest first.
pub fn log_json(entries: &[LogEntry]) -> Json {
    let one = |entry: &LogEntry| {
        json!({
            "serial": entry.serial,
            "at_ms": entry.at.map(|at| at.0),
            "who": entry.who,
            "plan": entry.plan.as_ref().map(ToString::to_string),
            "verdict": entry.became.as_deref().map(verdict),
            "changes": entry.became.as_ref().map(|all| all.iter().map(became_json).collect::<Vec<_>>()),
        })
    };
    json!({ "format": "wharf.log/1", "commits": entries.iter().map(one).collect::<Vec<_>>() })
}

/// What became otherwise between two records, on a terminal.
pub fn became(all: &[Became], columns: usize) -> String {
    let mut out = String::new();
    for one in all {
        let (sign, name) = match &one.what {
            Fate::Came(_) => (good("+"), bold(&one.address)),
            Fate::Went => (bad("-"), bold(&one.address)),
            Fate::Changed { .. } => (warn("~"), bold(&one.address)),
        };
        let _ = writeln!(out, "{sign} {name}");
        match &one.what {
            Fate::Came(entries) => fields(&mut out, entries, columns),
            Fate::Went => {}
            Fate::Changed { fields, revisions, came, went, trouble } => {
                let side =
                    |number: Option<RevisionNumber>| number.map_or("–".to_owned(), |number| number.to_string());
                if let Some((old, new)) = revisions {
                    let _ = writeln!(out, "    {}  {} → {}", dim("revision"), bad(side(*old)), good(side(*new)));
                }
                fields.iter().for_each(|field| difference(&mut out, field, columns));
                instances(&mut out, &bad("-"), went);
                instances(&mut out, &good("+"), came);
                if let Some((number, ending)) = trouble {
                    let _ = writeln!(out, "    {} {}", warn("note:"), tame(&ended(&number.to_string(), ending)));
                }
            }
        }
    }
    out
}

fn instances(out: &mut String, sign: &str, ids: &[InstanceId]) {
    for id in ids {
        let _ = writeln!(out, "    {sign} {id}");
    }
}

fn difference(out: &mut String, one: &Difference, columns: usize) {
    if let (Some(Value::Lines(before)), Some(Value::Lines(after))) = (&one.before, &one.after)
        && (before.contains('\n') || after.contains('\n'))
    {
        let _ = writeln!(out, "    {}", one.path);
        for line in crate::difference(before, after).lines() {
            let _ = writeln!(out, "      {line}");
        }
        return;
    }
    let same_secret =
        matches!((&one.before, &one.after), (Some(Value::Secret(old, _)), Some(Value::Secret(new, _))) if old == new);
    if same_secret {
        let _ = writeln!(out, "    {}  {}", one.path, warn("another value"));
        return;
    }
    let room = columns.saturating_sub(width(&one.path.to_string()) + 12).max(16);
    let side = |value: &Option<Value>| value.as_ref().map_or("–".to_owned(), |value| line(value, room));
    let _ = writeln!(out, "    {}  {} → {}", one.path, bad(side(&one.before)), good(side(&one.after)));
}

fn line(value: &Value, room: usize) -> String {
    cut(&tame(&value.to_string().replace('\n', " ⏎ ")), room)
}

fn fields(out: &mut String, entries: &[Entry], columns: usize) {
    let names = entries.iter().map(|entry| width(&entry.path.to_string())).max().unwrap_or(0).min(32);
    for entry in entries {
        let room = columns.saturating_sub(names + 8).max(16);
        let _ = writeln!(out, "    {}  {}", dim(pad(&entry.path.to_string(), names)), line(&entry.value, room));
    }
}

/// What became otherwise between two records, for programs.
pub fn became_between_json(from: u64, to: u64, all: &[Became]) -> Json {
    json!({ "format": "wharf.diff/1", "from": from, "to": to, "changes": all.iter().map(became_json).collect::<Vec<_>>() })
}

fn became_json(one: &Became) -> Json {
    let address = one.address.to_string();
    let text = |value: &Option<Value>| value.as_ref().map(ToString::to_string);
    match &one.what {
        Fate::Came(entries) => json!({ "address": address, "what": "came", "fields": fields_json(entries) }),
        Fate::Went => json!({ "address": address, "what": "went" }),
        Fate::Changed { fields, revisions, came, went, trouble } => {
            let field = |one: &Difference| json!({ "field": one.path.to_string(), "before": text(&one.before), "after": text(&one.after) });
            let names = |ids: &[InstanceId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
            let number = |number: Option<RevisionNumber>| number.map(|number| number.to_string());
            json!({
                "address": address,
                "what": "changed",
                "fields": fields.iter().map(field).collect::<Vec<_>>(),
                "revision": revisions.map(|(old, new)| json!({ "before": number(old), "after": number(new) })),
                "instances": { "came": names(came), "went": names(went) },
                "trouble": trouble.as_ref().map(|(number, ending)| ended(&number.to_string(), ending)),
            })
        }
    }
}

fn fields_json(entries: &[Entry]) -> Json {
    let field = |entry: &Entry| json!({ "field": entry.path.to_string(), "value": entry.value.to_string() });
    entries.iter().map(field).collect()
}

/// Everything that a record holds, on a terminal; `only` one address of it, when one is named.
pub fn record(record: &Record, columns: usize, only: Option<&Address>) -> String {
    let mut out = String::new();
    for (address, entries) in entries(record).iter().filter(|(address, _)| only.is_none_or(|only| only == *address)) {
        let _ = writeln!(out, "{}", bold(address));
        fields(&mut out, entries, columns);
        for (id, known) in of_service(record, address) {
            let _ = writeln!(out, "    {}  {}  {}", id, known.revision, dim(known.endpoint));
        }
    }
    out
}

/// The same for programs.
pub fn record_json(serial: u64, record: &Record, only: Option<&Address>) -> Json {
    let all = entries(record);
    let one = |(address, entries): (&Address, &Vec<Entry>)| {
        let instance = |(id, known): (&InstanceId, &RecordedInstance)| json!({ "name": id.to_string(), "revision": known.revision.to_string(), "endpoint": known.endpoint.to_string() });
        let instances: Vec<_> = of_service(record, address).map(instance).collect();
        let current = match address {
            Address::Service(name) => record.services[name].current.map(|number| number.to_string()),
            _ => None,
        };
        json!({ "address": address.to_string(), "fields": fields_json(entries), "revision": current, "instances": instances })
    };
    let wanted = all.iter().filter(|(address, _)| only.is_none_or(|only| only == *address));
    json!({
        "format": "wharf.recorded/1",
        "serial": serial,
        "project": record.project.as_str(),
        "environment": record.environment.as_str(),
        "resources": wanted.map(one).collect::<Vec<_>>(),
        "contents": record.contents.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn of_service<'a>(
    record: &'a Record,
    address: &Address,
) -> impl Iterator<Item = (&'a InstanceId, &'a RecordedInstance)> {
    let service = match address {
        Address::Service(name) => record.services.get(name),
        _ => None,
    };
    service.into_iter().flat_map(|known| &known.instances)
}

/// The addresses of everything that a record holds, one a line.
pub fn addresses(record: &Record) -> String {
    let mut out = String::new();
    for address in entries(record).keys() {
        let _ = writeln!(out, "{address}");
        for (id, known) in of_service(record, address) {
            let _ = writeln!(
                out,
                "{}  {}",
                Address::Instance(id.service.clone(), id.slot),
                dim(format!("{id} {}", known.revision))
            );
        }
    }
    for content in &record.contents {
        let _ = writeln!(out, "{}", Address::Content(*content));
    }
    out
}
