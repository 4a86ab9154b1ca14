//! How rollouts stand: what the record and its journal say, and what a look finds. Holds only what can look.

use super::{find, is_under_way};
use crate::{
    arguments::{Format, Shared},
    exit::Exit,
    fault::Ends,
    out,
    project::{Project, Secrets, Told},
    site,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wharf_model::{InstanceId, Observed, Record, RecordedRollout, Rest, RevisionNumber, ServiceName, Timestamp};
use wharf_provider::Scope;
use wharf_report::{bold, dim, duration};
use wharf_store::Presence;

/// How one rollout stands.
struct Stands {
    service: ServiceName,
    from: Option<RevisionNumber>,
    to: Option<RevisionNumber>,
    rollout: Option<RecordedRollout>,
    /// Instances of the old and the new revision: how many, and how many of them are ready.
    old: (usize, usize),
    new: (usize, usize),
    /// New ones that are not ready, and what they answer.
    waits: Vec<(InstanceId, String)>,
    /// Who is at work, if somebody is.
    at_work: Option<String>,
}

pub(super) async fn run(shared: &Shared, service: Option<&str>, format: Format) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let reader = site::record(&project)?;
    let record = reader.read()?.record;
    let holder = reader.lease()?.filter(|(lease, presence)| !lease.ended && *presence != Presence::Nobody);
    let at_work = holder.map(|(lease, _)| lease.holder.to_string());
    let services = match service {
        Some(named) => BTreeSet::from([find(&record, Some(named))?]),
        None => record.services.keys().filter(|name| is_under_way(&record, name)).cloned().collect(),
    };
    let runtime = site::reader(&project)?;
    let scope = Scope { services: Some(services.clone()), probe: true, sources: BTreeSet::new() };
    let observed = runtime.observe(&scope).await?;
    let all: Vec<_> =
        services.iter().filter_map(|service| stands(&record, &observed, service, at_work.as_deref())).collect();
    match format {
        Format::Json => {
            let rollouts: Vec<_> = all.iter().map(as_json).collect();
            out::result(format_args!("{:#}\n", json!({ "format": "wharf.rollout/1", "rollouts": rollouts })));
        }
        Format::Human if all.is_empty() => out::result("No rollout is under way.\n"),
        Format::Human => {
            let texts: Vec<_> = all.iter().map(|stands| in_words(stands, site::now())).collect();
            out::result(texts.join("\n"));
        }
    }
    Ok(Exit::Done)
}

fn stands(record: &Record, observed: &Observed, service: &ServiceName, at_work: Option<&str>) -> Option<Stands> {
    let known = record.services.get(service)?;
    let newest = known.instances.values().map(|instance| instance.revision).max();
    let to = known.rollout.map(|rollout| rollout.to).or(newest);
    let seen = |id: &InstanceId| observed.instances.get(id);
    let side = |new: bool| {
        let own = || known.instances.iter().filter(|(_, instance)| (Some(instance.revision) == to) == new);
        (own().count(), own().filter(|(id, _)| observed.is_ready(id)).count())
    };
    let unready = known.instances.iter().filter(|(_, instance)| Some(instance.revision) == to);
    let unready = unready.filter_map(|(id, _)| {
        let heard = match seen(id) {
            Some(_) if observed.is_ready(id) => return None,
            Some(seen) => seen.answer.as_ref().map_or("it has ended".to_owned(), ToString::to_string),
            None => "it is not there".to_owned(),
        };
        Some((id.clone(), heard))
    });
    Some(Stands {
        service: service.clone(),
        from: known.current,
        to,
        rollout: known.rollout,
        old: side(false),
        new: side(true),
        waits: unready.collect(),
        at_work: at_work.map(str::to_owned),
    })
}

fn number(revision: Option<RevisionNumber>) -> String {
    revision.map_or("nothing".to_owned(), |number| number.to_string())
}

/// What it waits for, in a sentence.
fn wait(stands: &Stands) -> String {
    let rest = stands.rollout.and_then(|rollout| rollout.rest);
    match (rest, &stands.at_work) {
        (Some(Rest::Pause), _) => "waits for somebody: its file pauses behind this step".to_owned(),
        (Some(Rest::Partition), _) => "waits for somebody: its file keeps the others as they are".to_owned(),
        (Some(Rest::Asked), _) => "waits for somebody: it was asked to".to_owned(),
        (Some(Rest::File), _) => "waits as long as its file says `paused`".to_owned(),
        (Some(Rest::Aborted), Some(who)) => format!("goes back: {who} is at work"),
        (Some(Rest::Aborted), None) => "its way back was cut off; `wharf apply` goes on with that".to_owned(),
        (None, Some(who)) => format!("goes on: {who} is at work"),
        (None, None) => "its apply ended before it was done; `wharf apply` goes on".to_owned(),
    }
}

fn in_words(stands: &Stands, now: Timestamp) -> String {
    let Stands { service, from, to, rollout, old, new, waits, .. } = stands;
    let mut text = format!("{}  {} → {}", bold(format!("service {service}")), number(*from), number(*to));
    if let Some(RecordedRollout { passed, steps, since, .. }) = rollout {
        let age = duration(now.since(*since));
        text.push_str(&format!("  {passed} of {steps} steps passed, for {age}"));
    }
    text.push_str(&format!("\n  new  {} of {} ready\n  old  {} of {} ready\n", new.1, new.0, old.1, old.0));
    text.push_str(&format!("  {}\n", wait(stands)));
    for (instance, heard) in waits {
        text.push_str(&format!("  {instance} is not ready: {heard}\n"));
    }
    let (resume, promote) = (("resume", "goes on"), ("promote", "goes all the way at once"));
    let forward = match rollout.and_then(|rollout| rollout.rest) {
        Some(Rest::File) => Vec::new(),
        Some(_) => vec![resume, promote],
        None => vec![("pause", "waits where it is"), promote],
    };
    for (word, what) in forward.into_iter().chain([("abort", "goes back")]) {
        text.push_str(&format!("  {}\n", dim(format!("wharf rollout {word:<7} {service}  {what}"))));
    }
    text
}

fn as_json(stands: &Stands) -> Value {
    let Stands { service, from, to, rollout, old, new, waits, at_work } = stands;
    let side = |(instances, ready): (usize, usize)| json!({ "instances": instances, "ready": ready });
    let waits: Vec<_> = waits.iter().map(|(id, heard)| json!({ "instance": id.to_string(), "heard": heard })).collect();
    json!({
        "service": service.to_string(),
        "from": from.map(|number| number.0),
        "to": to.map(|number| number.0),
        "passed": rollout.map(|rollout| rollout.passed),
        "steps": rollout.map(|rollout| rollout.steps),
        "since_ms": rollout.map(|rollout| rollout.since.0),
        "rest": rollout.and_then(|rollout| rollout.rest).map(Rest::as_str),
        "at_work": at_work,
        "old": side(*old),
        "new": side(*new),
        "not_ready": waits,
    })
}
