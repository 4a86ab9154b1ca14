//! Applies from one project to another, in fair weather and with one thing gone wrong.

use crate::site::{Site, deployment, names, service};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc};
use wharf_apply::{Cancel, Ended, Event, Failed};
use wharf_model::{ContentDigest, Deployment, FolderPath, SourceRef};
use wharf_plan::What;
use wharf_provider::{Fault, Faulty};

#[tokio::test(start_paused = true)]
async fn the_first_apply_makes_everything_and_the_next_nothing() {
    let site = Site::new();
    let desired = deployment(&[("hello", service(&[], 2)), ("other", service(&[("A", "b")], 1))]);
    site.settle(&desired).await;
    assert_eq!(names(&site), ["hello-0-g1", "hello-1-g1", "other-0-g1"]);
    assert!(site.memory.live().values().all(|(_, routes)| routes == &["public"]));
}

#[tokio::test(start_paused = true)]
async fn a_changed_variable_rolls_and_the_slots_keep_their_numbers() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[("LOG", "info")], 2))])).await;
    let desired = deployment(&[("hello", service(&[("LOG", "debug")], 2))]);
    let plan = site.plan(&desired).await;
    let [change] = plan.changes() else { panic!("{:?}", plan.changes()) };
    assert_eq!((change.address.to_string().as_str(), change.what.action()), ("service.hello", "roll"));
    site.settle(&desired).await;
    assert_eq!(names(&site), ["hello-0-g2", "hello-1-g2"]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_folder_is_a_new_revision_and_the_old_content_goes_in_time() {
    let site = Site::new();
    let desired = deployment(&[("hello", service(&[], 1))]);
    site.settle(&desired).await;
    for round in 0_u8..6 {
        let source = SourceRef::Folder(FolderPath("./app".into()));
        site.memory.change_source(source, ContentDigest::of([[round].as_slice()]));
        let plan = site.plan(&desired).await;
        let told: Vec<_> =
            plan.changes().iter().map(|change| format!("{} {}", change.what.action(), change.address)).collect();
        assert!(told.contains(&"roll service.hello".to_owned()), "{told:?}");
        assert!(told.contains(&"update mount.hello:/mnt/data".to_owned()), "{told:?}");
        site.settle(&desired).await;
    }
    let kept = site.reader().read().unwrap().record.contents.len();
    assert!(kept <= 5, "{kept} contents are kept");
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_crashes_is_rolled_back_and_costs_nothing() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    let before = names(&site);
    let bad = deployment(&[("hello", service(&[("MEMORY_CRASH", "1")], 2))]);
    let summary = site.apply(&bad).await;
    assert_eq!(summary.ended(), Ended::RolledBack);
    let [(_, Failed::RolledBack(failure))] = summary.failed.as_slice() else { panic!("{summary:?}") };
    assert_eq!(failure.last_lines(), ["it went wrong"]);
    assert_eq!(names(&site), before);
    let again = site.plan(&bad).await;
    assert!(again.changes().iter().any(|change| matches!(change.what, What::Roll { .. })));
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    assert_eq!(names(&site), before);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_is_never_ready_is_rolled_back_after_the_deadline() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    let began = tokio::time::Instant::now();
    let summary = site.apply(&deployment(&[("hello", service(&[("MEMORY_NEVER_READY", "1")], 2))])).await;
    assert_eq!(summary.ended(), Ended::RolledBack);
    assert!((60..70).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_first_revision_that_crashes_halts() {
    let site = Site::new();
    let summary = site.apply(&deployment(&[("hello", service(&[("MEMORY_CRASH", "1")], 2))])).await;
    assert_eq!(summary.ended(), Ended::Halted);
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    assert_eq!(site.shape().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_killed_instance_is_replaced_and_the_others_are_left_alone() {
    let site = Site::new();
    let desired = deployment(&[("hello", service(&[], 3))]);
    site.settle(&desired).await;
    site.memory.kill(&"hello-1-g1".parse().unwrap());
    let plan = site.plan(&desired).await;
    let told: Vec<_> =
        plan.changes().iter().map(|change| format!("{} {}", change.what.action(), change.address)).collect();
    assert_eq!(told, ["replace instance.hello[1]"]);
    site.settle(&desired).await;
    assert_eq!(names(&site), ["hello-0-g1", "hello-1-g2", "hello-2-g1"]);
}

#[tokio::test(start_paused = true)]
async fn scaling_starts_and_stops_and_replaces_nothing() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[], 1))])).await;
    site.settle(&deployment(&[("hello", service(&[], 4))])).await;
    assert_eq!(names(&site), ["hello-0-g1", "hello-1-g1", "hello-2-g1", "hello-3-g1"]);
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    assert_eq!(names(&site), ["hello-0-g1", "hello-1-g1"]);
    site.settle(&deployment(&[("hello", service(&[], 0))])).await;
    assert_eq!(names(&site), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_changes_in_place() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[], 2))])).await;
    let mut spec = service(&[], 2);
    spec.timeout = Duration::from_secs(60);
    spec.rollout.deadline = Duration::from_secs(30);
    let desired = deployment(&[("hello", spec)]);
    let actions: BTreeSet<_> = site.plan(&desired).await.changes().iter().map(|change| change.what.action()).collect();
    assert_eq!(actions, BTreeSet::from(["update"]));
    site.settle(&desired).await;
    assert_eq!(names(&site), ["hello-0-g1", "hello-1-g1"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_declared_any_more_goes() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[], 2)), ("other", service(&[], 1))])).await;
    site.settle(&deployment(&[("other", service(&[], 1))])).await;
    assert_eq!(names(&site), ["other-0-g1"]);
    site.settle(&deployment(&[])).await;
    assert!(site.memory.is_empty());
    assert!(site.reader().read().unwrap().record.is_empty());
}

/// The promise about `kill -9`: die at every call, before and after it takes effect, come back, and end where an
/// undisturbed run ends.
async fn dying_anywhere_loses_nothing(before: &Deployment, after: &Deployment) {
    let calm = Site::new();
    calm.settle(before).await;
    calm.settle(after).await;
    for fault in [Fault::DiesBefore, Fault::DiesAfter] {
        for at in 0.. {
            let site = Site::new();
            site.settle(before).await;
            let death = Arc::new(Notify::new());
            let faulty = Arc::new(Faulty::new(site.memory.clone(), at, fault, death.clone()));
            let (events, _) = mpsc::unbounded_channel();
            let cancel = Cancel::default();
            let died = tokio::select! {
                _ = site.apply_with(after, faulty, &cancel, events) => false,
                () = death.notified() => true,
            };
            if !died {
                break;
            }
            site.settle(after).await;
            assert_eq!(site.shape(), calm.shape(), "died at call {at}, {fault:?}");
            let record = site.reader().read().unwrap().record;
            let recorded: BTreeSet<_> = record
                .services
                .values()
                .flat_map(|service| service.instances.keys().map(ToString::to_string))
                .collect();
            assert_eq!(recorded, site.memory.live().into_keys().collect(), "died at call {at}, {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dying_during_a_first_apply_loses_nothing() {
    dying_anywhere_loses_nothing(&deployment(&[]), &deployment(&[("hello", service(&[], 2))])).await;
}

#[tokio::test(start_paused = true)]
async fn dying_during_a_roll_loses_nothing() {
    let with = |level| deployment(&[("hello", service(&[("LOG", level)], 3))]);
    dying_anywhere_loses_nothing(&with("info"), &with("debug")).await;
}

#[tokio::test(start_paused = true)]
async fn dying_during_a_change_of_everything_loses_nothing() {
    let before = deployment(&[("hello", service(&[("LOG", "info")], 3)), ("old", service(&[], 1))]);
    let after = deployment(&[("hello", service(&[("LOG", "debug")], 1)), ("new", service(&[], 2))]);
    dying_anywhere_loses_nothing(&before, &after).await;
}

#[tokio::test(start_paused = true)]
async fn dying_during_a_destroy_loses_nothing() {
    dying_anywhere_loses_nothing(&deployment(&[("hello", service(&[], 2))]), &deployment(&[])).await;
}

#[tokio::test(start_paused = true)]
async fn one_call_that_finds_nobody_is_made_again() {
    let desired = deployment(&[("hello", service(&[], 2))]);
    for at in 0..8 {
        let site = Site::new();
        let faulty = Faulty::new(site.memory.clone(), at, Fault::Unreachable, Arc::default());
        let (events, _) = mpsc::unbounded_channel();
        let summary = site.apply_with(&desired, Arc::new(faulty), &Cancel::default(), events).await;
        assert_eq!(summary.ended(), Ended::Done, "call {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_takes_along_what_needs_it_and_nothing_else() {
    let desired = deployment(&[("hello", service(&[], 1)), ("other", service(&[("A", "b")], 1))]);
    let site = Site::new();
    let mut apart = desired.clone();
    // Contents of their own, so that a refused preparation concerns one service only.
    let other = apart.services.get_mut(&"other".parse().unwrap()).unwrap();
    other.template.packages.clear();
    other.template.mounts.clear();
    let (events, mut told) = mpsc::unbounded_channel();
    let faulty = Arc::new(Faulty::new(site.memory.clone(), 0, Fault::Rejected, Arc::default()));
    let summary = site.apply_with(&apart, faulty, &Cancel::default(), events).await;
    assert_eq!(summary.ended(), Ended::Failed, "{summary:?}");
    let mut first = None;
    while let Ok(event) = told.try_recv() {
        if let (Event::Settled { address, error: Some(_), .. }, None) = (event, &first) {
            first = Some(address);
        }
    }
    let failed: Vec<_> = summary.failed.iter().map(|(address, _)| address.clone()).collect();
    assert_eq!(failed, [first.unwrap()]);
    assert!(!summary.skipped.is_empty());
    site.settle(&apart).await;
}

#[tokio::test(start_paused = true)]
async fn asked_to_stop_it_finishes_what_runs_and_the_next_apply_goes_on() {
    let site = Site::new();
    site.settle(&deployment(&[("hello", service(&[("LOG", "info")], 4))])).await;
    let desired = deployment(&[("hello", service(&[("LOG", "debug")], 4))]);
    let (events, mut told) = mpsc::unbounded_channel();
    let cancel = Cancel::default();
    let run = site.apply_with(&desired, site.memory.clone(), &cancel, events);
    let watch = async {
        while let Some(event) = told.recv().await {
            if matches!(&event, Event::Settled { object, .. } if object == "hello-1-g2") {
                cancel.ask();
                cancel.ask();
            }
        }
    };
    let (summary, ()) = tokio::join!(run, watch);
    assert_eq!(summary.ended(), Ended::Interrupted);
    assert!(!site.reader().read().unwrap().has_journal, "what was done is committed");
    site.settle(&desired).await;
    let revisions: BTreeSet<_> = site.memory.live().values().map(|(revision, _)| *revision).collect();
    assert_eq!((revisions.len(), site.shape().len()), (1, 4));
}
