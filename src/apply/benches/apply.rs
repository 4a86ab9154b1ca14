//! What carrying out a plan costs beside its calls: as many gateways as are asked for, on a platform that answers at once or
//! after a while, 64 at a time, with the record on this machine's disk. `cargo bench -p wharf-apply`; `COUNTS=1000,10000`.
//!
//! Each line says how much longer the apply takes than the same calls made bare with the same width in the same run, what
//! its journal takes, and the most memory that the process ever had.

#![allow(clippy::disallowed_methods, reason = "what is measured is time and disk")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops at the first surprise, and prints")]

use async_trait::async_trait;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use wharf_apply::{Cancel, Ended, Settings, apply, recover};
use wharf_model::{
    Capabilities, Cost, Deployment, GatewaySpec, Intent, Observed, Operation, Origins, Outcome, ProviderSpec,
    ServiceName, Shared, StateSpec, Timestamp,
};
use wharf_plan::{Input, Plan, Step, plan};
use wharf_provider::{Execute, LogCursor, LogLine, Observe, OpContext, ProviderError, Resolution, Scope, SecretValues};
use wharf_store::{Author, FolderBackend, Holder, Patience, Reader, Writer};

const WIDTH: usize = 64;

/// A platform on which every call succeeds after a while, and nothing is done.
struct Nothing {
    takes: Duration,
    capabilities: Capabilities,
}

#[async_trait]
impl Observe for Nothing {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn observe(&self, _scope: &Scope) -> Result<Observed, ProviderError> {
        Ok(Observed::default())
    }

    async fn logs(
        &self,
        _services: &BTreeSet<ServiceName>,
        _cursor: &mut LogCursor,
        _limit: usize,
    ) -> Result<Vec<LogLine>, ProviderError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Execute for Nothing {
    async fn execute(&self, _operation: &Operation, _cx: &OpContext) -> Result<Outcome, ProviderError> {
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        Ok(Outcome::Done)
    }

    async fn resolve(&self, _intent: &Intent) -> Result<Resolution, ProviderError> {
        Ok(Resolution::NotApplied)
    }
}

fn make_plan(count: usize, provider: &Nothing) -> Plan {
    let gateway = |number: usize| {
        let port = u16::try_from(1_024 + number % 60_000).unwrap();
        (format!("g{number}").parse().unwrap(), GatewaySpec::listening([127, 0, 0, 1].into(), port))
    };
    let desired = Deployment {
        project: "bench".parse().unwrap(),
        environment: "dev".parse().unwrap(),
        provider: ProviderSpec::Local { host_is_image: false, fuse: None, copying: Default::default() },
        state: StateSpec::default(),
        secrets: BTreeMap::new(),
        gateways: (0..count).map(gateway).collect(),
        services: BTreeMap::new(),
        shared: Shared::default(),
        ignores: Vec::new(),
        renamed: BTreeMap::new(),
        policies: BTreeMap::new(),
        notifies: BTreeMap::new(),
        origins: Origins::default(),
    };
    let recorded = wharf_model::Record::empty(desired.project.clone(), desired.environment.clone());
    let (observed, digests) = (Observed::default(), BTreeMap::new());
    let capabilities = provider.capabilities();
    let input = Input { desired: &desired, capabilities, recorded: &recorded, observed: &observed, digests: &digests };
    plan(&input).unwrap()
}

/// The same calls with nothing around them.
async fn bare(plan: &Plan, provider: &Arc<Nothing>) -> Duration {
    let began = Instant::now();
    let (room, mut calls) = (Arc::new(Semaphore::new(WIDTH)), JoinSet::new());
    for (_, step) in plan.operations().steps() {
        let Step::Call(operation) = step else { continue };
        let place = room.clone().acquire_owned().await.unwrap();
        let (provider, operation) = (provider.clone(), operation.clone());
        calls.spawn(async move {
            let (progress, _) = mpsc::unbounded_channel();
            let cx = OpContext { operation: operation.id(), secrets: Arc::default(), progress };
            drop(provider.execute(&operation, &cx).await);
            drop(place);
        });
    }
    while calls.join_next().await.is_some() {}
    began.elapsed()
}

async fn measure(count: usize, takes: Duration) {
    let provider = Arc::new(Nothing { takes, capabilities: Capabilities::of("nothing", |_| Cost::InPlace) });
    let plan = make_plan(count, &provider);
    let alone = bare(&plan, &provider).await;
    let dir = tempfile::tempdir_in(".").unwrap();
    let backend = Arc::new(FolderBackend::new(dir.path()));
    let holder = Holder::this("bench".to_owned(), "apply", Timestamp(0));
    let (project, environment) = (plan.project().clone(), plan.environment().clone());
    let reader = Reader::over(backend.clone(), project.clone(), environment.clone());
    let mut writer = Writer::open(backend, project, environment, &holder, Patience::none(&mut |_| {})).unwrap();
    let ground = recover(&*provider, &mut writer, &Author::default(), Timestamp(0)).await.unwrap();
    let settings = Settings {
        secrets: Arc::new(SecretValues::default()),
        by: Author::default(),
        doing: "apply".to_owned(),
        started: Timestamp(0),
        calls: WIDTH,
        rollouts: WIDTH,
        look_every: Duration::from_millis(250),
    };
    let (events, _) = mpsc::unbounded_channel();
    let began = Instant::now();
    let applied = apply(&plan, ground, provider, &mut writer, &settings, &Cancel::default(), events).await.unwrap();
    let took = began.elapsed();
    assert_eq!((applied.summary.ended(), applied.serial), (Ended::Done, Some(1)));
    assert_eq!(reader.read().unwrap().record.gateways.len(), count);
    let (per, written) = (|number: u64| number as f64 / count as f64, applied.written);
    println!(
        "{count:>6} calls of {takes:>4?}: {took:>8.0?}, bare {alone:>8.0?}, x{:.2}; {:>5.1} µs of engine a call; journal {:.0} \
         bytes a record, {:.2} waits for the disk a call; peak memory {} MiB",
        took.as_secs_f64() / alone.as_secs_f64(),
        took.saturating_sub(alone).as_secs_f64() * 1e6 / count as f64,
        written.bytes as f64 / written.entries as f64,
        per(written.waits),
        peak() / 1024
    );
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn main() {
    // Cargo tells tests and benchmarks apart by this; a benchmark that is only built has nothing to do.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let counts = std::env::var("COUNTS").unwrap_or_else(|_| "1000,10000".to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for count in counts.split(',').map(|count| count.parse().unwrap()) {
        for takes in [Duration::ZERO, Duration::from_millis(20)] {
            runtime.block_on(measure(count, takes));
        }
    }
}
