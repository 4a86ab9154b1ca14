//! Whole histories from a seed: a project, another one, a platform that does at each call what the seed says, an end at
//! any moment, and at last fair weather. Time is virtual and every choice comes from the seed, so a seed tells the same
//! story each time. `SEED=n` plays one and tells it; `SEEDS=n` sets how many are played.

use crate::site::{Site, deployment, service};
use std::{
    collections::BTreeMap,
    env, panic,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};
use wharf_apply::{Cancel, Ended};
use wharf_model::{Deployment, Operation, ServiceSpec};
use wharf_provider::{Fault, Faulty, MemoryProvider};

/// How many are played: optimised code plays them all in half a minute.
const SEEDS: u64 = if cfg!(debug_assertions) { 400 } else { 10_000 };

/// Numbers that follow from a seed (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

fn spec(numbers: &mut Numbers) -> ServiceSpec {
    let level = ["info", "debug", "trace"][numbers.below(3) as usize];
    let mut spec = service(&[("LOG", level)], u32::try_from(numbers.below(4)).unwrap());
    if numbers.one_in(2) {
        spec.template.mounts.clear();
    }
    if numbers.one_in(2) {
        spec.template.packages.clear();
    }
    if numbers.one_in(4) {
        spec.exposes.clear();
    }
    spec
}

fn project(numbers: &mut Numbers) -> Deployment {
    let names = ["alpha", "beta", "gamma"].into_iter().filter(|_| !numbers.one_in(3)).collect::<Vec<_>>();
    deployment(&names.into_iter().map(|name| (name, spec(numbers))).collect::<Vec<_>>())
}

/// What goes wrong, as the seed says, with each call that is made: most of the time only that it takes a while.
fn weather(seed: u64, roughness: u64, story: Story) -> impl Fn(usize, &Operation) -> Option<Fault> + Send + Sync {
    let numbers = Mutex::new(Numbers(seed));
    move |number, operation| {
        let mut numbers = numbers.lock().unwrap();
        let fault = match numbers.below(roughness) {
            0 => Fault::Unreachable,
            1 => Fault::Rejected,
            2 => Fault::ReplyLost,
            3 => Fault::Twice,
            4 => Fault::Partial,
            5 => Fault::Throttled { retry_after: None },
            6 => Fault::Throttled { retry_after: Some(Duration::from_millis(numbers.below(5_000))) },
            7 => Fault::Stale,
            8 if numbers.one_in(20) => Fault::Hangs,
            _ => Fault::Slow(Duration::from_millis(1 + numbers.below(1_500))),
        };
        story.tell(format!("call {number}: {} -> {fault:?}", operation.id()));
        Some(fault)
    }
}

/// What happened, for one who plays a seed again.
#[derive(Clone, Default)]
struct Story(Arc<Mutex<Vec<String>>>);

impl Story {
    fn tell(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// One apply in rough weather, which may be asked to stop, or die.
async fn endure(site: &Site, desired: &Deployment, numbers: &mut Numbers, story: &Story) {
    let roughness = [9, 20, 60, 200][numbers.below(4) as usize];
    let faulty = Faulty::scripted(site.memory.clone(), Box::new(weather(numbers.next(), roughness, story.clone())));
    let (events, _) = mpsc::unbounded_channel();
    let cancel = Cancel::default();
    let (asked, dies) = (numbers.below(20_000), numbers.below(30_000));
    let (asks, dying) = (numbers.one_in(3), numbers.one_in(3));
    let over = Notify::new();
    let interrupt = async {
        if asks {
            sleep(Duration::from_millis(asked)).await;
            cancel.ask();
        }
        over.notified().await;
    };
    let death = async {
        if !dying {
            over.notified().await;
        }
        sleep(Duration::from_millis(dies)).await;
    };
    tokio::select! {
        biased;
        summary = site.apply_with(desired, Arc::new(faulty), &cancel, events) => {
            story.tell(format!("ended: {:?}", summary.ended()));
            assert!(dying || summary.ended() != Ended::Interrupted || asks, "nobody asked it to stop");
        }
        () = interrupt => unreachable!("it goes on until the apply has ended"),
        () = death => story.tell("died".to_owned()),
    }
}

/// Everything that lives is recorded, everything recorded lives, and all of a service is of one revision and as wanted.
fn assert_settled(site: &Site, desired: &Deployment) {
    let record = site.reader().read().unwrap().record;
    let recorded: Vec<_> =
        record.services.values().flat_map(|service| service.instances.keys().map(ToString::to_string)).collect();
    let live = site.memory.live();
    assert_eq!(recorded, live.keys().cloned().collect::<Vec<_>>());
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for (name, (revision, routes)) in &live {
        let id: wharf_model::InstanceId = name.parse().unwrap();
        let spec = &desired.services[&id.service];
        assert_eq!(Some(*revision), record.services[&id.service].current.map(|current| current.0), "{name}");
        assert_eq!(routes.len(), spec.exposes.len(), "{name} is routed by {routes:?}");
        *counts.entry(id.service.to_string()).or_default() += 1;
    }
    for (name, spec) in &desired.services {
        assert_eq!(counts.get(name.as_str()).copied().unwrap_or(0), spec.instances, "{name}");
    }
}

/// What all that was done to the platform came to: no service ever had more instances than its largest count and surge.
fn assert_bounded(memory: &MemoryProvider, projects: &[&Deployment]) {
    for (service, most) in memory.most_living() {
        let specs = projects.iter().filter_map(|project| project.services.get(&service));
        let bound = specs.map(|spec| spec.instances + spec.rollout.max_surge.rounded_up(spec.instances)).max();
        assert!(most <= bound.unwrap_or(0), "{service} had {most} instances at once");
    }
}

async fn play(seed: u64, story: &Story) {
    let mut numbers = Numbers(seed);
    let site = Site { look_every: Duration::from_secs(1), ..Site::new() };
    let (before, after) = (project(&mut numbers), project(&mut numbers));
    site.settle(&before).await;
    for _ in 0..=numbers.below(3) {
        let desired = if numbers.one_in(5) { &before } else { &after };
        endure(&site, desired, &mut numbers, story).await;
    }
    site.settle(&after).await;
    assert_settled(&site, &after);
    assert_bounded(&site.memory, &[&before, &after]);
    site.settle(&deployment(&[])).await;
    assert!(site.memory.is_empty(), "something is left");
}

fn run(seed: u64, story: &Story) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(play(seed, story));
}

#[test]
fn every_history_ends_as_it_should() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SEED") {
        let story = Story::default();
        let ended = panic::catch_unwind(|| run(seed, &story));
        println!("{}", story.lines().join("\n"));
        ended.unwrap_or_else(|why| panic::resume_unwind(why));
        return;
    }
    let (next, seeds, failed) = (AtomicU64::new(0), number("SEEDS").unwrap_or(SEEDS), Mutex::new(Vec::new()));
    let player = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return;
            }
            if panic::catch_unwind(|| run(seed, &Story::default())).is_err() {
                failed.lock().unwrap().push(seed);
            }
        }
    };
    thread::scope(|scope| (0..thread::available_parallelism().unwrap().get()).for_each(|_| drop(scope.spawn(player))));
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "these seeds went wrong: {failed:?}; play one with `make simulation SEED={:?}`",
        failed[0]
    );
    println!("{seeds} histories ended as they should");
}

#[test]
fn a_seed_tells_the_same_story_every_time() {
    for seed in 0..40 {
        let (first, second) = (Story::default(), Story::default());
        run(seed, &first);
        run(seed, &second);
        assert_eq!(first.lines(), second.lines(), "seed {seed}");
    }
}
