//! Queues, and counts of instances that change by themselves.

use super::{Decode, found, name, plain, resources::flag};
use crate::{
    block::{Block, Found},
    problem::{Code, Problem},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wharf_model::{
    Address, Autoscale, Elastic, Field, FieldPath, JobShape, Metric, Mirror, Queue, Schedule, ScheduleName, ServiceName,
};

const FIELDS: &[(&str, Field)] = &[
    ("queue", Field::Queue),
    ("job", Field::Job),
    ("autoscale", Field::Autoscale),
    ("mirror", Field::Mirror),
    ("expiry", Field::Expiry),
];

impl Decode<'_> {
    pub(super) fn elastic(&mut self, service: &Block, title: &ServiceName, address: &Address) -> Elastic {
        self.note_each(address, service, FIELDS);
        let block = service.child("autoscale");
        let autoscale = block.and_then(|block| self.autoscale(service, block));
        Elastic {
            queue: service.child("queue").and_then(queue),
            job: self.job(service),
            schedules: self.schedules(service, address, autoscale.as_ref()),
            autoscale,
            mirror: service.child("mirror").and_then(|block| self.mirror(block, title)),
            expiry: plain::<Duration>(service, "expiry"),
        }
    }

    fn job(&mut self, service: &Block) -> Option<JobShape> {
        let block = service.child("job")?;
        let shape = JobShape::of_word(&block.argument::<Arc<str>>(0)?.value)?;
        if let (JobShape::Service, None) = (shape, service.child("queue")) {
            self.requires(block, "queue", "it is the queue from which such jobs answer");
        }
        Some(shape)
    }

    fn autoscale(&mut self, service: &Block, block: &Block) -> Option<Autoscale> {
        let (min, max) = (block.value::<u32>("min"), block.value::<u32>("max"));
        if let (Some(min), Some(max)) = (&min, &max) {
            self.check_counts(service, block, min, max);
        }
        let mut metrics = BTreeMap::new();
        for node in block.every("metric") {
            let metric = node.key().and_then(|word| Metric::of_word(&word));
            if let (Some(metric), Some(target)) = (metric, found(node, "target")) {
                self.check_metric(service, node, metric);
                metrics.insert(metric, target);
            }
        }
        Some(Autoscale {
            min: min?.value,
            max: max?.value,
            metrics,
            up_window: plain(block, "up-window")?,
            down_window: plain(block, "down-window")?,
            idle: plain(block, "idle")?,
            wake: plain(block, "wake")?,
        })
    }

    fn check_counts(&mut self, service: &Block, block: &Block, min: &Found<u32>, max: &Found<u32>) {
        let (least, most) = (min.value, max.value);
        let above = |count: &Found<u32>| count.value > most;
        if above(min) {
            let message = format!("`min` is {least}, and `max` is {most}");
            self.out_of_range(message, min, max, block);
        } else if let Some(wake) = block.value::<u32>("wake").filter(above) {
            self.out_of_range(format!("`wake` is {}, and `max` is {most}", wake.value), &wake, max, block);
        }
        let written = service.child("instances").and_then(|node| node.argument::<u32>(0));
        if let Some(count) = written.filter(|count| least <= most && !(least..=most).contains(&count.value)) {
            let message = format!("`instances` is {}, and `autoscale` goes from {least} to {most}", count.value);
            self.out_of_range(message, &count, max, block);
        }
        let dedicated =
            service.every("expose").filter_map(Block::key).find(|gateway| self.known.dedicated.contains_key(gateway));
        if let (Some(gateway), 0) = (dedicated, least) {
            let message = format!("behind gateway `{gateway}`, which is one's own, a service cannot sleep");
            let problem = Problem::error(Code::Contradiction, message).at(min.at, "would sleep");
            self.report(problem.help("set `min` to 1 or more, or use the shared gateway".to_owned()));
        }
    }

    fn out_of_range(&mut self, message: String, count: &Found<u32>, max: &Found<u32>, block: &Block) {
        let problem = Problem::error(Code::Contradiction, message).at(count.at.or(block.at), "out of the range");
        self.report(problem.and(max.at, "at most so many").help("choose counts from `min` to `max`".to_owned()));
    }

    fn check_metric(&mut self, service: &Block, node: &Block, metric: Metric) {
        if metric == Metric::QueueLength && service.child("queue").is_none() {
            self.requires(node, "queue", "there is no length to follow without one");
        }
    }

    fn schedules(
        &mut self,
        service: &Block,
        address: &Address,
        autoscale: Option<&Autoscale>,
    ) -> BTreeMap<ScheduleName, Schedule> {
        let mut schedules = BTreeMap::new();
        for node in service.every("schedule") {
            let Some((at, name)) = name::<ScheduleName>(node) else { continue };
            self.note(address, FieldPath::at(Field::Schedule, name.as_str()), at);
            let Some(instances) = node.property::<u32>("instances") else { continue };
            let allowed = |range: &Autoscale| (range.min..=range.max).contains(&instances.value);
            if !autoscale.is_none_or(allowed) {
                let message = format!("{} asks for {} instances", node.title(), instances.value);
                let problem = Problem::error(Code::Contradiction, message).at(instances.at, "out of the range");
                self.report(problem.help("widen the range of `autoscale`, or choose a count in it".to_owned()));
            }
            if let Some(cron) = found(node, "cron") {
                let timezone = found(node, "timezone");
                let except = node.child("except").and_then(Block::all).unwrap_or_default();
                schedules.insert(name, Schedule { cron, instances: instances.value, timezone, except });
            }
        }
        schedules
    }

    fn mirror(&mut self, block: &Block, title: &ServiceName) -> Option<Mirror> {
        let mut targets = Vec::new();
        for node in block.every("target") {
            let Some((at, target)) = name::<ServiceName>(node) else { continue };
            self.must_be_declared(Code::UnknownService, "service", target.as_str(), at);
            if target == *title {
                let message = format!("service `{title}` would mirror its requests to itself");
                let problem = Problem::error(Code::Contradiction, message).at(at, "itself");
                self.report(problem.help("mirror to another service".to_owned()));
            }
            targets.push(target);
        }
        Some(Mirror { targets, ratio: block.argument(0)?.value })
    }
}

fn queue(block: &Block) -> Option<Queue> {
    Some(Queue {
        cpu: plain(block, "cpu"),
        memory: plain(block, "memory"),
        dedicated: plain(block, "dedicated"),
        instances: plain(block, "instances")?,
        max_delivery: plain(block, "max-delivery")?,
        workers: plain(block, "workers"),
        output_share: plain(block, "output-share"),
        evict_input: flag(block, "evict-input"),
        evict_output: flag(block, "evict-output"),
    })
}
