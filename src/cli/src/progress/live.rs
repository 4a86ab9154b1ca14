//! The live board: a line for every service on the move, with its instances, its step and its time, and one for every
//! other call that takes its time.

use super::{expect::Foresight, plain::named, row::Row};
use crate::out;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::mpsc::UnboundedReceiver;
use wharf_apply::Event;
use wharf_model::{Address, OperationId, ServiceName};
use wharf_report::{bad, bold, dim, duration, good, warn};

/// How often spinners turn.
const TURN: Duration = Duration::from_millis(100);

struct Board {
    foresight: Foresight,
    bars: MultiProgress,
    calls: BTreeMap<OperationId, ProgressBar>,
    by_address: BTreeMap<Address, OperationId>,
    /// Each with its line, as long as it is on the move.
    services: BTreeMap<ServiceName, (Row, Option<ProgressBar>)>,
}

pub(super) async fn follow(mut events: UnboundedReceiver<Event>, foresight: Foresight) {
    let mut board = Board {
        foresight,
        bars: MultiProgress::new(),
        calls: BTreeMap::new(),
        by_address: BTreeMap::new(),
        services: BTreeMap::new(),
    };
    while let Some(event) = events.recv().await {
        board.show(event);
    }
    let services = board.services.values().filter_map(|(_, bar)| bar.as_ref());
    services.chain(board.calls.values()).for_each(ProgressBar::finish_and_clear);
}

/// A line of the board. Its text is cut to the width of the terminal, whatever that becomes; its time is not.
fn line(bars: &MultiProgress) -> ProgressBar {
    let bar = bars.add(ProgressBar::new_spinner());
    let style = ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed:.dim}{prefix:.dim}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(TURN);
    bar
}

impl Board {
    /// Prints a line above the board.
    fn print(&self, line: String) {
        self.bars.suspend(|| out::note(line));
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Began { operation, address, verb, object } => {
                let doing = format!("{verb} {}", named(&address, &object));
                if let Address::Instance(service, _) = &address {
                    return self.change(service, |row| row.doing = Some(doing));
                }
                let bar = line(&self.bars);
                bar.set_message(out::painted(doing));
                self.by_address.insert(address, operation.clone());
                self.calls.insert(operation, bar);
            }
            Event::Says { address, words } => self.say(&address, &dim(words)),
            Event::Settled { operation, address, verb, object, took, error } => {
                if let Some(bar) = self.calls.remove(&operation) {
                    bar.finish_and_clear();
                }
                if let Address::Instance(service, _) = &address {
                    let made = usize::from(error.is_none());
                    self.change(service, |row| (row.made, row.doing) = (row.made + made, None));
                }
                let name = named(&address, &object);
                self.print(match error {
                    None => format!("{} {verb} {name} {}", good("✓"), dim(duration(took))),
                    Some((error, _)) => format!("{} {verb} {name}: {error}", bad("✗")),
                });
            }
            Event::Again { address, error, after } => {
                self.say(&address, &warn(format!("{error}; trying again in {}", duration(after))));
            }
            Event::Rollout { service, tally, count, waits } => {
                let wait = waits.into_iter().next();
                self.change(&service, |row| (row.stands, row.waits) = (Some((tally, count)), wait));
            }
            Event::TurnedBack { service, failure } => {
                self.change(&service, |row| row.goes_back = true);
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

    /// Says something of the call that is under way at an address.
    fn say(&mut self, address: &Address, words: &str) {
        if let Address::Instance(service, _) = address {
            return self.change(service, |row| row.doing = Some(words.to_owned()));
        }
        if let Some(bar) = self.by_address.get(address).and_then(|operation| self.calls.get(operation)) {
            bar.set_message(out::painted(format!("{address} {words}")));
        }
    }

    /// Changes the line of a service, which goes while the service is where it is to be.
    fn change(&mut self, service: &ServiceName, change: impl FnOnce(&mut Row)) {
        let ahead = self.foresight.ahead(service);
        let begin = || (Row { ahead, ..Row::default() }, None);
        let (row, place) = self.services.entry(service.clone()).or_insert_with(begin);
        change(row);
        if row.has_arrived() {
            place.take().iter().for_each(ProgressBar::finish_and_clear);
            return;
        }
        let bar = place.get_or_insert_with(|| line(&self.bars));
        bar.set_message(out::painted(row.words(service)));
        bar.set_prefix(row.expected());
    }
}
