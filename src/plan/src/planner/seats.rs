//! Seats on GPUs: whether every instance that is to be started finds one at the moment when it is started. Rollouts run side
//! by side; in thought, those that start instances at the same time do so before any of them lets an old one go.

use super::Planner;
use crate::{Problem, rollout::PreviewStep};
use std::collections::{BTreeMap, VecDeque};
use wharf_model::{Address, Field, FieldPath, Gpu, Gpus, InstanceId, Seat, ServiceName, Template, Verb};
use wharf_seats::{NoSeat, Wish, find};

/// A rollout, for the seats that it takes and gives back.
pub(super) struct Move {
    service: ServiceName,
    /// What each of its new instances asks for.
    wish: Option<Gpu>,
    /// How many such seats an instance takes.
    size: u32,
    steps: VecDeque<PreviewStep>,
}

impl Move {
    pub(super) fn new(service: ServiceName, template: &Template, steps: &[PreviewStep]) -> Self {
        let wish = template.resources.gpu.as_ref().filter(|wish| wish.asks()).cloned();
        let size = template.unit.as_ref().map_or(1, |unit| unit.size);
        Self { service, wish, size, steps: steps.iter().cloned().collect() }
    }

    /// The steps at the front that start instances, or else those that do not.
    fn next(&mut self, starts: bool) -> Vec<PreviewStep> {
        let mut taken = Vec::new();
        while self.steps.front().is_some_and(|step| (step.verb == Verb::Start) == starts) {
            taken.extend(self.steps.pop_front());
        }
        taken
    }

    /// Starts what it starts next; the instance that finds no seat, and why.
    fn start(&mut self, gpus: &Gpus, held: &mut BTreeMap<String, Seat>) -> Result<(), (InstanceId, NoSeat)> {
        for id in self.next(true).into_iter().flat_map(|step| step.instances) {
            let Some(wish) = &self.wish else { continue };
            for rank in 0..self.size {
                let seat = find(wish, &gpus.cards, held.iter()).map_err(|none| (id.clone(), none))?;
                held.insert(holder(&id, rank), seat);
            }
        }
        Ok(())
    }

    /// Takes away what it takes away next.
    fn stop(&mut self, held: &mut BTreeMap<String, Seat>) {
        for step in self.next(false).into_iter().filter(|step| step.verb == Verb::Stop) {
            for id in &step.instances {
                let mut ranks = 0..;
                while ranks.next().is_some_and(|rank| held.remove(&holder(id, rank)).is_some()) {}
            }
        }
    }
}

/// Who holds a seat: what an instance of several machines holds that stands is all its own.
fn holder(id: &InstanceId, rank: u32) -> String {
    if rank == 0 { id.to_string() } else { format!("{id}.{rank}") }
}

impl Planner<'_> {
    /// Sees whether the machine has the driver and the seats that services ask for, where the runtime tells.
    pub(super) fn seats(&mut self) {
        let Some(gpus) = &self.input.observed.gpus else { return };
        let asking = self.input.desired.services.iter();
        let asking: Vec<_> = asking
            .filter_map(|(name, spec)| Some((name, spec.template.resources.gpu.as_ref().filter(|gpu| gpu.asks())?)))
            .collect();
        for (name, gpu) in &asking {
            if let Some((field, why, help)) = unfit(gpus, gpu) {
                self.no_seat(name, field, why, help);
            }
        }
        if asking.is_empty() || !self.problems.is_empty() {
            return;
        }
        let own = gpus.held.iter().map(|(id, seat)| (id.to_string(), seat.clone()));
        let others = gpus.others.iter().map(|(name, seat)| (name.to_string(), seat.clone()));
        let mut held: BTreeMap<String, Seat> = own.chain(others).collect();
        let mut moves = std::mem::take(&mut self.moves);
        while !moves.is_empty() {
            for step in &mut moves {
                if let Err((id, none)) = step.start(gpus, &mut held) {
                    let field = if step.wish.as_ref().is_some_and(|wish| wish.count > 0) {
                        Field::Gpu
                    } else {
                        Field::GpuMemory
                    };
                    let waits = step.steps.iter().any(|step| step.verb == Verb::Stop);
                    step.steps.clear();
                    let why = format!("{id} finds no seat on a GPU when it is to be started: {none}");
                    self.no_seat(&step.service, field, why, way_out(waits));
                }
            }
            moves.iter_mut().for_each(|step| step.stop(&mut held));
            moves.retain(|step| !step.steps.is_empty());
        }
    }

    fn no_seat(&mut self, service: &ServiceName, field: Field, why: String, help: &str) {
        let (address, path) = (Address::Service(service.clone()), FieldPath::of(field));
        let origin = self.origin(&address, &path);
        self.problems.push(Problem::Gpu { address, path, why, help: help.to_owned(), origin });
    }
}

fn way_out(waits: bool) -> &'static str {
    if waits {
        "let an old instance go first, with `rollout { max-surge 0; max-unavailable 1 }`, or free a card"
    } else {
        "free a card, or ask for fewer instances or for less of a card"
    }
}

/// Why no instance of the service can be started here at all.
fn unfit(gpus: &Gpus, gpu: &Gpu) -> Option<(Field, String, &'static str)> {
    let field = if gpu.count > 0 { Field::Gpu } else { Field::GpuMemory };
    if let Some(trouble) = &gpus.trouble {
        return Some((field, trouble.clone(), "see that the driver of the GPUs answers: `nvidia-smi`"));
    }
    let Some(found) = &gpus.driver else {
        let help = "install the driver of the GPUs, or write it in the environments that run elsewhere";
        return Some((field, "the machine has no driver for GPUs".to_owned(), help));
    };
    let wish = match gpu.driver.as_ref()?.parse::<Wish>() {
        Ok(wish) => wish,
        Err(error) => return Some((Field::GpuDriver, error.to_string(), "write such a version")),
    };
    (!wish.is_met_by(found)).then(|| {
        let why = format!("the driver of the machine's GPUs is {found}, and {wish} is asked for");
        (Field::GpuDriver, why, "bring the machine another driver, or ask for one that it has")
    })
}
