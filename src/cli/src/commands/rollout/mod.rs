//! `wharf rollout`: how a rollout stands, and what somebody wants of it.
//!
//! While an apply is at work, it is asked, by a request beside its journal. While nobody is, this command is at work itself:
//! with the lock, by a plan that is shown first, journalled and committed as any other.

mod status;

use super::{
    carry_out::{Begun, begin, finish},
    consent::{Consent, show_only},
};
use crate::{
    arguments::{Agreement, RolloutAction, Shared},
    exit::Exit,
    fault::{Ends, Fault},
    out, problems,
    project::{Project, Secrets, Told},
    site,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};
use wharf_model::{Address, Effect, Field, Record, RecordedRollout, Rest, ServiceName};
use wharf_plan::{
    Plan, Selection,
    history::{BackInput, way_back},
    plan_pinned,
    rollout::Wish,
};
use wharf_report::{bad, good, warn};
use wharf_store::{Lease, Request, ask};

/// How long an apply may take to look at what it is asked.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is seen whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn run(shared: &Shared, action: &RolloutAction) -> Ends<Exit> {
    match action {
        RolloutAction::Status { service, format } => status::run(shared, service.as_deref(), *format).await,
        RolloutAction::Pause { service } => wish(shared, Wish::Pause, service.as_deref(), &Agreement::default()).await,
        RolloutAction::Resume { service, agreement } => wish(shared, Wish::Resume, service.as_deref(), agreement).await,
        RolloutAction::Promote { service, agreement } => {
            wish(shared, Wish::Promote, service.as_deref(), agreement).await
        }
        RolloutAction::Abort { service, agreement } => wish(shared, Wish::Abort, service.as_deref(), agreement).await,
    }
}

async fn wish(shared: &Shared, wish: Wish, service: Option<&str>, agreement: &Agreement) -> Ends<Exit> {
    let secrets = if wish == Wish::Pause { Secrets::Ignored } else { Secrets::Needed };
    let project = Project::load(shared, secrets, Told::Errors)?;
    let doing = format!("rollout {}", wish.as_str());
    loop {
        match begin(&project, &doing, Duration::ZERO).await {
            Ok(begun) => return ourselves(&project, begun, wish, service, agreement).await,
            Err(fault) if fault.exit() == Exit::Locked => {}
            Err(fault) => return Err(fault),
        }
        let Some((lease, _)) = site::record(&project)?.lease()?.filter(|(lease, _)| !lease.ended) else { continue };
        let record = site::record(&project)?.read()?.record;
        let service = find(&record, service)?;
        if another(&project, &lease, wish, &service)? {
            let what = match wish {
                Wish::Pause => "finishes what it has begun and pauses",
                Wish::Resume => "goes on",
                Wish::Promote => "goes all the way",
                Wish::Abort => "goes back",
            };
            out::note(format!("{} {} was asked: the rollout of {service} {what}.", good("✓"), lease.holder));
            return Ok(Exit::Done);
        }
        // It has ended meanwhile, so nobody is at work.
    }
}

/// Asks the apply that is at work. Says whether it has taken that; one that has ended has not.
fn another(project: &Project, lease: &Lease, wish: Wish, service: &ServiceName) -> Ends<bool> {
    let (by, at, wish) = (site::who(), site::now(), wish.as_str().to_owned());
    let asked = ask(site::store(project), lease.epoch, &Request { service: service.clone(), wish, by, at })?;
    let began = Instant::now();
    while asked.is_waiting()? {
        let holds = site::record(project)?.lease()?.is_some_and(|(now, _)| now.epoch == lease.epoch && !now.ended);
        if !holds {
            asked.withdraw()?;
            return Ok(false);
        }
        if began.elapsed() > PATIENCE {
            asked.withdraw()?;
            let attempt = format!("{} is at work, and did not look at what it was asked", lease.holder);
            let help = "it looks while a rollout is under way; `wharf rollout status` shows whether one is";
            return Err(Fault::new(attempt).help(help));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(true)
}

/// Does it with the lock.
async fn ourselves(
    project: &Project,
    begun: Begun,
    wish: Wish,
    service: Option<&str>,
    agreement: &Agreement,
) -> Ends<Exit> {
    let service = find(begun.record(), service)?;
    let known = begun.record().services.get(&service).and_then(|known| known.rollout);
    let doing = format!("rollout {}", wish.as_str());
    match (wish, known) {
        (Wish::Pause, Some(known)) => pause(project, begun, service, known),
        (Wish::Pause, None) => {
            let fault =
                Fault::new(format!("the rollout of {service} does not go in steps, and nobody is at work on it"));
            Err(fault.help("`wharf rollout abort` goes back, `wharf apply` goes on"))
        }
        (Wish::Abort, _) => {
            let back = back(project, &begun, &service)?;
            let sight = begun.look(project, &back.wanted.deployment).await?.with_digests(back.wanted.digests.clone());
            let input = sight.input(&back.wanted.deployment, begun.record(), begun.observe());
            let plan = plan_pinned(&input, &back.wanted.pins).map_err(|found| problems::show(project, &found))?;
            let consent = Consent::of(&doing, &back.wanted.deployment, agreement);
            if agreement.plan_only {
                return Ok(show_only(&plan));
            }
            let (exit, _) = finish(project, begun, &plan, consent).await?;
            if exit == Exit::Done {
                let words = "as long as the files ask for what was rolled out, the next `wharf apply` begins it again";
                out::note(format!("{} {words}", warn("note:")));
            }
            Ok(exit)
        }
        (Wish::Resume | Wish::Promote, _) => {
            let released = released(begun.record(), &service, wish);
            let desired = &project.deployment;
            let sight = begun.look(project, desired).await?;
            let input = sight.input(desired, &released, begun.observe());
            let only = BTreeSet::from([service.clone()]);
            let plan = site::plan_of(project, &input)?.select(&Selection { only, except: BTreeSet::new() });
            is_let_go(project, &service)?;
            goes_there(&plan, &service, known)?;
            if agreement.plan_only {
                return Ok(show_only(&plan));
            }
            finish(project, begun, &plan, Consent::of(&doing, desired, agreement)).await.map(|(exit, _)| exit)
        }
    }
}

fn pause(project: &Project, begun: Begun, service: ServiceName, known: RecordedRollout) -> Ends<Exit> {
    if known.rest.is_some() {
        out::note(format!("The rollout of {service} waits already; `wharf rollout status {service}` says why."));
        return Ok(Exit::Done);
    }
    let rollout = RecordedRollout { rest: Some(Rest::Asked), since: site::now(), ..known };
    let serial = begun.note(project, "rollout pause", Effect::RolloutStands { service: service.clone(), rollout })?;
    out::note(format!("{} the next apply leaves the rollout of {service} where it is.   commit {serial}", good("✓")));
    Ok(Exit::Done)
}

/// The record as if somebody had let the rollout go on already.
fn released(record: &Record, service: &ServiceName, wish: Wish) -> Record {
    let mut record = record.clone();
    if let Some(rollout) = record.services.get_mut(service).and_then(|known| known.rollout.as_mut()) {
        rollout.rest = None;
        if wish == Wish::Promote {
            rollout.passed = u32::MAX;
        }
    }
    record
}

/// Whether its file lets it go on.
fn is_let_go(project: &Project, service: &ServiceName) -> Ends<()> {
    if project.deployment.services.get(service).is_none_or(|spec| !spec.rollout.paused) {
        return Ok(());
    }
    let at = project.deployment.origins.written(&Address::Service(service.clone()), Field::Paused);
    let at = at.map_or(String::new(), |at| format!(" ({at})"));
    let fault = Fault::new(format!("the rollout of {service} waits as long as its file says `paused`{at}"));
    Err(fault.help("take that away and apply"))
}

/// Whether the files still ask for what is being rolled out.
fn goes_there(plan: &Plan, service: &ServiceName, known: Option<RecordedRollout>) -> Ends<()> {
    let to = plan.wanted().services.get(service).map(|(_, revision)| revision.number);
    if known.is_none_or(|known| to == Some(known.to)) {
        return Ok(());
    }
    let fault = Fault::new(format!("the files ask for something else of {service} than what is being rolled out"));
    Err(fault.help("`wharf plan` shows what; `wharf apply` goes there, `wharf rollout abort` goes back"))
}

fn back(project: &Project, begun: &Begun, service: &ServiceName) -> Ends<wharf_plan::history::Rollback> {
    let record = begun.record();
    if record.services.get(service).is_some_and(|known| known.current.is_none()) {
        let fault = Fault::new(format!("nothing of {service} served before, so there is nothing to go back to"));
        return Err(fault.help("take it out of the files, and apply that"));
    }
    let digests: BTreeMap<_, _> = site::digests(begun.reader().key()?.as_ref(), &project.secrets);
    let (files, from) = (&project.deployment, "the record");
    let input = BackInput { files, recorded: record, then: record, from, service: Some(service), digests: &digests };
    way_back(&input).map_err(|found| {
        found.iter().for_each(|problem| out::alert(format!("{} {problem}", bad("✗"))));
        Fault::new(format!("the rollout of {service} cannot go back"))
    })
}

/// Whether a rollout of the service was begun and has not come to its end.
fn is_under_way(record: &Record, service: &ServiceName) -> bool {
    record.services.get(service).is_some_and(|known| {
        let other = |revision| known.current.is_some_and(|current| current != revision);
        known.rollout.is_some() || known.instances.values().any(|instance| other(instance.revision))
    })
}

/// The service that is named, or the only one with a rollout.
fn find(record: &Record, named: Option<&str>) -> Ends<ServiceName> {
    let rolling: Vec<_> = record.services.keys().filter(|name| is_under_way(record, name)).collect();
    let names = rolling.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    match (named, rolling.as_slice()) {
        (Some(named), _) => match rolling.iter().find(|name| name.as_str() == named) {
            Some(name) => Ok((*name).clone()),
            None => {
                let known = record.services.keys().any(|name| name.as_str() == named);
                let what = if known { "no rollout of it is under way" } else { "nothing of it is recorded" };
                let fault = Fault::new(format!("service {named}: {what}"));
                Err(if names.is_empty() { fault } else { fault.help(format!("rollouts are under way of: {names}")) })
            }
        },
        (None, [only]) => Ok((*only).clone()),
        (None, []) => {
            Err(Fault::new("no rollout is under way").help("`wharf apply` begins one when something changes"))
        }
        (None, _) => Err(Fault::new(format!("rollouts are under way of: {names}")).help("name the service")),
    }
}
