//! Rollouts in a simulated world that may be as unkind as it likes. The world checks the bounds by its own books.

use super::{Action, Goal, Order, PaceStep, Phase, Refusal, Rollout, Seen, Settled, Sight, Standing, Traffic, Wish};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use wharf_model::{Exit, Figures, Gate, Generation, InstanceId, Rest, RevisionNumber, Slot, Timestamp, Verb};

const OLD: RevisionNumber = RevisionNumber(1);
const NEW: RevisionNumber = RevisionNumber(2);
const TICK: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
struct Shape {
    old: u32,
    count: u32,
    surge: u32,
    unavailable: u32,
    can_go_back: bool,
    pace: &'static [PaceStep],
}

/// One first, then two, each watched for a while.
const STEPS: &[PaceStep] = &[watched(1, TICK), watched(2, Duration::ZERO)];

const fn watched(share: u32, hold: Duration) -> PaceStep {
    PaceStep { share, hold, gate: NO_GATE, warm: 0, rest: None }
}

const NO_GATE: Gate = Gate { error_rate: None, latency_p99: None, restarts: None, requests: None };

/// One in a hundred may fail, judged by two looks at one instance.
const GATE: Gate = Gate { error_rate: Some(1), requests: Some(200), ..NO_GATE };

/// The same, held against a gate.
const GATED: &[PaceStep] = &[PaceStep { gate: GATE, ..watched(1, TICK) }, PaceStep { gate: GATE, ..watched(2, TICK) }];

/// One first, then all, with an old one beside them for a while.
const BAKED: &[PaceStep] = &[
    PaceStep { gate: GATE, ..watched(1, TICK) },
    PaceStep { gate: GATE, warm: 1, ..watched(u32::MAX, Duration::from_secs(2)) },
];

/// One first, then two, and a wait for somebody behind each.
const PAUSED: &[PaceStep] = &[
    PaceStep { rest: Some(Rest::Pause), ..watched(1, TICK) },
    PaceStep { rest: Some(Rest::Pause), gate: GATE, ..watched(2, TICK) },
];

/// Two are replaced, the others stay until somebody says otherwise.
const PARTED: &[PaceStep] = &[PaceStep { rest: Some(Rest::Partition), ..watched(2, Duration::ZERO) }];

fn order(shape: Shape) -> Order {
    Order {
        service: "hello".parse().unwrap(),
        goal: Goal { revision: NEW, count: shape.count },
        back: shape.can_go_back.then_some(Goal { revision: OLD, count: shape.old }),
        surge: shape.surge,
        unavailable: shape.unavailable,
        min_ready: 2 * TICK,
        deadline: 6 * TICK,
        grace: 3 * TICK,
        pace: shape.pace.to_vec(),
        passed: 0,
        rest: None,
        before: (shape.old > 0).then_some(Goal { revision: OLD, count: shape.old }),
    }
}

/// What the world does in one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Weather {
    /// Everything works.
    Fair,
    /// New instances do not pass their probes.
    NewNotReady,
    /// Nothing passes its probe.
    NothingReady,
    /// The n-th instance dies.
    Dies(u8),
    /// Draining instances keep their requests.
    Busy,
    /// Every action fails.
    Refused,
    /// Actions take longer than a tick.
    Slow,
    /// Requests of new instances fail.
    NewFails,
    /// Nobody asks for anything.
    Quiet,
    /// Somebody asks something of the rollout.
    Wish(Wish),
}

#[derive(Debug, Clone)]
struct Body {
    new: bool,
    alive: bool,
    routed: bool,
    /// When the drain was settled.
    drained_at: Option<Timestamp>,
    /// Since when every look has found it ready.
    ready_since: Option<Timestamp>,
    /// What the last look told about its requests, after the drain.
    idle: bool,
    /// What a gateway has counted.
    figures: Figures,
}

impl Body {
    fn of(revision: RevisionNumber) -> Self {
        let figures = Figures::default();
        let new = revision == NEW;
        Self { new, alive: true, routed: false, drained_at: None, ready_since: None, idle: false, figures }
    }
}

struct World {
    shape: Shape,
    now: Timestamp,
    bodies: BTreeMap<InstanceId, Body>,
    rollout: Rollout,
    under_way: Vec<Action>,
    /// Every name that was ever used.
    used: BTreeSet<InstanceId>,
    /// The most new instances that a look ever found ready at once.
    most_ready: u32,
    /// Whether requests of new instances have failed while a gate was there to see it.
    caught: bool,
    /// Whether somebody wanted to be done with the steps.
    promoted: bool,
}

impl World {
    fn new(shape: Shape) -> Self {
        let now = Timestamp(1_000_000);
        let name = |slot| InstanceId { service: "hello".parse().unwrap(), slot: Slot(slot), generation: Generation(1) };
        let standing = |slot| (name(slot), Standing { revision: OLD, traffic: Traffic::Served });
        let body = Body { routed: true, ready_since: Some(now), ..Body::of(OLD) };
        Self {
            shape,
            now,
            bodies: (0..shape.old).map(|slot| (name(slot), body.clone())).collect(),
            rollout: Rollout::new(order(shape), (0..shape.old).map(standing), BTreeMap::new(), now),
            under_way: Vec::new(),
            used: (0..shape.old).map(name).collect(),
            most_ready: 0,
            caught: false,
            promoted: false,
        }
    }

    fn look(&mut self, weather: Weather) -> BTreeMap<InstanceId, Sight> {
        if let Weather::Dies(which) = weather {
            let alive: Vec<_> = self.bodies.iter_mut().filter(|(_, body)| body.alive).collect();
            let count = alive.len().max(1);
            if let Some((_, body)) = alive.into_iter().nth(which as usize % count) {
                body.alive = false;
            }
        }
        let now = self.now;
        let mut look = BTreeMap::new();
        for (instance, body) in &mut self.bodies {
            let new = body.new;
            let ready = body.alive
                && match weather {
                    Weather::NothingReady => false,
                    Weather::NewNotReady => !new,
                    _ => true,
                };
            body.ready_since = if ready { body.ready_since.or(Some(now)) } else { None };
            body.idle = body.drained_at.is_some() && weather != Weather::Busy;
            let in_flight = Some(u64::from(!body.idle));
            // Of every other slot, the platform would start again what ends.
            let (ended, between) = match (body.alive, instance.slot.0 % 2 == 1 && !body.routed) {
                (true, _) => (None, None),
                (false, true) => (None, Some(Exit::Code(1))),
                (false, false) => (Some(Exit::Code(1)), None),
            };
            if body.routed && body.alive && weather != Weather::Quiet {
                body.figures.requests += 100;
                body.figures.errors += if new && weather == Weather::NewFails { 100 } else { 0 };
            }
            let figures = body.routed.then(|| body.figures.clone());
            look.insert(
                instance.clone(),
                Sight {
                    ended,
                    between,
                    restarts: None,
                    ready,
                    answer: None,
                    in_flight,
                    figures,
                    last_lines: Vec::new(),
                },
            );
        }
        let ready = self.new_ones().filter(|(_, body)| body.ready_since.is_some()).count();
        self.most_ready = self.most_ready.max(u32::try_from(ready).unwrap());
        look
    }

    fn carry_out(&mut self, weather: Weather) -> Vec<Settled> {
        if weather == Weather::Slow {
            return Vec::new();
        }
        let actions = std::mem::take(&mut self.under_way);
        actions.into_iter().map(|action| self.settle(&action, weather == Weather::Refused)).collect()
    }

    fn settle(&mut self, action: &Action, refused: bool) -> Settled {
        let instance = action.instance().clone();
        if !refused {
            let now = self.now;
            match action {
                Action::Start(_, revision) => {
                    self.bodies.insert(instance.clone(), Body::of(*revision));
                }
                Action::Route(_) => {
                    if let Some(body) = self.bodies.get_mut(&instance) {
                        body.routed = true;
                    }
                }
                Action::Drain(_) => {
                    if let Some(body) = self.bodies.get_mut(&instance) {
                        body.drained_at = Some(now);
                    }
                }
                Action::Stop(_) => drop(self.bodies.remove(&instance)),
            }
        }
        Settled {
            instance,
            verb: action.verb(),
            error: refused.then(|| Refusal { error: "the platform is in a mood".to_owned(), help: None }),
        }
    }

    fn new_ones(&self) -> impl Iterator<Item = (&InstanceId, &Body)> {
        self.bodies.iter().filter(|(_, body)| body.new)
    }

    /// How many new instances the steps allow, by what was ever seen ready.
    fn allowed(&self) -> u32 {
        let step = self.shape.pace.iter().find(|step| self.most_ready < step.share);
        let paced = self.shape.old > 0 && matches!(self.rollout.phase(), Phase::Forward) && !self.promoted;
        let share = step.filter(|_| paced).map_or(u32::MAX, |step| step.share);
        self.rollout.resting().map_or(share, |rest| rest.min(share))
    }

    /// Whether new instances get requests, and a gate looks at them.
    fn is_gated(&self) -> bool {
        let served = self.new_ones().any(|(_, body)| body.routed && body.alive);
        served && self.rollout.held_until().is_some() && self.rollout.pace_step().is_some_and(|step| step.gate == GATE)
    }

    fn living(&self) -> u32 {
        let starting = self.under_way.iter().filter(|action| action.verb() == Verb::Start).count();
        u32::try_from(self.bodies.values().filter(|body| body.alive).count() + starting).unwrap()
    }

    fn ready_capacity(&self) -> u32 {
        let leaving: BTreeSet<_> =
            self.under_way.iter().filter(|action| action.verb() == Verb::Drain).map(Action::instance).collect();
        let serves = |(instance, body): &(&InstanceId, &Body)| {
            body.routed && body.ready_since.is_some() && body.drained_at.is_none() && !leaving.contains(*instance)
        };
        u32::try_from(self.bodies.iter().filter(serves).count()).unwrap()
    }

    /// The promise, action by action.
    fn check(&mut self, action: &Action) {
        let goal = self.rollout.goal();
        let floor = goal.count.saturating_sub(self.shape.unavailable);
        let instance = action.instance();
        let body = self.bodies.get(instance);
        match action {
            Action::Start(_, revision) => {
                assert!(self.used.insert(instance.clone()), "{instance} is used twice");
                assert!(self.living() < goal.count + self.shape.surge, "one too many: {instance}");
                let of_new = |action: &&Action| matches!(action, Action::Start(_, NEW));
                let starting = self.under_way.iter().filter(of_new).count();
                let new = self.new_ones().filter(|(_, body)| body.alive).count() + starting;
                let ahead = *revision == NEW && u32::try_from(new).unwrap() >= self.allowed();
                assert!(!ahead, "{instance} is ahead of its step");
            }
            Action::Route(_) => {
                let since = body.unwrap().ready_since.expect("ready");
                assert!(self.now.since(since) >= 2 * TICK, "{instance} gets requests too early");
            }
            Action::Drain(_) => {
                if body.unwrap().ready_since.is_some() {
                    assert!(self.ready_capacity() > floor, "draining {instance} costs capacity");
                }
            }
            Action::Stop(_) => {
                let body = body.cloned().unwrap_or(Body { alive: false, ..Body::of(OLD) });
                let out_of_grace = body.drained_at.is_some_and(|at| self.now.since(at) >= 3 * TICK);
                assert!(!body.alive || !body.routed || body.idle || out_of_grace, "{instance} is stopped at work");
            }
        }
    }

    fn tick(&mut self, weather: Weather) {
        self.now = self.now + TICK;
        let settled = self.carry_out(weather);
        if let Weather::Wish(wish) = weather {
            let (next, taken) = self.rollout.clone().wish(wish, "somebody", self.now);
            self.rollout = next;
            self.promoted |= taken && wish == Wish::Promote;
        }
        let look = Some(self.look(weather));
        self.caught |= weather == Weather::NewFails && self.is_gated();
        let (next, actions) = self.rollout.clone().step(&Seen { look, settled }, self.now);
        self.rollout = next;
        let goes_on = matches!(self.rollout.phase(), Phase::Forward | Phase::Done);
        assert!(!(self.caught && goes_on), "new instances fail, and the gate lets them pass");
        for action in actions {
            self.check(&action);
            self.under_way.push(action);
        }
    }

    fn over(&self) -> bool {
        self.rollout.is_over()
    }

    /// Lets a rollout that rests go on, in another apply.
    fn go_on(&mut self) {
        assert!(self.bodies.values().all(|body| body.routed && body.drained_at.is_none()), "it rests half-way");
        let (passed, _) = self.rollout.passed().unwrap();
        let revision = |body: &Body| if body.new { NEW } else { OLD };
        let standing = |(name, body): (&InstanceId, &Body)| {
            (name.clone(), Standing { revision: revision(body), traffic: Traffic::Served })
        };
        let mut generations = BTreeMap::new();
        for name in &self.used {
            let highest = generations.entry(name.slot).or_insert(name.generation);
            *highest = (*highest).max(name.generation);
        }
        let order = Order { passed, ..order(self.shape) };
        self.rollout = Rollout::new(order, self.bodies.iter().map(standing), generations, self.now);
    }

    fn run_out(mut self, weather: Weather, ticks: u32) -> Self {
        for _ in 0..ticks {
            if let (true, Phase::Resting(_)) = (self.over(), self.rollout.phase()) {
                self.go_on();
            }
            if self.over() {
                return self;
            }
            self.tick(weather);
        }
        panic!("it does not end in {weather:?}: {:#?}", self.rollout);
    }
}

/// More ticks than any rollout of these sizes may take.
const LONG: u32 = 200;

/// Every shape of up to two instances.
fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (old, count) in (0..=2).flat_map(|old| (0..=2).map(move |count| (old, count))) {
        for (surge, unavailable) in [(1, 0), (0, 1), (1, 1), (2, 0)] {
            for can_go_back in [false, true] {
                shapes.push(Shape { old, count, surge, unavailable, can_go_back: can_go_back && old > 0, pace: &[] });
            }
        }
    }
    shapes
}

/// Shapes of up to five instances, some of which go in steps.
fn larger_shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (old, count) in (0..=5).flat_map(|old| (3..=5).map(move |count| (old, count))) {
        for (surge, unavailable) in [(1, 0), (0, 1), (2, 1), (0, 3), (5, 0)] {
            for pace in [&[], STEPS, GATED, BAKED, PAUSED, PARTED] {
                shapes.push(Shape { old, count, surge, unavailable, can_go_back: old > 0, pace });
            }
        }
    }
    shapes
}

#[test]
fn in_fair_weather_every_shape_arrives() {
    for shape in shapes().into_iter().chain(larger_shapes()) {
        let world = World::new(shape).run_out(Weather::Fair, LONG);
        assert_eq!(world.rollout.phase(), &Phase::Done, "{shape:?}");
        let left: Vec<_> = world.bodies.iter().map(|(instance, body)| (instance.slot.0, body.routed)).collect();
        assert_eq!(left, (0..shape.count).map(|slot| (slot, true)).collect::<Vec<_>>(), "{shape:?}");
    }
}

#[test]
fn a_revision_that_never_becomes_ready_costs_no_capacity() {
    for shape in shapes().into_iter().filter(|shape| shape.can_go_back && shape.count >= shape.old) {
        let world = World::new(shape).run_out(Weather::NewNotReady, LONG);
        assert!(world.ready_capacity() >= shape.old.saturating_sub(shape.unavailable), "{shape:?}");
        if shape.unavailable == 0 {
            assert!(matches!(world.rollout.phase(), Phase::RolledBack(_)), "{shape:?}: {:?}", world.rollout.phase());
            assert_eq!(world.living(), shape.old, "{shape:?}");
        }
    }
}

const MENU: [Weather; 13] = [
    Weather::Fair,
    Weather::NewNotReady,
    Weather::NothingReady,
    Weather::Dies(0),
    Weather::Dies(1),
    Weather::Busy,
    Weather::Refused,
    Weather::Slow,
    Weather::Wish(Wish::Pause),
    Weather::Wish(Wish::Promote),
    Weather::Wish(Wish::Abort),
    Weather::NewFails,
    Weather::Quiet,
];

/// What can happen to a shape: of requests nobody takes note where no gate does, and wishes make a difference where there
/// are steps to wait at. All of them together are for the properties.
fn menu(shape: Shape) -> impl Iterator<Item = Weather> {
    let rests = shape.pace.iter().any(|step| step.rest.is_some());
    let gated = !rests && shape.pace.iter().any(|step| step.gate == GATE);
    let fits = move |weather: &Weather| match weather {
        Weather::Wish(_) => rests,
        Weather::NewFails | Weather::Quiet => gated,
        _ => true,
    };
    MENU.into_iter().filter(fits)
}

/// Every sequence of weathers up to a length, then each kind of steady weather to the end.
#[test]
fn no_sequence_of_weathers_breaks_a_bound() {
    let small: usize = shapes().into_iter().map(|shape| explore(shape, 5)).sum();
    let large: usize = larger_shapes().into_iter().map(|shape| explore(shape, 3)).sum();
    println!("{small} states of up to 2 instances and {large} of up to 5 were explored, and each was run to its end");
    assert!(small > 30_000 && large > 20_000, "only {small} and {large} states were explored");
}

/// Explores what can become of a rollout in so many ticks. Answers how many states there were.
fn explore(shape: Shape, ticks: u32) -> usize {
    let (mut front, mut explored) = (vec![World::new(shape)], 1);
    for _ in 0..ticks {
        front = front
            .iter()
            .flat_map(|world| menu(shape).map(|weather| world.after(weather)))
            .filter(|world| !world.over())
            .collect();
        let mut seen = BTreeSet::new();
        front.retain(|world| seen.insert(world.portrait()));
        explored += front.len();
    }
    for world in front {
        world.copy().run_out(Weather::NewNotReady, LONG);
        world.copy().run_out(Weather::Refused, LONG);
        world.copy().run_out(Weather::Quiet, LONG);
        world.run_out(Weather::Fair, LONG);
    }
    explored
}

impl World {
    fn copy(&self) -> Self {
        Self {
            shape: self.shape,
            now: self.now,
            bodies: self.bodies.clone(),
            rollout: self.rollout.clone(),
            under_way: self.under_way.clone(),
            used: self.used.clone(),
            most_ready: self.most_ready,
            caught: self.caught,
            promoted: self.promoted,
        }
    }

    fn after(&self, weather: Weather) -> Self {
        let mut next = self.copy();
        next.tick(weather);
        next
    }

    fn portrait(&self) -> String {
        format!("{:?}{:?}{:?}", self.bodies, self.rollout, self.under_way)
    }
}

fn weather() -> impl Strategy<Value = Weather> {
    prop_oneof![
        4 => Just(Weather::Fair),
        1 => Just(Weather::NewNotReady),
        1 => Just(Weather::NothingReady),
        1 => (0_u8..8).prop_map(Weather::Dies),
        1 => Just(Weather::Busy),
        1 => Just(Weather::Refused),
        1 => Just(Weather::Slow),
        1 => Just(Weather::NewFails),
        1 => Just(Weather::Quiet),
        1 => prop::sample::select(&Wish::ALL[..]).prop_map(Weather::Wish),
    ]
}

fn paces() -> impl Strategy<Value = &'static [PaceStep]> {
    prop_oneof![Just(&[][..]), Just(STEPS), Just(GATED), Just(BAKED), Just(PAUSED), Just(PARTED)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn hostile_weather_breaks_no_bound_and_ends(
        (old, count, surge, unavailable) in (0_u32..6, 0_u32..6, 0_u32..3, 0_u32..3),
        can_go_back in any::<bool>(),
        pace in paces(),
        weathers in prop::collection::vec(weather(), 0..80),
    ) {
        prop_assume!(surge + unavailable > 0);
        let mut world = World::new(Shape { old, count, surge, unavailable, can_go_back: can_go_back && old > 0, pace });
        for weather in weathers {
            world.tick(weather);
        }
        world.run_out(Weather::Fair, LONG);
    }

    #[test]
    fn steadily_dying_instances_end_it_too(which in 0_u8..6, count in 1_u32..5) {
        let shape = Shape { old: count, count, surge: 1, unavailable: 0, can_go_back: true, pace: &[] };
        World::new(shape).run_out(Weather::Dies(which), 1_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn fifty_instances_keep_the_bounds_too(
        (old, count, surge, unavailable) in (0_u32..=50, 0_u32..=50, 0_u32..=12, 0_u32..=12),
        pace in paces(),
        weathers in prop::collection::vec(weather(), 0..60),
    ) {
        prop_assume!(surge + unavailable > 0);
        let mut world = World::new(Shape { old, count, surge, unavailable, can_go_back: old > 0, pace });
        for weather in weathers {
            world.tick(weather);
        }
        world.run_out(Weather::Fair, 2_000);
    }
}

#[test]
fn a_roll_in_steps_watches_each_before_it_goes_on() {
    let shape = Shape { old: 4, count: 4, surge: 1, unavailable: 0, can_go_back: true, pace: STEPS };
    let mut order = order(shape);
    order.pace = vec![watched(1, 60 * TICK), watched(2, 120 * TICK)];
    let standing: BTreeMap<_, _> = World::new(shape)
        .bodies
        .keys()
        .map(|name| (name.clone(), Standing { revision: OLD, traffic: Traffic::Served }))
        .collect();
    let preview = super::preview(&order, &standing, &BTreeMap::new(), |_| true);
    assert_eq!((preview.lowest_ready, preview.most_living), (4, 5));
    assert_eq!(preview.at_least, 180 * TICK + 4 * 2 * TICK);
    let first = preview.steps.iter().take(4).map(|step| step.verb).collect::<Vec<_>>();
    assert_eq!(first, [Verb::Start, Verb::Route, Verb::Drain, Verb::Stop]);
}

#[test]
fn the_preview_of_a_roll_reads_as_one_would_tell_it() {
    let shape = Shape { old: 2, count: 2, surge: 1, unavailable: 0, can_go_back: true, pace: &[] };
    let world = World::new(shape);
    let standing =
        world.bodies.keys().map(|name| (name.clone(), Standing { revision: OLD, traffic: Traffic::Served })).collect();
    let preview = super::preview(&order(shape), &standing, &BTreeMap::new(), |_| true);
    let told: Vec<_> = preview
        .steps
        .iter()
        .map(|step| format!("{} {:?} -> {} ready", step.verb, step.instances, step.ready))
        .collect();
    assert_eq!(
        told,
        [
            "start [hello-0-g2] -> 2 ready",
            "route [hello-0-g2] -> 3 ready",
            "drain [hello-0-g1] -> 2 ready",
            "stop [hello-0-g1] -> 2 ready",
            "start [hello-1-g2] -> 2 ready",
            "route [hello-1-g2] -> 3 ready",
            "drain [hello-1-g1] -> 2 ready",
            "stop [hello-1-g1] -> 2 ready",
        ]
    );
    assert_eq!((preview.lowest_ready, preview.most_living, preview.at_least), (2, 3, 4 * TICK));
}

#[test]
fn a_rollout_that_rests_brings_back_what_ends_of_the_old_revision() {
    let shape = Shape { old: 4, count: 4, surge: 1, unavailable: 0, can_go_back: true, pace: PAUSED };
    let mut world = World::new(shape);
    while !matches!(world.rollout.phase(), Phase::Resting(Rest::Pause)) {
        world.tick(Weather::Fair);
    }
    assert_eq!((world.new_ones().count(), world.ready_capacity()), (1, 4));
    world.go_on();
    let order = Order { passed: 1, rest: Some(Rest::Pause), ..order(shape) };
    let old = world.bodies.iter().find(|(_, body)| !body.new).map(|(name, _)| name.clone()).unwrap();
    world.bodies.get_mut(&old).unwrap().alive = false;
    let standing = world.bodies.iter().map(|(name, body)| {
        let revision = if body.new { NEW } else { OLD };
        (name.clone(), Standing { revision, traffic: Traffic::Served })
    });
    world.rollout = Rollout::new(order, standing.collect::<Vec<_>>(), BTreeMap::new(), world.now);
    while !world.over() {
        world.tick(Weather::Fair);
    }
    assert_eq!(world.rollout.phase(), &Phase::Resting(Rest::Pause));
    assert_eq!((world.new_ones().count(), world.ready_capacity()), (1, 4));
    assert!(!world.bodies.contains_key(&old));
}

#[test]
fn a_rollout_that_rests_waits_on_even_when_all_of_the_old_revision_have_gone() {
    let shape = Shape { old: 4, count: 4, surge: 1, unavailable: 0, can_go_back: true, pace: PAUSED };
    let mut world = World::new(shape);
    while !matches!(world.rollout.phase(), Phase::Resting(Rest::Pause)) {
        world.tick(Weather::Fair);
    }
    world.bodies.retain(|_, body| body.new);
    let (name, _) = world.bodies.first_key_value().unwrap();
    let standing = [(name.clone(), Standing { revision: NEW, traffic: Traffic::Served })];
    let generations = (0..4).map(|slot| (Slot(slot), Generation(2))).collect();
    let order = Order { passed: 1, rest: Some(Rest::Pause), ..order(shape) };
    world.rollout = Rollout::new(order, standing, generations, world.now);
    while !world.over() {
        world.tick(Weather::Fair);
    }
    assert_eq!(world.rollout.phase(), &Phase::Resting(Rest::Pause));
    assert_eq!((world.new_ones().count(), world.ready_capacity()), (1, 4));
}
