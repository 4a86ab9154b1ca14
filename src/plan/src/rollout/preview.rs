//! What a rollout will do when all goes well: the same steps, run against an ideal service.

use super::{Action, Order, PaceStep, Rollout, Seen, Settled, Sight, Standing};
use std::{collections::BTreeMap, time::Duration};
use wharf_model::{Gate, Generation, InstanceId, Rest, Slot, Timestamp, Verb};

/// The steps of a rollout in which every instance becomes ready and drains at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// What happens, in order; what stands in one step happens together.
    pub steps: Vec<PreviewStep>,
    /// The lowest number of ready instances on the way.
    pub lowest_ready: u32,
    /// The highest number of living instances on the way.
    pub most_living: u32,
    /// How long it takes at least, by the waits that the file asks for.
    pub at_least: Duration,
    /// In which steps instances are replaced, when they are.
    pub pace: Vec<PaceStep>,
}

/// One step of a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewStep {
    /// What is done, to each instance in turn.
    pub verb: Verb,
    /// The instances.
    pub instances: Vec<InstanceId>,
    /// How many instances are ready and serve afterwards.
    pub ready: u32,
}

/// Runs the rollout in thought. `ready` are the standing instances that are ready now; the others are taken as ended.
pub fn preview(
    order: &Order,
    standing: &BTreeMap<InstanceId, Standing>,
    generations: &BTreeMap<Slot, Generation>,
    ready: impl Fn(&InstanceId) -> bool,
) -> Preview {
    let mut now = Timestamp(0);
    let all = standing.iter().map(|(instance, standing)| (instance.clone(), *standing));
    let mut judged = order.clone();
    // In thought, every gate is passed.
    judged.pace.iter_mut().for_each(|step| {
        step.gate = Gate::default();
        // And somebody lets it go on at once.
        step.rest = step.rest.filter(|rest| *rest != Rest::Pause);
    });
    let mut rollout = Rollout::new(judged, all, generations.clone(), now);
    let mut ideal: BTreeMap<InstanceId, Sight> =
        standing.keys().map(|instance| (instance.clone(), sight(ready(instance)))).collect();
    let mut steps: Vec<PreviewStep> = Vec::new();
    let mut settled = Vec::new();
    let mut figures = None;
    // Each instance takes four actions and a wait at most, so this is far beyond what an ideal service needs.
    let bound = 16 * (standing.len() + order.goal.count as usize + order.pace.len() + 2);
    for _ in 0..bound {
        let seen = Seen { look: Some(ideal.clone()), settled: std::mem::take(&mut settled) };
        let (next, actions) = rollout.step(&seen, now);
        rollout = next;
        let mut serving = rollout.tally().ready + old_ready(&rollout, &ideal);
        let (lowest, most) = figures.get_or_insert((serving, living(&ideal)));
        (*lowest, *most) = ((*lowest).min(serving), (*most).max(living(&ideal)));
        if rollout.has_ended() {
            break;
        }
        if actions.is_empty() {
            let watched = rollout.held_until().filter(|until| *until > now);
            now = watched.unwrap_or(now + order.min_ready.max(Duration::from_millis(1)));
        }
        for action in actions {
            match action {
                Action::Route(_) => serving += 1,
                Action::Drain(_) => serving = serving.saturating_sub(1),
                Action::Start(..) | Action::Stop(_) => {}
            }
            settled.push(carry_out(&action, &mut ideal));
            note(&mut steps, &action, serving);
        }
        if let Some((lowest, _)) = &mut figures {
            *lowest = (*lowest).min(serving);
        }
    }
    let (lowest_ready, most_living) = figures.unwrap_or_default();
    let pace = if rollout.replaces { order.pace.clone() } else { Vec::new() };
    Preview { steps, lowest_ready, most_living, at_least: now.since(Timestamp(0)), pace }
}

fn sight(ready: bool) -> Sight {
    let ended = (!ready).then_some(wharf_model::Exit::Unseen);
    Sight { ready, ended, in_flight: Some(0), ..Sight::absent() }
}

fn living(ideal: &BTreeMap<InstanceId, Sight>) -> u32 {
    u32::try_from(ideal.values().filter(|sight| sight.ended.is_none()).count()).unwrap_or(u32::MAX)
}

/// Ready instances of other revisions that still serve.
fn old_ready(rollout: &Rollout, ideal: &BTreeMap<InstanceId, Sight>) -> u32 {
    let goal = rollout.goal().revision;
    let old = rollout.instances.iter().filter(|(instance, tracked)| {
        let ready = ideal.get(*instance).is_some_and(|sight| sight.ready);
        tracked.revision != goal && matches!(tracked.stage, super::Stage::Serving { .. }) && ready
    });
    u32::try_from(old.count()).unwrap_or(u32::MAX)
}

fn carry_out(action: &Action, ideal: &mut BTreeMap<InstanceId, Sight>) -> Settled {
    match action {
        Action::Start(instance, _) => drop(ideal.insert(instance.clone(), sight(true))),
        Action::Stop(instance) => drop(ideal.remove(instance)),
        Action::Route(_) | Action::Drain(_) => {}
    }
    Settled { instance: action.instance().clone(), verb: action.verb(), error: None }
}

fn note(steps: &mut Vec<PreviewStep>, action: &Action, ready: u32) {
    let (verb, instance) = (action.verb(), action.instance().clone());
    match steps.last_mut() {
        Some(last) if last.verb == verb => {
            last.instances.push(instance);
            last.ready = ready;
        }
        _ => steps.push(PreviewStep { verb, instances: vec![instance], ready }),
    }
}
