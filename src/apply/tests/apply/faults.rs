//! Every fault on every call: what a call came to is found out, and what was not touched by it goes on.

use crate::site::{Site, deployment, service};
use async_trait::async_trait;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc};
use wharf_apply::{Cancel, Ended, Event, Failed, Skipped, Summary};
use wharf_model::{Capabilities, Deployment, Intent, Observed, Operation, Outcome, ServiceName};
use wharf_provider::{
    Execute, Fault, Faulty, LogCursor, LogLine, MemoryProvider, Observe, OpContext, ProviderError, Resolution, Scope,
};

async fn apply_with(site: &Site, desired: &Deployment, faulty: Faulty<MemoryProvider>) -> (Summary, Vec<Event>) {
    let (events, mut told) = mpsc::unbounded_channel();
    let summary = site.apply_with(desired, Arc::new(faulty), &Cancel::default(), events).await;
    let mut all = Vec::new();
    while let Ok(event) = told.try_recv() {
        all.push(event);
    }
    (summary, all)
}

/// Everything that lives is recorded, and everything recorded lives.
fn assert_nothing_unrecorded(site: &Site, note: &str) {
    let record = site.reader().read().unwrap().record;
    let instances = record.services.values().flat_map(|service| service.instances.keys().map(ToString::to_string));
    let recorded: BTreeSet<_> = instances.collect();
    assert_eq!(recorded, site.memory.live().into_keys().collect(), "{note}");
}

/// The fault on each call of a roll in turn, then fair weather.
async fn on_every_call(fault: Fault, expected: impl Fn(&Summary) -> bool) {
    let with = |level| deployment(&[("hello", service(&[("LOG", level)], 2))]);
    let calm = Site::new();
    calm.settle(&with("info")).await;
    calm.settle(&with("debug")).await;
    for at in 0.. {
        let site = Site::new();
        site.settle(&with("info")).await;
        let faulty = Faulty::new(site.memory.clone(), at, fault, Arc::default());
        let (summary, _) = apply_with(&site, &with("debug"), faulty).await;
        let note = format!("{fault:?} at call {at}");
        assert!(expected(&summary), "{note}: {summary:#?}");
        assert_nothing_unrecorded(&site, &note);
        site.settle(&with("debug")).await;
        assert_eq!(site.shape(), calm.shape(), "{note}");
        assert_nothing_unrecorded(&site, &note);
        if at > 20 {
            return;
        }
    }
}

fn done(summary: &Summary) -> bool {
    summary.ended() == Ended::Done
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_a_call_done_twice_and_a_part_of_one_cost_nothing() {
    for fault in [Fault::ReplyLost, Fault::Twice, Fault::Partial, Fault::Unreachable, Fault::Stale] {
        on_every_call(fault, done).await;
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_and_slowness_cost_only_time() {
    for fault in [
        Fault::Throttled { retry_after: None },
        Fault::Throttled { retry_after: Some(Duration::from_secs(30)) },
        Fault::Slow(Duration::from_secs(40)),
    ] {
        on_every_call(fault, done).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_given_up_and_asked_after() {
    on_every_call(Fault::Hangs, |summary| {
        matches!(summary.ended(), Ended::Done | Ended::RolledBack | Ended::Failed | Ended::Halted)
    })
    .await;
}

/// A refusal is final: it fails what was asked for, and nothing that stands.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_fails_its_change_and_loses_nothing() {
    on_every_call(Fault::Rejected, |summary| {
        matches!(summary.ended(), Ended::Done | Ended::RolledBack | Ended::Failed | Ended::Halted)
    })
    .await;
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[("LOG", "info")], 2))])).await;
    let faulty = Faulty::new(site.memory.clone(), 0, Fault::Rejected, Arc::default());
    let (summary, told) = apply_with(&site, &deployment(&[("hello", service(&[("LOG", "debug")], 2))]), faulty).await;
    assert_ne!(summary.ended(), Ended::Done, "{summary:#?}");
    assert!(!told.iter().any(|event| matches!(event, Event::Again { .. })), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn the_servers_own_hint_is_heeded() {
    let site = Site::new();
    let fault = Fault::Throttled { retry_after: Some(Duration::from_secs(77)) };
    let faulty = Faulty::new(site.memory.clone(), 0, fault, Arc::default());
    let began = tokio::time::Instant::now();
    let (summary, told) = apply_with(&site, &deployment(&[("hello", service(&[], 1))]), faulty).await;
    assert!(done(&summary) && began.elapsed() >= Duration::from_secs(77), "{:?}", began.elapsed());
    let pauses: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::Again { after, .. } => Some(*after),
            _ => None,
        })
        .collect();
    assert_eq!(pauses, [Duration::from_secs(77)]);
}

#[tokio::test(start_paused = true)]
async fn somebody_who_is_never_there_is_given_up_and_the_rest_goes_on() {
    let site = Site::new();
    let desired = deployment(&[("hello", service(&[], 1)), ("other", service(&[("A", "b")], 1))]);
    let script = Box::new(|_, operation: &Operation| {
        operation.address.to_string().contains("route.public/hello").then_some(Fault::Unreachable)
    });
    let (summary, _) = apply_with(&site, &desired, Faulty::scripted(site.memory.clone(), script)).await;
    let [(failed, Failed::Call { error, .. })] = summary.failed.as_slice() else { panic!("{summary:#?}") };
    assert_eq!(failed.to_string(), "route.public/hello");
    assert!(error.contains("nobody answers"), "{error}");
    let skipped: Vec<_> = summary.skipped.iter().map(|(address, why)| (address.to_string(), why.clone())).collect();
    assert_eq!(skipped, [("service.hello".to_owned(), Skipped::Needs(failed.clone()))]);
    assert_eq!(site.shape().len(), 1, "the other service is there");
    site.settle(&desired).await;
}

/// A platform that does its work, and cannot say what became of a call.
struct Mute(Arc<MemoryProvider>);

#[async_trait]
impl Observe for Mute {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observed, ProviderError> {
        self.0.observe(scope).await
    }

    async fn logs(
        &self,
        services: &BTreeSet<ServiceName>,
        cursor: &mut LogCursor,
        limit: usize,
    ) -> Result<Vec<LogLine>, ProviderError> {
        self.0.logs(services, cursor, limit).await
    }
}

#[async_trait]
impl Execute for Mute {
    async fn execute(&self, operation: &Operation, cx: &OpContext) -> Result<Outcome, ProviderError> {
        self.0.execute(operation, cx).await
    }

    async fn resolve(&self, _intent: &Intent) -> Result<Resolution, ProviderError> {
        Ok(Resolution::CannotTell("it has lost its memory".to_owned()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_of_which_nobody_can_tell_holds_back_what_touches_the_same_and_nothing_else() {
    let site = Site::new();
    let first = deployment(&[("hello", service(&[], 1))]);
    let desired = deployment(&[("hello", service(&[], 1)), ("other", service(&[("A", "b")], 1))]);
    let death = Arc::new(Notify::new());
    let dying = death.clone();
    let script = Box::new(move |_, operation: &Operation| {
        operation.address.to_string().contains("instance.hello[0]").then_some(Fault::DiesAfter)
    });
    let faulty = Faulty::scripted(site.memory.clone(), script).telling(dying);
    let ((events, _), cancel) = (mpsc::unbounded_channel(), Cancel::default());
    tokio::select! {
        _ = site.apply_with(&first, Arc::new(faulty), &cancel, events) => panic!("it lived"),
        () = death.notified() => {}
    }
    let before = site.reader().read().unwrap();
    assert_eq!(before.unresolved.iter().filter(|open| open.object == "hello-0-g1").count(), 1);

    // Twice, as somebody would who does not believe it.
    for _ in 0..2 {
        let (events, _) = mpsc::unbounded_channel();
        let mute = Arc::new(Mute(site.memory.clone()));
        let summary = site.apply_with(&desired, mute, &Cancel::default(), events).await;
        let held: Vec<_> = summary.failed.iter().filter(|(_, why)| matches!(why, Failed::Unknown { .. })).collect();
        assert!(
            !held.is_empty() && held.iter().all(|(address, _)| !address.to_string().contains("other")),
            "{summary:#?}"
        );
        let standing = site.reader().read().unwrap();
        assert_eq!(standing.serial, 0, "there is no commit over an open call");
        assert!(standing.unresolved.iter().any(|open| open.object == "hello-0-g1"));
    }
    assert!(site.shape().iter().any(|(name, _, routes)| name == "other-0" && routes.len() == 1), "{:?}", site.shape());
    site.settle(&desired).await;
    assert_nothing_unrecorded(&site, "in the end");
    assert!(site.reader().read().unwrap().unresolved.is_empty());
}
