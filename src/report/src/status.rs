//! How an environment stands: what is recorded beside what was seen.

use crate::{
    text::{bad, bold, dim, duration, good, pad, tame, warn, width},
    top::{counted, took},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};
use wharf_model::{
    Address, EndpointState, EnvironmentName, Figures, GatewayName, InstanceId, Lost, NlbName, ObjectId, ObjectSpec,
    Observed, ObservedInstance, Phase, ProjectName, Record, RecordedService, Restarts, ServiceName, Supervised,
    Timestamp,
};

/// What a status is told from.
#[derive(Debug, Clone, Copy)]
pub struct StatusInput<'a> {
    /// The project.
    pub project: &'a ProjectName,
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// The runtime's name.
    pub provider: &'a str,
    /// What was last written down.
    pub recorded: &'a Record,
    /// What is there now.
    pub observed: &'a Observed,
    /// The time of the look.
    pub now: Timestamp,
}

/// One instance, as it stands.
pub(crate) struct Row {
    pub(crate) name: String,
    revision: String,
    pub(crate) state: State,
    words: String,
    endpoint: String,
    pub(crate) in_flight: Option<u64>,
    /// What gateways have counted since they were started; none where no gateway tells.
    figures: Option<Figures>,
    /// What its supervisor did and heard.
    supervised: Supervised,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    NotReady,
    Draining,
    Down,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "not ready",
            Self::Draining => "draining",
            Self::Down => "down",
        }
    }
}

/// Everything, on a terminal.
pub fn status(input: &StatusInput<'_>) -> String {
    let place = format!("{} in {} ({})", input.project, input.environment, input.provider);
    let services = services(input);
    if input.recorded.gateways.is_empty() && services.is_empty() {
        return format!("{} {place}: nothing is deployed. `wharf apply` does it.\n", bold("Status of"));
    }
    let mut out = format!("{} {place}\n", bold("Status of"));
    gateways(&mut out, input);
    balancers(&mut out, input);
    for name in services {
        service(&mut out, input, name);
    }
    out
}

fn services<'a>(input: &StatusInput<'a>) -> BTreeSet<&'a ServiceName> {
    input.recorded.services.keys().chain(input.observed.instances.keys().map(|id| &id.service)).collect()
}

fn gateways(out: &mut String, input: &StatusInput<'_>) {
    for name in input.recorded.gateways.keys() {
        let seen = input.observed.gateways.get(name);
        let listen = seen.and_then(|gateway| gateway.listen);
        let state = match seen {
            Some(gateway) if gateway.running => good("running"),
            Some(_) => bad("down"),
            None => bad("missing"),
        };
        let listen = listen.map(|at| format!("on {at}")).unwrap_or_default();
        let _ = writeln!(out, "\n{}  {state} {listen}", bold(format!("gateway {name}")));
        lost(out, seen.map(|gateway| gateway.lost).unwrap_or_default());
    }
}

/// What a gateway could not keep or send.
fn lost(out: &mut String, Lost { lines, spans }: Lost) {
    let told = [(lines, "lines of records could not be written"), (spans, "spans of traces could not be sent")];
    for (count, what) in told.into_iter().filter(|(count, _)| *count > 0) {
        let _ = writeln!(out, "  {} {count} {what}", warn("note:"));
    }
}

/// The balancers of connections, each with what is behind its listeners.
fn balancers(out: &mut String, input: &StatusInput<'_>) {
    for balancer in balancers_seen(input) {
        let state = if balancer.running { good("running") } else { bad("down") };
        let _ = writeln!(out, "\n{}  {state}", bold(format!("nlb {}", balancer.name)));
        for Listening { port, service, targets, ready, connections } in &balancer.listeners {
            let ratio = format!("{ready}/{targets} ready");
            let ratio = if ready == targets && *ready > 0 { good(ratio) } else { bad(ratio) };
            let open = match connections {
                1 => "1 connection".to_owned(),
                count => format!("{count} connections"),
            };
            let _ = writeln!(out, "  port {port}  {service}  {ratio}  {open}");
        }
    }
}

/// A balancer, as it stands.
struct Balancer<'a> {
    name: &'a NlbName,
    running: bool,
    listeners: Vec<Listening<'a>>,
}

struct Listening<'a> {
    port: u16,
    service: &'a ServiceName,
    /// The instances that balancers know of the service.
    targets: usize,
    ready: usize,
    /// Those of all balancers that lead to it.
    connections: u64,
}

fn balancers_seen<'a>(input: &StatusInput<'a>) -> Vec<Balancer<'a>> {
    let recorded = input.recorded.objects.iter().filter_map(|(address, known)| match (address, &known.spec) {
        (Address::Nlb(name), ObjectSpec::Nlb(spec)) => Some((address, name, known, spec)),
        _ => None,
    });
    let listening = |(port, service): (&u16, &'a ServiceName)| {
        let behind: Vec<_> = input.observed.balanced.iter().filter(|(id, _)| id.service == *service).collect();
        let ready = |state: &&EndpointState| matches!(state, EndpointState::Serving { ready: true, .. });
        let open = |state: &EndpointState| match state {
            EndpointState::Serving { in_flight, .. } | EndpointState::Draining { in_flight } => *in_flight,
        };
        Listening {
            port: *port,
            service,
            targets: behind.len(),
            ready: behind.iter().map(|(_, state)| *state).filter(ready).count(),
            connections: behind.iter().map(|(_, state)| open(state)).sum(),
        }
    };
    let seen = recorded.map(|(address, name, known, spec)| {
        let object = ObjectId { address: address.clone(), generation: known.generation };
        let seen = input.observed.objects.get(&object);
        Balancer {
            name,
            running: seen.is_some_and(|seen| seen.fingerprint.is_some()),
            listeners: spec.listeners.iter().map(listening).collect(),
        }
    });
    seen.collect()
}

fn service(out: &mut String, input: &StatusInput<'_>, name: &ServiceName) {
    let recorded = input.recorded.services.get(name);
    let rows = rows(input, name);
    let ready = rows.iter().filter(|row| row.state == State::Ready).count();
    let wanted = recorded.map_or(0, |service| service.spec.instances) as usize;
    let ratio = format!("{ready}/{wanted} ready");
    let ratio = if ready >= wanted { good(ratio) } else { bad(ratio) };
    let revision = recorded.and_then(|service| service.current).map(|number| number.to_string());
    let revision = revision.unwrap_or_else(|| "no revision serves yet".to_owned());
    let _ = writeln!(out, "\n{}  {ratio}  {}", bold(format!("service {name}")), dim(revision));
    for url in urls(input, name, recorded) {
        let _ = writeln!(out, "  {}", dim(url));
    }
    table(out, &rows);
    rows.iter().for_each(|row| supervised(out, input.now, row));
    if let Some(rollout) = recorded.and_then(|service| service.rollout) {
        let wait = rollout.rest.map_or(String::new(), |_| format!("; it waits: `wharf rollout status {name}`"));
        let (to, passed, steps) = (rollout.to, rollout.passed, rollout.steps);
        let _ = writeln!(out, "  {} the rollout to {to} has passed {passed} of {steps} steps{wait}", warn("note:"));
    }
    if let Some((number, ending)) = recorded.and_then(|service| service.trouble.as_ref()) {
        let how = match ending {
            wharf_model::Ending::Done => return,
            wharf_model::Ending::RolledBack { because } => format!("was rolled back: {because}"),
            wharf_model::Ending::Halted { because } => format!("was halted: {because}"),
        };
        let _ = writeln!(out, "  {} the last rollout, to {number}, {}", warn("note:"), tame(&how));
    }
}

fn urls(input: &StatusInput<'_>, name: &ServiceName, recorded: Option<&RecordedService>) -> Vec<String> {
    let routes = recorded.into_iter().flat_map(|service| service.spec.exposes.keys());
    let url = |gateway: &GatewayName| {
        let listen = input.recorded.gateways.get(gateway).map(|known| (known.spec.address, known.spec.port))?;
        let route = input.recorded.routes.get(&(gateway.clone(), name.clone()))?;
        let path = route.spec.paths.first()?;
        Some(format!("http://{}{path}/", std::net::SocketAddr::from(listen)))
    };
    routes.filter_map(url).collect()
}

pub(crate) fn rows(input: &StatusInput<'_>, name: &ServiceName) -> Vec<Row> {
    let recorded: BTreeMap<_, _> =
        input.recorded.services.get(name).map(|service| service.instances.iter().collect()).unwrap_or_default();
    let observed: BTreeMap<_, _> = input.observed.instances.iter().filter(|(id, _)| id.service == *name).collect();
    let all: BTreeSet<&InstanceId> = recorded.keys().chain(observed.keys()).copied().collect();
    let row = |id: &InstanceId| match (observed.get(id), recorded.get(id)) {
        (Some(seen), _) => seen_row(input, id, seen),
        (None, Some(known)) => Row {
            name: id.to_string(),
            revision: known.revision.to_string(),
            state: State::Down,
            words: "gone".to_owned(),
            endpoint: known.endpoint.to_string(),
            in_flight: None,
            figures: None,
            supervised: Supervised::default(),
        },
        (None, None) => unreachable!("the name came from one of the two"),
    };
    all.into_iter().map(row).collect()
}

fn seen_row(input: &StatusInput<'_>, id: &InstanceId, seen: &ObservedInstance) -> Row {
    let endpoint = endpoint_states(input, id);
    let in_flight = endpoint.iter().map(|state| match state {
        EndpointState::Serving { in_flight, .. } | EndpointState::Draining { in_flight } => *in_flight,
    });
    let draining = endpoint.iter().any(|state| matches!(state, EndpointState::Draining { .. }));
    let (state, words) = match (&seen.phase, input.observed.is_ready(id)) {
        (Phase::Ended(exit), _) => (State::Down, exit.to_string()),
        (Phase::Running { .. }, _) if draining => (State::Draining, format!("up {}", duration(seen.age(input.now)))),
        (Phase::Running { .. }, true) => (State::Ready, format!("up {}", duration(seen.age(input.now)))),
        (Phase::Running { .. }, false) => {
            (State::NotReady, seen.answer.as_ref().map(ToString::to_string).unwrap_or_default())
        }
    };
    Row {
        name: id.to_string(),
        revision: seen.revision.to_string(),
        state,
        words,
        endpoint: seen.endpoint.to_string(),
        in_flight: (!endpoint.is_empty()).then(|| in_flight.sum()),
        figures: counted(input.observed, id),
        supervised: seen.supervised.clone(),
    }
}

fn endpoint_states<'a>(input: &StatusInput<'a>, id: &InstanceId) -> Vec<&'a EndpointState> {
    let gateways = input.observed.gateways.values().filter(|gateway| gateway.running);
    let routed = gateways.filter_map(|gateway| gateway.routes.get(&id.service)?.endpoints.get(id));
    routed.chain(input.observed.balanced.get(id)).collect()
}

fn table(out: &mut String, rows: &[Row]) {
    let column = |text: fn(&Row) -> &str| rows.iter().map(|row| width(text(row))).max().unwrap_or(0);
    let (names, revisions) = (column(|row| &row.name), column(|row| &row.revision));
    let endpoints = column(|row| &row.endpoint);
    for row in rows {
        let state = pad(row.state.as_str(), 9);
        let state = match row.state {
            State::Ready => good(state),
            State::Draining => warn(state),
            State::NotReady | State::Down => bad(state),
        };
        let in_flight = row.in_flight.filter(|count| *count > 0).map(|count| format!("  {count} in flight"));
        let answered = row.figures.as_ref().filter(|figures| figures.requests > 0).map(answered);
        let _ = writeln!(
            out,
            "  {}  {}  {state}  {}  {}{}{}",
            pad(&row.name, names),
            pad(&row.revision, revisions),
            pad(&row.endpoint, endpoints),
            tame(&row.words),
            in_flight.unwrap_or_default(),
            answered.map(dim).unwrap_or_default()
        );
    }
}

/// What a supervisor did about an instance, and which of its checks fail.
fn supervised(out: &mut String, now: Timestamp, row: &Row) {
    if let Some(restarts) = &row.supervised.restarts {
        let _ = writeln!(out, "  {} {} {}", warn("note:"), row.name, tame(&restarted(restarts, now)));
    }
    // What readiness heard stands in the row.
    let failing = row.supervised.checks.iter().filter(|(name, answer)| !answer.passed && &***name != "readiness");
    for (name, answer) in failing {
        let heard = tame(&format!("{} fails its {name} check: {answer}", row.name));
        let _ = writeln!(out, "  {} {heard}", warn("note:"));
    }
}

/// How often a program was started again, and why the last time.
pub(crate) fn restarted(restarts: &Restarts, now: Timestamp) -> String {
    let Restarts { count, because, at } = restarts;
    let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
    format!("was started again {times}, the last time {} ago: {because}", duration(now.since(*at)))
}

/// What became of the requests that an instance was sent, and when answers began.
fn answered(figures: &Figures) -> String {
    let errors = Some(figures.errors).filter(|errors| *errors > 0).map(|errors| format!(", {errors} with an error"));
    let within =
        |name, thousandths| figures.first_byte.within(thousandths).map(|time| format!(", {name} {}", took(time)));
    let told = [errors, within("p50", 500), within("p99", 990)];
    format!("  answered {}{}", figures.requests, told.into_iter().flatten().collect::<String>())
}

fn restarts_json(restarts: &Restarts) -> serde_json::Value {
    serde_json::json!({ "count": restarts.count, "because": restarts.because, "at_ms": restarts.at.0 })
}

/// Everything, for programs.
pub fn status_json(input: &StatusInput<'_>) -> serde_json::Value {
    let gateways = input.recorded.gateways.keys().map(|name| {
        let seen = input.observed.gateways.get(name);
        serde_json::json!({
            "name": name.as_str(),
            "running": seen.is_some_and(|gateway| gateway.running),
            "listen": seen.and_then(|gateway| gateway.listen).map(|at| at.to_string()),
            "lost_lines": seen.map_or(0, |gateway| gateway.lost.lines),
            "lost_spans": seen.map_or(0, |gateway| gateway.lost.spans),
        })
    });
    let balancers = balancers_seen(input).into_iter().map(|balancer| {
        let listeners = balancer.listeners.iter().map(|Listening { port, service, targets, ready, connections }| {
            serde_json::json!({
                "port": port,
                "service": service.as_str(),
                "targets": targets,
                "ready": ready,
                "connections": connections,
            })
        });
        serde_json::json!({
            "name": balancer.name.as_str(),
            "running": balancer.running,
            "listeners": listeners.collect::<Vec<_>>(),
        })
    });
    let one = |name: &ServiceName| {
        let recorded = input.recorded.services.get(name);
        let rows = rows(input, name);
        let instances = rows.iter().map(|row| {
            serde_json::json!({
                "name": row.name,
                "revision": row.revision,
                "state": row.state.as_str(),
                "detail": row.words,
                "endpoint": row.endpoint,
                "in_flight": row.in_flight,
                "figures": row.figures.as_ref().map(figures_json),
                "restarts": row.supervised.restarts.as_ref().map(restarts_json),
                "checks": row.supervised.checks.iter().map(|(name, answer)| {
                    (name.to_string(), serde_json::json!({ "passed": answer.passed, "heard": answer.heard }))
                }).collect::<serde_json::Map<_, _>>(),
            })
        });
        serde_json::json!({
            "name": name.as_str(),
            "wanted": recorded.map_or(0, |service| service.spec.instances),
            "ready": rows.iter().filter(|row| row.state == State::Ready).count(),
            "revision": recorded.and_then(|service| service.current).map(|number| number.to_string()),
            "urls": urls(input, name, recorded),
            "instances": instances.collect::<Vec<_>>(),
        })
    };
    serde_json::json!({
        "format": "wharf.status/1",
        "project": input.project.as_str(),
        "environment": input.environment.as_str(),
        "provider": input.provider,
        "gateways": gateways.collect::<Vec<_>>(),
        "nlbs": balancers.collect::<Vec<_>>(),
        "services": services(input).into_iter().map(one).collect::<Vec<_>>(),
    })
}

fn figures_json(figures: &Figures) -> serde_json::Value {
    let within = |thousandths| figures.first_byte.within(thousandths).map(|time| time.as_micros() as f64 / 1e3);
    serde_json::json!({
        "requests": figures.requests,
        "errors": figures.errors,
        "p50_ms": within(500),
        "p99_ms": within(990),
    })
}
