//! Probes.

use super::{Decode, plain};
use crate::{
    block::Block,
    problem::{Code, Problem},
};
use std::{sync::Arc, time::Duration};
use wharf_model::{Address, Check, Field, FieldPath, Probe, print_duration};

impl Decode<'_> {
    /// The readiness probe of a service; none is worth a warning.
    pub(super) fn readiness(&mut self, service: &Block, address: &Address) -> Option<Probe> {
        let Some(block) = service.child("health").and_then(|health| health.child("readiness")) else {
            let message = format!("{} says nothing about when it is ready", service.title());
            let problem = Problem::warning(Code::NoReadiness, message).at(service.title_at(), "no readiness probe");
            let help = "add `health { readiness { http \"/health\" } }`; until then, an open port counts";
            self.report(problem.help(help.to_owned()));
            return None;
        };
        self.note(address, FieldPath::of(Field::Readiness), block.at);
        self.probe(block)
    }

    fn probe(&mut self, block: &Block) -> Option<Probe> {
        let check = match block.child("http") {
            Some(http) => http.argument::<Arc<str>>(0).map(|path| Check::Http { path: path.value }),
            None => block.child("tcp").map(|_| Check::Tcp),
        };
        let every = block.value::<Duration>("every");
        let timeout = block.value::<Duration>("timeout");
        let (failures, successes) = (plain(block, "failures"), plain(block, "successes"));
        let (every, timeout) = (every?, timeout?);
        if timeout.value > every.value && timeout.at.is_some() {
            let message = format!("`timeout` is longer than the {} between two checks", print_duration(every.value));
            let problem = Problem::warning(Code::SlowProbe, message).at(timeout.at, "longer than `every`");
            self.report(
                problem
                    .and(every.at, "checked so often")
                    .help("the next check waits for the answer of the one before, so checks may come late".to_owned()),
            );
        }
        let (every, timeout) = (every.value, timeout.value);
        Some(Probe { check: check?, every, timeout, failures: failures?, successes: successes? })
    }
}
