//! Probes.

use super::{Decode, found, plain};
use crate::{
    block::Block,
    problem::{Code, Problem},
    source::Place,
};
use std::{sync::Arc, time::Duration};
use wharf_model::{Address, Check, Field, FieldPath, Probe, Probes, print_duration};

impl Decode<'_> {
    /// The readiness probe of a service; none is worth a warning.
    pub(super) fn readiness(&mut self, service: &Block, address: &Address) -> Option<Probe> {
        let health = service.child("health");
        let Some(block) = health.and_then(|health| health.child("readiness")) else {
            let meant = |block: &Block, name| block.refused.contains(&name);
            // The platform asks its own programs, and nobody asks a program that answers nobody.
            if service.child("processor").is_some()
                || service.child("port").is_none()
                || meant(service, "health")
                || health.is_some_and(|health| meant(health, "readiness"))
            {
                return None;
            }
            let message = format!("{} says nothing about when it is ready", service.title());
            let problem = Problem::warning(Code::NoReadiness, message).at(service.title_at(), "no readiness probe");
            let help = "add `health { readiness { http \"/health\" } }`; until then, an open port counts";
            self.report(problem.help(help.to_owned()));
            return None;
        };
        self.note(address, FieldPath::of(Field::Readiness), block.at);
        self.note(address, FieldPath::of(Field::ReadinessPort), asked_port(block));
        self.note_each(
            address,
            block,
            &[("exec", Field::ReadinessExec), ("grpc", Field::ReadinessGrpc), ("initial-delay", Field::ReadinessDelay)],
        );
        self.probe(block)
    }

    /// The checks beside readiness.
    pub(super) fn probes(&mut self, service: &Block, address: &Address) -> Probes {
        let Some(health) = service.child("health") else { return Probes::default() };
        let mut probe = |name: &str, field| {
            let block = health.child(name)?;
            self.note(address, FieldPath::of(field), block.at);
            self.note(address, FieldPath::at(Field::ProbePort, name), asked_port(block));
            self.probe(block)
        };
        Probes {
            startup: probe("startup", Field::Startup),
            liveness: probe("liveness", Field::Liveness),
            progress: probe("progress", Field::Progress),
        }
    }

    fn probe(&mut self, block: &Block) -> Option<Probe> {
        let check = match block.child("http") {
            Some(http) => http.argument::<Arc<str>>(0).map(|path| Check::Http { path: path.value }),
            None if block.child("exec").is_some() => block.child("exec").and_then(|exec| self.exec(exec)),
            None if block.child("grpc").is_some() => block.child("grpc").map(|grpc| {
                let service = grpc.property::<Arc<str>>("service").map(|service| service.value);
                Check::Grpc { service: service.unwrap_or_default() }
            }),
            None => block.child("tcp").map(|_| Check::Tcp),
        };
        let asked = block.child("http").or(block.child("tcp")).or(block.child("grpc"));
        let port = asked.and_then(|asked| found::<u32>(asked, "port")).and_then(|port| u16::try_from(port).ok());
        let initial_delay = plain(block, "initial-delay")?;
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
        Some(Probe { check: check?, port, initial_delay, every, timeout, failures: failures?, successes: successes? })
    }

    fn exec(&mut self, block: &Block) -> Option<Check> {
        let words = block.all::<Arc<str>>()?;
        if words.first()?.trim().is_empty() {
            let problem = Problem::error(Code::InvalidValue, "`exec` of a probe is empty");
            self.report(problem.at(block.title_at(), "nothing to run"));
            return None;
        }
        Some(Check::Exec(words))
    }
}

/// Where it is said which port a probe asks.
fn asked_port(probe: &Block) -> Option<Place> {
    ["http", "tcp", "grpc"].into_iter().find_map(|name| probe.child(name)?.properties.get("port")?.at)
}
