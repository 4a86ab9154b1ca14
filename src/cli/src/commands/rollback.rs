//! `wharf rollback`: an apply of what was recorded before.

use super::{
    carry_out::{begin, finish},
    consent::{Consent, show_only},
};
use crate::{
    arguments::{Agreement, Shared},
    exit::Exit,
    fault::{Ends, Fault},
    history, out, problems,
    project::{Project, Secrets, Told},
    site,
};
use std::collections::BTreeMap;
use wharf_model::{Record, SecretDigest, SecretName, ServiceName};
use wharf_plan::{
    Plan,
    history::{BackInput, NoWayBack, Rollback, asks_the_same, lost_contents, way_back},
    plan_pinned,
};
use wharf_provider::Observe;
use wharf_report::{bad, warn};
use wharf_store::{Commit, Reader};

pub(super) async fn run(shared: &Shared, what: &[String], agreement: &Agreement) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Needed, Told::Errors)?;
    let (service, at) = target(what)?;
    if agreement.plan_only {
        return show(&project, service.as_ref(), at).await;
    }
    let begun = begin(&project, "rollback", agreement.wait).await?;
    let commit = find(begun.reader(), begun.record(), service.as_ref(), at)?;
    let digests = digests(&project, begun.reader())?;
    let back = back(&project, begun.record(), &commit, service.as_ref(), &digests)?;
    let plan = plan(&project, begun.record(), &back, begun.observe()).await?;
    tell(&back, &commit);
    let consent = Consent::of("rollback", &back.wanted.deployment, agreement);
    let (exit, runtime) = finish(&project, begun, &plan, consent).await?;
    if exit == Exit::Done {
        tell_files(&project, &*runtime.execute()).await?;
    }
    Ok(exit)
}

/// Holds only what can look.
async fn show(project: &Project, service: Option<&ServiceName>, at: Option<u64>) -> Ends<Exit> {
    let reader = site::record(project)?;
    let record = reader.read()?.record;
    let commit = find(&reader, &record, service, at)?;
    let back = back(project, &record, &commit, service, &digests(project, &reader)?)?;
    let plan = plan(project, &record, &back, &*site::reader(project)?).await?;
    tell(&back, &commit);
    Ok(show_only(&plan))
}

/// The service and the commit that the words name.
fn target(what: &[String]) -> Ends<(Option<ServiceName>, Option<u64>)> {
    let (mut service, mut at) = (None, None);
    for word in what {
        let twice = match word.strip_prefix('@') {
            Some(_) => at.replace(history::serial(word)?).is_some(),
            None => {
                let unknown = |cause| Fault::new(format!("`{word}` names no service")).because(cause);
                service.replace(word.parse::<ServiceName>().map_err(unknown)?).is_some()
            }
        };
        if twice {
            return Err(
                Fault::new("a rollback goes to one commit, of one service or of all").help("wharf rollback hello @3")
            );
        }
    }
    Ok((service, at))
}

/// The commit that is named, else the newest in which something else was asked for.
fn find(reader: &Reader, now: &Record, service: Option<&ServiceName>, at: Option<u64>) -> Ends<Commit> {
    if let Some(at) = at {
        return history::read(reader, at);
    }
    for serial in reader.serials()?.into_iter().rev() {
        let commit = history::read(reader, serial)?;
        let knows = service.is_none_or(|name| commit.record.services.contains_key(name));
        if knows && !commit.record.is_empty() && !asks_the_same(&commit.record, now, service) {
            return Ok(commit);
        }
    }
    let of = service.map(|name| format!(" of service {name}")).unwrap_or_default();
    let fault = Fault::new(format!("no earlier commit{of} asks for anything else"));
    Err(fault.help("`wharf log` lists the commits"))
}

fn digests(project: &Project, reader: &Reader) -> Ends<BTreeMap<SecretName, SecretDigest>> {
    Ok(site::digests(reader.key()?.as_ref(), &project.secrets))
}

fn back(
    project: &Project,
    recorded: &Record,
    commit: &Commit,
    service: Option<&ServiceName>,
    digests: &BTreeMap<SecretName, SecretDigest>,
) -> Ends<Rollback> {
    let (then, from) = (&commit.record, format!("@{}", commit.serial));
    let input = BackInput { files: &project.deployment, recorded, then, from: &from, service, digests };
    way_back(&input).map_err(|found| refused(&found, commit))
}

fn refused(found: &[NoWayBack], commit: &Commit) -> Box<Fault> {
    found.iter().for_each(|problem| out::alert(format!("{} {problem}", bad("✗"))));
    Fault::new(format!("there is no way back to @{}", commit.serial))
        .help("`wharf log` lists the commits; `wharf show @N` shows what one asked for, to be written into the files")
}

async fn plan(project: &Project, record: &Record, back: &Rollback, runtime: &dyn Observe) -> Ends<Plan> {
    let wanted = &back.wanted;
    let sight = site::look(project, &wanted.deployment, None, runtime).await?;
    let lost = lost_contents(wanted, sight.observed());
    if !lost.is_empty() {
        lost.iter().for_each(|problem| out::alert(format!("{} {problem}", bad("✗"))));
        let fault = Fault::new("what it needs is not kept any more");
        return Err(fault.help("bring the folder back to what it held then, and apply that"));
    }
    let sight = sight.with_digests(wanted.digests.clone());
    let input = sight.input(&wanted.deployment, record, runtime);
    plan_pinned(&input, &wanted.pins).map_err(|found| problems::show(project, &found))
}

fn tell(back: &Rollback, commit: &Commit) {
    out::note(format!("Back to @{}.", commit.serial));
    for secret in &back.other_secrets {
        out::note(format!("{} secret {secret} has another value now; what comes back is given that", warn("note:")));
    }
}

/// The files still ask for what was left: says what the next apply would make of that.
async fn tell_files(project: &Project, runtime: &dyn Observe) -> Ends<()> {
    let reader = site::record(project)?;
    let record = reader.read()?.record;
    let plan = site::make_plan(project, &project.deployment, &record, reader.key()?.as_ref(), runtime).await?;
    if plan.is_empty() {
        return Ok(());
    }
    let words = "the files still ask for something else; the next `wharf apply` would go there again:";
    out::note(format!("\n{} {words}", warn("note:")));
    for change in plan.changes() {
        out::note(format!("  {} {}", change.what.action(), change.address));
    }
    Ok(())
}
