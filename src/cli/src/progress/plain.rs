//! A line per event, for logs; in a pipeline each with its time.

use crate::out;
use std::collections::BTreeMap;
use tokio::sync::mpsc::UnboundedReceiver;
use wharf_apply::Event;
use wharf_model::ServiceName;
use wharf_report::duration;

pub(super) async fn follow(mut events: UnboundedReceiver<Event>) {
    // Pipelines say so; elsewhere a time would only be in the way.
    let timed = std::env::var_os("CI").is_some();
    let note = |line: String| {
        if timed {
            out::note(format!("{} {line}", jiff::Timestamp::now().strftime("%H:%M:%SZ")))
        } else {
            out::note(line)
        }
    };
    let mut waits: BTreeMap<ServiceName, Vec<String>> = BTreeMap::new();
    while let Some(event) = events.recv().await {
        match event {
            // What it ends with says it all.
            Event::Began { .. } => {}
            Event::Says { address, words } => note(format!("  {address}: {words}")),
            Event::Settled { address, verb, object, took, error, .. } => match error {
                None => note(format!("✓ {verb} {} ({})", named(&address, &object), duration(took))),
                Some((error, _)) => note(format!("✗ {verb} {}: {error}", named(&address, &object))),
            },
            Event::Again { address, error, after } => {
                note(format!("  {address}: {error}; trying again in {}", duration(after)));
            }
            Event::Rollout { service, waits: now, .. } => {
                let before = waits.insert(service.clone(), now.clone()).unwrap_or_default();
                for wait in now.iter().filter(|wait| !before.contains(wait)) {
                    note(format!("  {service}: {wait}"));
                }
            }
            Event::TurnedBack { service, failure } => note(format!("✗ {service}: {failure}; going back")),
            Event::Asked { service, wish, by, taken } => {
                let what = if taken { "" } else { ", which makes no difference now" };
                note(format!("  {service}: {by} asks to {wish}{what}"));
            }
            Event::Blind { error } => note(format!("  cannot look: {error}; trying again")),
            Event::Stopping => note("Stopping: nothing new is begun. Once more stops at once.".to_owned()),
        }
    }
}

/// The address, and the object where it says more.
pub(super) fn named(address: &wharf_model::Address, object: &str) -> String {
    match address {
        wharf_model::Address::Instance(..) => object.to_owned(),
        address => address.to_string(),
    }
}
