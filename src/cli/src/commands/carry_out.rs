//! What `apply` and `destroy` share: lock, recover, look, plan, ask, run, and say how it ended.

use super::{
    consent::{Ask, Consent},
    ending,
};
use crate::{
    arguments::{Select, View},
    exit::Exit,
    fault::Ends,
    out, progress,
    project::Project,
    site::{self, Runtime, Sight},
};
use std::{sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use wharf_apply::{Applied, Cancel, Head, Recovered, Settings, Tail, apply, note, recover};
use wharf_model::{Deployment, Effect, Record};
use wharf_plan::{Notice, Plan, SavedPlan};
use wharf_provider::{Execute, Observe};
use wharf_report::Layout;
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
    ending::tell_recovered(&recovered);
    Ok(Begun { runtime, platform, writer, by, recovered })
}

/// Shows a plan, asks, carries it out, and says how it ended.
pub(super) async fn finish(
    project: &Project,
    begun: Begun,
    plan: &Plan,
    consent: Consent<'_>,
) -> Ends<(Exit, Runtime)> {
    out::note(wharf_report::terminal(plan, None, Layout { width: out::width() }).trim_end());
    if plan.is_empty() {
        let waits = plan.notices().iter().any(|notice| matches!(notice, Notice::Resting { .. }));
        return Ok((if waits { Exit::Paused } else { Exit::Done }, begun.runtime));
    }
    if let Some(exit) = consent.objection(plan)? {
        return Ok((exit, begun.runtime));
    }
    let Begun { runtime, platform, mut writer, by, recovered } = begun;
    let settings = settings(project, by, consent.doing);
    let id = plan.id();
    let head = Head {
        project: &project.deployment.project,
        environment: &project.deployment.environment,
        doing: consent.doing,
        by: &settings.by,
        plan: &id,
        steps: plan.operations().len(),
    };
    let (events, shown) = progress::begin(consent.view, &head, plan, writer.reader())?;
    let cancel = Cancel::default();
    let watch = tokio::spawn(watch_signals(cancel.clone()));
    let began = tokio::time::Instant::now();
    let applied = apply(plan, recovered, platform, &mut writer, &settings, &cancel, events).await;
    watch.abort();
    // The view ends with the events; one that failed has nothing more to show.
    let stream = shown.await.ok();
    let Applied { summary, serial, .. } = applied?;
    let addresses = ending::addresses(consent.desired);
    let tail = Tail { summary: &summary, commit: serial, took: began.elapsed(), addresses: &addresses };
    if let Some(mut stream) = stream {
        stream.end(&tail);
    }
    ending::tell_summary(&tail);
    let places = wharf_report::ending(plan, &summary.done, out::width());
    if !places.is_empty() {
        out::note(places.trim_end());
    }
    ending::tell_others(project, &head, &tail).await;
    Ok((summary.ended().into(), runtime))
}

fn settings(project: &Project, by: Author, doing: &str) -> Settings {
    Settings {
        secrets: site::share(&project.secrets),
        by,
        doing: doing.to_owned(),
        started: site::now(),
        calls: CALLS,
        rollouts: ROLLOUTS,
        look_every: LOOK_EVERY,
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
