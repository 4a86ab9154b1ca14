//! The live board: a line for every call that takes its time, and one for every service on the move.

use super::plain::named;
use crate::out;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::mpsc::UnboundedReceiver;
use wharf_apply::Event;
use wharf_model::{Address, OperationId, ServiceName};
use wharf_plan::rollout::Tally;
use wharf_report::{bad, bold, dim, duration, good, warn};

/// How often spinners turn.
const TURN: Duration = Duration::from_millis(100);

struct Board {
    bars: MultiProgress,
    calls: BTreeMap<OperationId, ProgressBar>,
    by_address: BTreeMap<Address, OperationId>,
    services: BTreeMap<ServiceName, ProgressBar>,
}

pub(super) async fn follow(mut events: UnboundedReceiver<Event>) {
    let mut board = Board {
        bars: MultiProgress::new(),
        calls: BTreeMap::new(),
        by_address: BTreeMap::new(),
        services: BTreeMap::new(),
    };
    while let Some(event) = events.recv().await {
        board.show(event);
    }
    board.services.values().chain(board.calls.values()).for_each(ProgressBar::finish_and_clear);
}

impl Board {
    fn line(&self) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed:.dim}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(TURN);
        bar
    }

    /// Prints a line above the board.
    fn print(&self, line: String) {
        self.bars.suspend(|| out::note(line));
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Began { operation, address, verb, object } => {
                let bar = self.line();
                bar.set_message(format!("{verb} {}", named(&address, &object)));
                self.by_address.insert(address, operation.clone());
                self.calls.insert(operation, bar);
            }
            Event::Says { address, words } => {
                let bar = self.by_address.get(&address).and_then(|operation| self.calls.get(operation));
                if let Some(bar) = bar {
                    bar.set_message(format!("{address} {}", dim(words)));
                }
            }
            Event::Settled { operation, address, verb, object, took, error } => {
                if let Some(bar) = self.calls.remove(&operation) {
                    bar.finish_and_clear();
                }
                let name = named(&address, &object);
                self.print(match error {
                    None => format!("{} {verb} {name} {}", good("✓"), dim(duration(took))),
                    Some((error, _)) => format!("{} {verb} {name}: {error}", bad("✗")),
                });
            }
            Event::Again { address, error, after } => {
                let bar = self.by_address.get(&address).and_then(|operation| self.calls.get(operation));
                if let Some(bar) = bar {
                    bar.set_message(format!(
                        "{address} {}",
                        warn(format!("{error}; trying again in {}", duration(after)))
                    ));
                }
            }
            Event::Rollout { service, tally, count, waits } => self.rollout(service, tally, count, &waits),
            Event::TurnedBack { service, failure } => {
                self.print(format!("{} {service}: {failure}; {}", bad("✗"), bold("going back")));
            }
            Event::Asked { service, wish, by, taken } => {
                let what = if taken { "" } else { ", which makes no difference now" };
                self.print(format!("  {service}: {by} asks to {wish}{what}"));
            }
            Event::Blind { error } => self.print(format!("{} cannot look: {error}; trying again", warn("!"))),
            Event::Stopping => self.print(warn("Stopping: nothing new is begun. Once more stops at once.")),
        }
    }

    fn rollout(&mut self, service: ServiceName, tally: Tally, count: u32, waits: &[String]) {
        let Tally { ready, coming, old, draining } = tally;
        let mut parts = vec![good(format!("{ready}/{count} ready"))];
        let rest = [(coming, "coming"), (old, "old"), (draining, "draining")];
        parts.extend(rest.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")));
        if let Some(wait) = waits.first() {
            parts.push(dim(wait));
        }
        let message = format!("{}  {}", bold(&service), parts.join(" · "));
        if ready == count && coming + old + draining == 0 {
            if let Some(bar) = self.services.remove(&service) {
                bar.finish_and_clear();
            }
            return;
        }
        if !self.services.contains_key(&service) {
            let bar = self.line();
            self.services.insert(service.clone(), bar);
        }
        if let Some(bar) = self.services.get(&service) {
            bar.set_message(message);
        }
    }
}
