//! How an apply ended, said to people and to those whom the project names.

use crate::{
    notify::{Told, notify},
    out,
    project::Project,
    site,
};
use std::time::Duration;
use wharf_apply::{Ended, Failed, Head, Recovered, Skipped, Tail, print_summary};
use wharf_model::{Address, Deployment, GatewaySpec, NotifyOn, RecordedRollout, Rest, ServiceName, ServiceSpec};
use wharf_plan::rollout::Failure;
use wharf_report::{bad, dim, duration, good, warn};

/// How many of a failing instance's last lines are shown.
const LAST_LINES: usize = 15;

/// Tells what became of calls that an earlier apply left open.
pub(super) fn tell_recovered(recovered: &Recovered) {
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

/// Tells what was not done and why, then the verdict.
pub(super) fn tell_summary(tail: &Tail<'_>) {
    let summary = tail.summary;
    summary.failed.iter().for_each(|(address, failed)| tell_failed(address, failed));
    summary.resting.iter().for_each(|(service, rollout)| tell_resting(service, rollout));
    summary.skipped.iter().for_each(|(address, skipped)| tell_skipped(address, skipped));
    tell_verdict(summary.ended(), tail.commit, tail.took);
}

fn tell_failed(address: &Address, failed: &Failed) {
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

fn tell_resting(service: &ServiceName, rollout: &RecordedRollout) {
    let RecordedRollout { to, passed, steps, rest, .. } = rollout;
    let why = match rest {
        Some(Rest::Partition) => "the others stay as they are".to_owned(),
        Some(Rest::Pause) => format!("behind step {passed} of {steps}"),
        Some(Rest::File) => "its file says `paused`".to_owned(),
        Some(Rest::Asked | Rest::Aborted) | None => "as somebody asked".to_owned(),
    };
    out::alert(format!("{} service.{service} waits on its way to {to}: {why}", warn("‖")));
    let on = match rest {
        Some(Rest::File) => "an apply without that line".to_owned(),
        _ => format!("`wharf rollout resume {service}`"),
    };
    out::alert(format!("  {} {on} goes on, `wharf rollout abort {service}` goes back", dim("help:")));
}

fn tell_skipped(address: &Address, skipped: &Skipped) {
    let why = match skipped {
        Skipped::Needs(other) => format!("it needs {other}, which failed"),
        Skipped::Waits(other) => format!("it needs {other}, whose rollout waits"),
        Skipped::Stopped => "you asked to stop".to_owned(),
    };
    out::alert(format!("{} {address} was skipped: {why}", warn("-")));
}

fn tell_verdict(ended: Ended, serial: Option<u64>, took: Duration) {
    let tail = dim(serial.map_or("not committed: the journal has it".to_owned(), |serial| format!("commit {serial}")));
    let took = duration(took);
    match ended {
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
    if let Some(help) = failure.help() {
        out::alert(format!("  {} {help}", dim("help:")));
    }
    let lines = failure.last_lines();
    if let (Some(instance), false) = (failure.instance(), lines.is_empty()) {
        out::alert(format!("  {}", dim(format!("the last lines of {instance}:"))));
        for line in lines.iter().skip(lines.len().saturating_sub(LAST_LINES)) {
            out::alert(format!("  {} {}", bad("│"), wharf_report::tame(line)));
        }
    }
}

/// Tells those whom the project names how it ended.
pub(super) async fn tell_others(project: &Project, head: &Head<'_>, tail: &Tail<'_>) {
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
pub(super) fn addresses(desired: &Deployment) -> Vec<String> {
    let of = |(name, spec): (&ServiceName, &ServiceSpec)| {
        let gateways = spec.exposes.keys().filter_map(|gateway| desired.gateways.get(gateway));
        let url = |gateway: &GatewaySpec| {
            let address = std::net::SocketAddr::new(gateway.address, gateway.port);
            format!("http://{address}{}/", Deployment::path_of(name, spec))
        };
        gateways.map(url).collect::<Vec<_>>()
    };
    desired.services.iter().flat_map(of).collect()
}
