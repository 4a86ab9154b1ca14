//! What is to come of each service, and how long such things took before: what a board holds what happens against.

use std::{collections::BTreeMap, time::Duration};
use wharf_model::{Address, ServiceName};
use wharf_plan::Plan;
use wharf_store::{Logged, Verdict};

/// How many earlier applies are taken for an example.
pub(crate) const EXAMPLES: u64 = 5;

/// The services that an apply moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Foresight(BTreeMap<ServiceName, Ahead>);

/// What is to come of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// How many calls it takes when all goes well.
    pub(crate) calls: usize,
    /// How long that takes, as far as earlier applies can tell.
    pub(crate) takes: Option<Duration>,
}

impl Foresight {
    /// What a plan means to do, in the light of the calls of earlier applies.
    pub(crate) fn of(plan: &Plan, history: &[Logged]) -> Self {
        let pace = pace(history);
        let previews = plan.changes().iter().filter_map(|change| match &change.address {
            Address::Service(name) => Some((name, change.what.preview()?)),
            _ => None,
        });
        let ahead = previews.map(|(name, preview)| {
            let calls = preview.steps.iter().map(|step| step.instances.len()).sum();
            let takes = pace.get(name).map(|pace| pace.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX)));
            (name.clone(), Ahead { calls, takes })
        });
        Self(ahead.collect())
    }

    pub(super) fn ahead(&self, service: &ServiceName) -> Option<Ahead> {
        self.0.get(service).copied()
    }
}

/// How long each service took for a call, waits included, in applies in which all of its calls were made: the middle one
/// of those values.
fn pace(history: &[Logged]) -> BTreeMap<ServiceName, Duration> {
    let mut applies: BTreeMap<(ServiceName, u64), Vec<&Logged>> = BTreeMap::new();
    for one in history {
        if let Address::Instance(service, _) = &one.intent.address {
            applies.entry((service.clone(), one.behind)).or_default().push(one);
        }
    }
    let mut paces: BTreeMap<ServiceName, Vec<Duration>> = BTreeMap::new();
    for ((service, _), calls) in applies {
        let begun = calls.iter().filter_map(|call| call.at).min();
        let ended = calls.iter().filter_map(|call| call.ended).max();
        let went_well = calls.iter().all(|call| call.verdict == Verdict::Done);
        if let (Some(begun), Some(ended), true) = (begun, ended, went_well) {
            let each = ended.since(begun) / u32::try_from(calls.len()).unwrap_or(u32::MAX);
            paces.entry(service).or_default().push(each);
        }
    }
    let middle = |mut paces: Vec<Duration>| {
        paces.sort();
        paces.get(paces.len() / 2).copied().unwrap_or_default()
    };
    paces.into_iter().map(|(service, paces)| (service, middle(paces))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_model::{Intent, IntentId, OperationId, PlanId, Timestamp, Verb};
    use wharf_store::Author;

    fn call(behind: u64, at: u64, ended: u64, verdict: Verdict) -> Logged {
        Logged {
            behind,
            by: Author::default(),
            plan: PlanId("".into()),
            intent: Intent {
                id: IntentId(at),
                operation: OperationId("".into()),
                address: "instance.hello[0]".parse().unwrap(),
                verb: Verb::Start,
                object: "hello-0-g1".to_owned(),
                revision: None,
            },
            at: Some(Timestamp(at)),
            verdict,
            ended: Some(Timestamp(ended)),
        }
    }

    #[test]
    fn the_middle_one_of_what_went_well_is_expected() {
        let done = || Verdict::Done;
        let history = [
            call(1, 0, 1_000, done()),
            call(1, 2_000, 4_000, done()),
            call(2, 10_000, 11_000, done()),
            call(3, 20_000, 29_000, done()),
            call(4, 30_000, 99_000, Verdict::Failed("no".to_owned())),
        ];
        let hello: ServiceName = "hello".parse().unwrap();
        assert_eq!(pace(&history), BTreeMap::from([(hello, Duration::from_secs(2))]));
        assert!(pace(&[]).is_empty());
    }
}
