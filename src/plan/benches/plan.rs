//! Planning at 1 k, 10 k and 100 k resources against the budgets: `cargo bench -p wharf-plan --bench plan`.
//!
//! A generated service is six resources: itself, two instances, a mount, libraries and a route. Every figure is the
//! median of several runs in one process; what counts is its ratio to the budget, and how time grows with size.

#![allow(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for developers that prints and may stop")]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};
use wharf_model::{
    Access, Capabilities, ContentDigest, Cost, Deployment, Effect, Ending, EndpointState, EnvValue, Expose, Field,
    FolderPath, GatewaySpec, Generation, InstanceId, Intent, IntentId, Mount, Observed, ObservedGateway,
    ObservedInstance, ObservedRoute, Origins, Outcome, Phase, ProbeAnswer, Program, ProviderSpec, Record, ServiceSpec,
    Shared, Slot, SourcePin, SourceRef, Template, Timestamp, Told,
};
use wharf_plan::{Input, Plan, Step, check, plan, sources};

const RESOURCES_PER_SERVICE: usize = 6;
const INSTANCES: u32 = 2;
const SIZES: [(usize, u64, u64); 3] = [(1_000, 20, 40), (10_000, 120, 300), (100_000, 1_000, 3_000)];

fn service(number: usize) -> ServiceSpec {
    let env = |name: &str, value: String| (name.parse().unwrap(), EnvValue::Plain(value.into()));
    let mount = Mount::folder(FolderPath(format!("./app-{number}").into()), Access::Snapshot);
    ServiceSpec {
        instances: INSTANCES,
        exposes: BTreeMap::from([("public".parse().unwrap(), Expose { path: None })]),
        ..ServiceSpec::of(Template {
            port: Some(8000),
            packages: vec![format!("flask=={number}").into()],
            env: [env("LOG_LEVEL", "info".to_owned()), env("NUMBER", number.to_string())].into(),
            mounts: BTreeMap::from([("/mnt/data".parse().unwrap(), mount)]),
            ..Template::of(Program::Command(vec!["python".into(), "/mnt/data/app.py".into()]))
        })
    }
}

fn deployment(resources: usize) -> Deployment {
    let services = resources / RESOURCES_PER_SERVICE;
    let gateway = GatewaySpec::listening([127, 0, 0, 1].into(), 8600);
    Deployment {
        project: "bench".parse().unwrap(),
        environment: "bench".parse().unwrap(),
        provider: ProviderSpec::Local { host_is_image: false },
        secrets: BTreeMap::new(),
        gateways: BTreeMap::from([("public".parse().unwrap(), gateway)]),
        services: (0..services).map(|number| (format!("service-{number}").parse().unwrap(), service(number))).collect(),
        shared: Shared::default(),
        ignores: Vec::new(),
        origins: Origins::default(),
    }
}

fn capabilities() -> Capabilities {
    Capabilities::of("bench", |field| match field {
        Field::Env | Field::Program | Field::Content | Field::Interpreter | Field::Packages => Cost::Roll,
        _ => Cost::InPlace,
    })
}

fn look(desired: &Deployment) -> Observed {
    let pin = |source: SourceRef| {
        let content = ContentDigest::of([source.to_string().as_bytes()]);
        (source, Ok(SourcePin { content, files: 1, bytes: 1 }))
    };
    Observed { sources: sources(desired).into_iter().map(pin).collect(), ..Observed::default() }
}

/// Carries a plan out in thought: the record and the look that follow from it.
fn carry_out(plan: &Plan, record: &mut Record, observed: &mut Observed) {
    for (_, step) in plan.operations().steps() {
        match step {
            Step::Call(operation) => {
                let effect = Intent::of(IntentId(0), operation).effect(&Outcome::Done).unwrap();
                record.absorb(&effect, plan.wanted());
            }
            Step::Rollout(rollout) => {
                let (name, goal) = (&rollout.order.service, rollout.order.goal);
                for slot in (0..goal.count).map(Slot) {
                    let instance = InstanceId { service: name.clone(), slot, generation: Generation(1) };
                    let endpoint = SocketAddr::from(([127, 0, 0, 1], 20_000));
                    let started = Effect::InstanceStarted { instance, revision: goal.revision, endpoint };
                    record.absorb(&started, plan.wanted());
                }
                let ended = Effect::RolloutEnded { service: name.clone(), ending: Ending::Done };
                record.absorb(&ended, plan.wanted());
            }
            Step::Note(_, effect) => record.absorb(effect, plan.wanted()),
        }
    }
    see(record, observed);
}

fn see(record: &Record, observed: &mut Observed) {
    observed.contents.clone_from(&record.contents);
    for (name, gateway) in &record.gateways {
        let listen = Some(SocketAddr::new(gateway.spec.address, gateway.spec.port));
        let fingerprint = Some(gateway.spec.fingerprint());
        let seen =
            ObservedGateway { running: true, listen, fingerprint, routes: BTreeMap::new(), told: Told::default() };
        observed.gateways.insert(name.clone(), seen);
    }
    for ((gateway, service), route) in &record.routes {
        let instances = record.services[service].instances.keys();
        let serving = EndpointState::Serving { ready: true, in_flight: 0 };
        let endpoints = instances.map(|id| (id.clone(), serving.clone())).collect();
        let seen = ObservedRoute { fingerprint: Some(route.spec.fingerprint()), endpoints, told: Told::default() };
        observed.gateways.get_mut(gateway).unwrap().routes.insert(service.clone(), seen);
    }
    for (id, known) in record.services.values().flat_map(|service| &service.instances) {
        let answer = Some(ProbeAnswer { passed: true, heard: "HTTP 200".to_owned(), hint: None });
        let phase = Phase::Running { since: Timestamp(0) };
        let (revision, endpoint) = (known.revision, known.endpoint);
        let seen = ObservedInstance {
            revision,
            operation: None,
            fingerprint: None,
            endpoint,
            phase,
            answer,
            last_lines: Vec::new(),
            told: Told::default(),
        };
        observed.instances.insert(id.clone(), seen);
    }
}

fn median(runs: usize, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..runs)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// The most memory that this process ever held, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    println!(
        "{:>9}  {:<22} {:>10} {:>10} {:>7} {:>8}  {:>9}",
        "resources", "work", "median", "budget", "ratio", "growth", "peak"
    );
    let mut before: [Option<Duration>; 2] = [None; 2];
    for (resources, unchanged_budget, new_budget) in SIZES {
        let runs = if resources < 100_000 { 9 } else { 3 };
        let (desired, capabilities, digests) = (deployment(resources), capabilities(), BTreeMap::new());
        let mut observed = look(&desired);
        let mut recorded = Record::empty(desired.project.clone(), desired.environment.clone());
        let make = |recorded: &Record, observed: &Observed| {
            let capabilities = &capabilities;
            plan(&Input { desired: &desired, capabilities, recorded, observed, digests: &digests }).unwrap()
        };
        let new = median(runs, || drop(make(&recorded, &observed).json()));
        let first = make(&recorded, &observed);
        assert_eq!(check(&first), []);
        carry_out(&first, &mut recorded, &mut observed);
        drop(first);
        assert!(make(&recorded, &observed).is_empty());
        let unchanged = median(runs, || drop(make(&recorded, &observed)));
        let rows = [("nothing changed", unchanged, unchanged_budget), ("all new, with JSON", new, new_budget)];
        for (row, (work, took, budget)) in rows.into_iter().enumerate() {
            let budget = Duration::from_millis(budget);
            let ratio = took.as_secs_f64() / budget.as_secs_f64();
            let growth = before[row].map(|before| format!("{:.1}x", took.as_secs_f64() / before.as_secs_f64()));
            println!(
                "{resources:>9}  {work:<22} {:>8.1}ms {:>8}ms {ratio:>7.2} {:>8}  {:>6}MiB",
                took.as_secs_f64() * 1_000.0,
                budget.as_millis(),
                growth.unwrap_or_default(),
                peak()
            );
            before[row] = Some(took);
        }
    }
}
