//! What holds of every plan, whatever project it is made from and whatever is there: searched over drawn projects, their
//! changes and every order that a plan leaves open.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod projects;
mod world;

use projects::{project, rename};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use wharf_model::{Address, Deployment, EnvValue, Field, FieldPath, GroupPolicy, Program};
use wharf_plan::{Cause, SavedPlan, Selection, WhyLeftOut, check};
use world::{CANARY, World, capabilities};

/// The projects of a history, one after the other, with what is renamed between them.
fn history(drawn: Vec<(Deployment, bool)>) -> Vec<Deployment> {
    let mut history: Vec<Deployment> = Vec::new();
    for (mut next, renamed) in drawn {
        if let (Some(before), true) = (history.last(), renamed) {
            rename(before, &mut next);
        }
        history.push(next);
    }
    history
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// From any project to any other: after an apply the plan is empty, in whatever order it was carried out, and every
    /// order ends in the same place.
    #[test]
    fn any_order_ends_where_the_next_plan_is_empty(
        drawn in prop::collection::vec(project(), 1..4), seeds in any::<(u64, u64)>(), renames in any::<bool>(),
    ) {
        let (history, capabilities) = (history(drawn), capabilities(renames));
        let mut world = World::new(&history[0]);
        for desired in &history {
            let plan = world.plan(desired, &capabilities);
            let mut other = world.clone();
            world.carry_out(&plan, seeds.0);
            other.carry_out(&plan, seeds.1);
            prop_assert_eq!(&world, &other);
            let again = world.plan(desired, &capabilities);
            prop_assert!(again.is_empty(), "{:#?}\nof\n{:#?}", again.changes(), plan.changes());
        }
    }

    /// A plan says no secret, is the same for the same input, and reads back from what it was saved as.
    #[test]
    fn a_plan_tells_no_secret_and_reads_back(
        drawn in prop::collection::vec(project(), 1..3), renames in any::<bool>(),
    ) {
        let (history, capabilities) = (history(drawn), capabilities(renames));
        let mut world = World::new(&history[0]);
        for desired in &history {
            let plan = world.plan(desired, &capabilities);
            let json = plan.json();
            let debug = format!("{plan:?}");
            prop_assert!(!json.contains(CANARY) && !debug.contains(CANARY));
            prop_assert_eq!(&json, &world.plan(desired, &capabilities).json());
            let saved = SavedPlan::read(&json).unwrap();
            let found = world.plan_with(desired, &capabilities, |fresh, input| saved.find_in(fresh, input));
            let found = found.unwrap();
            prop_assert_eq!(found.id(), plan.id());
            prop_assert_eq!(found.operations().len(), plan.operations().len());
            world.carry_out(&found, 1);
        }
    }

    /// What a selection leaves needs nothing that is left out, can be carried out in any order, and together with what
    /// comes after leads to the same place.
    #[test]
    fn a_selection_is_closed(
        drawn in prop::collection::vec(project(), 2..4), seed in any::<u64>(), renames in any::<bool>(),
        only in any::<bool>(),
    ) {
        let (history, capabilities) = (history(drawn), capabilities(renames));
        let mut world = World::new(&history[0]);
        for desired in &history {
            let names = BTreeSet::from(["alpha".parse().unwrap()]);
            let selection = if only {
                Selection { only: names, ..Selection::default() }
            } else {
                Selection { except: names, ..Selection::default() }
            };
            let whole = world.plan(desired, &capabilities);
            let part = whole.clone().select(&selection);
            prop_assert_eq!(check(&part), []);
            prop_assert_eq!(part.changes().len() + part.left_out().len(), whole.changes().len());
            for left in part.left_out() {
                let own = left.address.service().is_some_and(|name| name.as_str() == "alpha");
                prop_assert!(!(only && own), "{} was asked for", left.address);
                prop_assert!(!own || left.why == WhyLeftOut::Excepted || only);
            }
            world.carry_out(&part, seed);
            let rest = world.plan(desired, &capabilities);
            world.carry_out(&rest, seed);
            prop_assert!(world.plan(desired, &capabilities).is_empty());
        }
    }

    /// A change of k fields is told as a change of exactly those.
    #[test]
    fn exactly_the_changed_fields_are_told(
        which in prop::sample::subsequence((0..MUTATIONS.len()).collect::<Vec<_>>(), 0..=MUTATIONS.len()),
    ) {
        let capabilities = capabilities(true);
        let desired = rich();
        let mut world = World::new(&desired);
        let first = world.plan(&desired, &capabilities);
        world.carry_out(&first, 0);
        let mut changed = desired.clone();
        let mut expected = BTreeSet::new();
        for index in which {
            let (address, path, mutate) = &MUTATIONS[index];
            mutate(&mut changed);
            expected.insert(format!("{address} {path}"));
        }
        let plan = world.plan(&changed, &capabilities);
        let told: BTreeSet<String> = plan
            .changes()
            .iter()
            .flat_map(|change| change.what.causes().iter().map(move |cause| (&change.address, cause)))
            .filter_map(|(address, cause)| match cause {
                Cause::Written { difference, .. } => Some(format!("{address} {}", difference.path)),
                _ => None,
            })
            .collect();
        prop_assert_eq!(told, expected);
    }
}

/// A project with something of every kind.
fn rich() -> Deployment {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    loop {
        let (desired, _) = proptest::strategy::ValueTree::current(&project().new_tree(&mut runner).unwrap());
        let alpha = desired.services.get(&"alpha".parse().unwrap());
        let full = alpha.is_some_and(|spec| {
            spec.instances > 0 && spec.template.image.is_some() && spec.group.is_some() && spec.exposes.is_empty()
        });
        if full && desired.gateways.len() == 2 && desired.shared.nlbs.len() == 1 && desired.shared.groups.len() == 1 {
            return desired;
        }
    }
}

type Mutation = (&'static str, &'static str, fn(&mut Deployment));

fn alpha(desired: &mut Deployment) -> &mut wharf_model::ServiceSpec {
    desired.services.get_mut(&"alpha".parse().unwrap()).unwrap()
}

/// One field each, by the address that the plan tells it under.
const MUTATIONS: &[Mutation] = &[
    ("service.alpha", "env.EXTRA", |desired| {
        alpha(desired).template.env.insert("EXTRA".parse().unwrap(), EnvValue::Plain("1".into()));
    }),
    ("service.alpha", "command", |desired| alpha(desired).template.program = Program::Command(vec!["other".into()])),
    ("service.alpha", "port", |desired| alpha(desired).template.port = Some(8001)),
    ("service.alpha", "image", |desired| {
        alpha(desired).template.image = Some("registry.example.com/other:1".into());
    }),
    ("service.alpha", "instances", |desired| alpha(desired).instances += 1),
    ("service.alpha", "timeout", |desired| alpha(desired).timeout *= 10),
    ("service.alpha", "labels.team", |desired| {
        alpha(desired).labels.insert("team".into(), "talk".into());
    }),
    ("gateway.side", "max-body", |desired| {
        desired.gateways.get_mut(&"side".parse().unwrap()).unwrap().max_body = Some(wharf_model::Bytes(77));
    }),
    ("gateway.side", "listen", |desired| desired.gateways.get_mut(&"side".parse().unwrap()).unwrap().port = 8700),
    ("group.talk", "group.policy", |desired| {
        desired.shared.groups.values_mut().for_each(|group| group.policy = GroupPolicy::Weights);
    }),
    ("nlb.edge", "nlb.public", |desired| desired.shared.nlbs.values_mut().for_each(|nlb| nlb.public = true)),
    ("registry.registry.example.com", "registry", |desired| {
        desired.shared.registries.values_mut().for_each(|login| login.username = "robot".into());
    }),
];

/// The table of mutations names fields as plans do.
#[test]
fn mutations_name_fields_that_there_are() {
    let known: BTreeMap<&str, Field> = Field::ALL.iter().map(|field| (field.as_str(), *field)).collect();
    for (address, path, _) in MUTATIONS {
        assert!(address.parse::<Address>().is_ok(), "{address}");
        let field = known.iter().find(|(word, _)| path.starts_with(**word));
        assert!(field.is_some_and(|(_, field)| path.starts_with(&FieldPath::of(*field).to_string())), "{path}");
    }
}
