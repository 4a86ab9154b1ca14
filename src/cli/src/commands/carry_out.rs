//! What `apply` and `destroy` share: lock, recover, look, plan, ask, run, and say how it ended.

use super::consent::{Ask, Consent};
use crate::{
    arguments::{Format, Select, View},
    exit::Exit,
    fault::Ends,
    notify::{Told, notify},
    out, progress,
    project::Project,
    site::{self, Runtime, Sight},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use wharf_apply::{
    Applied, Cancel, Ended, Failed, Head, Recovered, Settings, Skipped, Summary, Tail, apply, note, print_summary,
    recover,
};
use wharf_model::{Deployment, Effect, NotifyOn, Record, RecordedRollout, Rest};
use wharf_plan::{Notice, Plan, SavedPlan, rollout::Failure};
use wharf_provider::{Execute, Observe};
use wharf_report::{Layout, bad, dim, duration, good, warn};
use wharf_store::{Author, Made, Reader, Writer};

/// What is to be done.
pub(super) struct Work<'a> {
    pub(super) project: &'a Project,
    pub(super) desired: &'a Deployment,
    /// The command, for the lock.
    pub(super) doing: &'a str,
    /// Whether nobody is asked.
    pub(super) yes: bool,
    /// How long another holder of the lock is waited for.
    pub(super) wait: Duration,
    /// Who else is told what happens.
    pub(super) view: &'a View,
    /// Which services; all of them when nobody chose.
    pub(super) select: Option<&'a Select>,
    /// What somebody said yes to already.
    pub(super) reviewed: Reviewed<'a>,
    /// The policies whose wish for an approval is met.
    pub(super) approved: &'a [String],
}

/// The plan that was reviewed before.
pub(super) enum Reviewed<'a> {
    /// None was.
    Nothing,
    /// The one with this id.
    Id(&'a str),
    /// One that was saved.
    Saved(Box<SavedPlan>),
}

/// How many calls are under way at once.
const CALLS: usize = 64;
/// How many rollouts are.
const ROLLOUTS: usize = 10;
/// How often instances of a rollout are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many of a failing instance's last lines are shown.
const LAST_LINES: usize = 15;

/// Brings the environment to `desired`. Answers the runtime too, for what a command does afterwards.
pub(super) async fn carry_out(work: Work<'_>) -> Ends<(Exit, Runtime)> {
    let project = work.project;
    let begun = begin(project, work.doing, work.wait).await?;
    let sight = begun.look(project, work.desired).await?;
    let input = sight.input(work.desired, begun.record(), begun.observe());
    let plan = site::plan_of(project, &input)?;
    let plan = match &work.reviewed {
        Reviewed::Saved(saved) => match saved.find_in(plan.made_from(project.digests()), &input) {
            Ok(plan) => plan,
            Err(stale) => {
                out::alert(wharf_report::stale(saved.id(), &stale).trim_end());
                return Ok((Exit::Stale, begun.runtime));
            }
        },
        Reviewed::Nothing | Reviewed::Id(_) => match work.select {
            Some(select) => plan.select(&site::selection(select, work.desired, begun.record())?),
            None => plan,
        },
    };
    let (ask, expected) = match work.reviewed {
        Reviewed::Nothing if work.yes => (Ask::Nobody, None),
        Reviewed::Nothing => (Ask::First, None),
        Reviewed::Id(id) => (Ask::Nobody, Some(id)),
        Reviewed::Saved(_) => (Ask::Nobody, None),
    };
    let consent = Consent {
        doing: work.doing,
        desired: work.desired,
        ask,
        expected,
        approved: work.approved,
        view: Some(work.view),
    };
    finish(project, begun, &plan, consent).await
}

/// An environment that nobody else can change now, with its record brought up to date.
pub(super) struct Begun {
    runtime: Runtime,
    platform: Arc<dyn Execute>,
    writer: Writer,
    by: Author,
    recovered: Recovered,
}

impl Begun {
    /// What is recorded.
    pub(super) fn record(&self) -> &Record {
        &self.recovered.record
    }

    /// The runtime, as far as it can be looked at.
    pub(super) fn observe(&self) -> &dyn Observe {
        &*self.platform
    }

    /// The reading half of the record.
    pub(super) fn reader(&self) -> &Reader {
        self.writer.reader()
    }

    /// Writes down something that is no call, and commits it.
    pub(super) fn note(mut self, project: &Project, doing: &str, effect: Effect) -> Ends<u64> {
        let made = Made { at: site::now(), doing: doing.to_owned(), by: site::author(project), plan: None };
        Ok(note(&mut self.writer, self.recovered.record, effect, made)?)
    }

    /// Looks once at what `desired` needs.
    pub(super) async fn look(&self, project: &Project, desired: &Deployment) -> Ends<Sight> {
        site::look(project, desired, self.reader().key()?.as_ref(), &*self.platform).await
    }
}

/// Takes the lock, waiting for another holder as long as `wait` says, and finds out what became of an earlier apply.
pub(super) async fn begin(project: &Project, doing: &str, wait: Duration) -> Ends<Begun> {
    let runtime = site::provider(project)?;
    let platform = runtime.execute();
    let mut writer = site::lock(project, doing, wait)?;
    let by = site::author(project);
    let recovered = recover(&*platform, &mut writer, &by, site::now()).await?;
    tell_recovered(&recovered);
    Ok(Begun { runtime, platform, writer, by, recovered })
}

/// Shows a plan, asks, carries it out, and says how it ended.
pub(super) async fn finish(
    project: &Project,
    begun: Begun,
    plan: &Plan,
    consent: Consent<'_>,
) -> Ends<(Exit, Runtime)> {
    let Begun { runtime, platform, mut writer, by, recovered } = begun;
    out::note(wharf_report::terminal(plan, None, Layout { width: out::width() }).trim_end());
    if plan.is_empty() {
        let waits = plan.notices().iter().any(|notice| matches!(notice, Notice::Resting { .. }));
        return Ok((if waits { Exit::Paused } else { Exit::Done }, runtime));
    }
    if let Some(exit) = consent.objection(plan)? {
        return Ok((exit, runtime));
    }
    let Consent { doing, desired, view, .. } = consent;
    let settings = Settings {
        secrets: site::share(&project.secrets),
        by,
        doing: doing.to_owned(),
        started: site::now(),
        calls: CALLS,
        rollouts: ROLLOUTS,
        look_every: LOOK_EVERY,
    };
    let cancel = Cancel::default();
    let watch = tokio::spawn(watch_signals(cancel.clone()));
    let (events, told) = mpsc::unbounded_channel();
    let mut stream = progress::Stream::open(
        view.and_then(|view| view.events.as_deref()),
        view.is_some_and(|view| view.format == Format::Json),
    )?;
    let id = plan.id();
    let head = Head {
        project: &project.deployment.project,
        environment: &project.deployment.environment,
        doing,
        by: &settings.by,
        plan: &id,
        steps: plan.operations().len(),
    };
    stream.begin(&head);
    let newest = writer.reader().serials()?.last().copied().unwrap_or(0);
    // The board is only a view: where history cannot be read, it goes without.
    let history = writer.reader().operations(newest.saturating_sub(progress::EXAMPLES)).unwrap_or_default();
    let foresight = progress::Foresight::of(plan, &history);
    let follower = tokio::spawn(progress::follow(told, stream, foresight));
    let began = tokio::time::Instant::now();
    let applied = apply(plan, recovered, platform, &mut writer, &settings, &cancel, events).await;
    watch.abort();
    // The view ends with the events; one that failed has nothing more to show.
    let stream = follower.await.ok();
    let Applied { summary, serial, .. } = applied?;
    let addresses = addresses(desired);
    let tail = Tail { summary: &summary, commit: serial, took: began.elapsed(), addresses: &addresses };
    if let Some(mut stream) = stream {
        stream.end(&tail);
    }
    tell_summary(&summary, serial, tail.took);
    let ending = wharf_report::ending(plan, &summary.done, out::width());
    if !ending.is_empty() {
        out::note(ending.trim_end());
    }
    tell_others(project, &head, &tail).await;
    Ok((summary.ended().into(), runtime))
}

/// Tells those whom the project names how it ended.
async fn tell_others(project: &Project, head: &Head<'_>, tail: &Tail<'_>) {
    let ended = match tail.summary.ended() {
        Ended::Done => NotifyOn::Done,
        Ended::Paused => NotifyOn::Paused,
        Ended::Interrupted => NotifyOn::Interrupted,
        Ended::RolledBack => NotifyOn::RolledBack,
        Ended::Failed => NotifyOn::Failed,
        Ended::Halted => NotifyOn::Halted,
    };
    for Told { name, problem } in notify(project, ended, &print_summary(head, tail, site::now())).await {
        match problem {
            None => out::note(dim(format!("{name} was told"))),
            Some(problem) => {
                out::alert(format!("{} {name} could not be told how this ended: {problem}", warn("note:")))
            }
        }
    }
}

/// Where the services of a project can be called, once they are there.
fn addresses(desired: &Deployment) -> Vec<String> {
    let of = |(name, spec): (&wharf_model::ServiceName, &wharf_model::ServiceSpec)| {
        let gateways = spec.exposes.keys().filter_map(|gateway| desired.gateways.get(gateway));
        let url = |gateway: &wharf_model::GatewaySpec| {
            let address = std::net::SocketAddr::new(gateway.address, gateway.port);
            format!("http://{address}{}/", Deployment::path_of(name, spec))
        };
        gateways.map(url).collect::<Vec<_>>()
    };
    desired.services.iter().flat_map(of).collect()
}

fn tell_recovered(recovered: &Recovered) {
    if recovered.unfinished {
        out::note(format!("{} an earlier apply did not finish; its record was brought up to date", warn("note:")));
    }
    for (intent, made) in &recovered.resolved {
        let what = if *made { "was made" } else { "was not made" };
        out::note(format!("  {} {what}", intent.operation));
    }
    for (intent, why) in &recovered.unknown {
        out::alert(format!("{} nobody can tell what became of `{}`: {why}", warn("note:"), intent.operation));
    }
}

/// The first SIGINT or SIGTERM asks the apply to stop, the second ends the process: the journal makes that safe. A
/// terminal that goes away is no reason to stop.
async fn watch_signals(cancel: Cancel) {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else { return };
    let mut asked = false;
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => continue,
        }
        if asked {
            out::alert("Stopped at once; the next apply finds out what was done.");
            #[expect(clippy::exit, reason = "the user asked twice, and what runs must not be waited for")]
            std::process::exit(Exit::Interrupted as i32);
        }
        asked = true;
        cancel.ask();
    }
}

fn tell_summary(summary: &Summary, serial: Option<u64>, took: Duration) {
    for (address, failed) in &summary.failed {
        match failed {
            Failed::Call { error, help } => {
                out::alert(format!("{} {address}: {error}", bad("✗")));
                if let Some(help) = help {
                    out::alert(format!("  {} {help}", dim("help:")));
                }
            }
            Failed::Unknown { operation, why } => {
                out::alert(format!(
                    "{} {address} was left alone: nobody can tell what became of `{operation}`: {why}",
                    bad("✗")
                ));
                out::alert(format!("  {} `wharf recover --explain` shows what was asked and answered", dim("help:")));
            }
            Failed::RolledBack(failure) => {
                out::alert(format!("{} {address} was rolled back: {failure}", bad("✗")));
                tell_failure(failure);
            }
            Failed::Halted(failure) => {
                out::alert(format!("{} {address} was halted: {failure}", bad("✗")));
                tell_failure(failure);
            }
        }
    }
    for (service, rollout) in &summary.resting {
        let RecordedRollout { to, passed, steps, rest, .. } = rollout;
        let why = match rest {
            Some(Rest::Partition) => "the others stay as they are".to_owned(),
            Some(Rest::Pause) => format!("behind step {passed} of {steps}"),
            Some(Rest::Asked) | None => "as somebody asked".to_owned(),
        };
        out::alert(format!("{} service.{service} waits on its way to {to}: {why}", warn("‖")));
        out::alert(format!(
            "  {} `wharf rollout resume {service}` goes on, `wharf rollout abort {service}` goes back",
            dim("help:")
        ));
    }
    for (address, skipped) in &summary.skipped {
        let why = match skipped {
            Skipped::Needs(other) => format!("it needs {other}, which failed"),
            Skipped::Waits(other) => format!("it needs {other}, whose rollout waits"),
            Skipped::Stopped => "you asked to stop".to_owned(),
        };
        out::alert(format!("{} {address} was skipped: {why}", warn("-")));
    }
    let tail = dim(serial.map_or("not committed: the journal has it".to_owned(), |serial| format!("commit {serial}")));
    let took = duration(took);
    match summary.ended() {
        Ended::Done => out::note(format!("{} in {took}.   {tail}", good("Done"))),
        Ended::Paused => out::alert(format!("{} after {took}; what stands serves on.   {tail}", warn("Paused"))),
        Ended::Interrupted => out::alert(format!("{} after {took}; apply again to go on.   {tail}", warn("Stopped"))),
        Ended::RolledBack => {
            out::alert(format!("{} in {took}; what served before serves on.   {tail}", bad("Rolled back")))
        }
        Ended::Failed => out::alert(format!("{} after {took}.   {tail}", bad("Failed"))),
        Ended::Halted => {
            out::alert(format!("{} after {took}; correct the cause and apply again.   {tail}", bad("Halted")))
        }
    }
}

fn tell_failure(failure: &Failure) {
    match (failure, failure.answer()) {
        (_, Some(answer)) => out::alert(format!("  {} {answer}", dim("its probe heard last:"))),
        (Failure::Ended { .. }, None) => {
            out::alert(format!("  {} the process ended before it was asked", dim("its probe heard nothing:")));
        }
        _ => {}
    }
    let lines = failure.last_lines();
    if let (Some(instance), false) = (failure.instance(), lines.is_empty()) {
        out::alert(format!("  {}", dim(format!("the last lines of {instance}:"))));
        for line in lines.iter().skip(lines.len().saturating_sub(LAST_LINES)) {
            out::alert(format!("  {} {}", bad("│"), wharf_report::tame(line)));
        }
    }
}
