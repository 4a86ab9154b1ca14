//! Work that waits in a queue, and counts of instances that change by themselves.

use super::words::{after, words};
use crate::{Bytes, Decimal, Field, ScheduleName, ServiceName, Value, entries::List, print_duration};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

/// How a service meets more or less work than usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elastic {
    /// Requests wait in a queue, and answers too.
    pub queue: Option<Queue>,
    /// Instances are jobs that come for work.
    pub job: Option<JobShape>,
    /// The count of instances follows the work.
    pub autoscale: Option<Autoscale>,
    /// The count of instances follows the clock.
    pub schedules: BTreeMap<ScheduleName, Schedule>,
    /// Requests are sent to others as well.
    pub mirror: Option<Mirror>,
    /// The service is removed when it has not run for so long; never when absent.
    pub expiry: Option<Duration>,
}

impl Elastic {
    pub(crate) fn list(&self, list: &mut List) {
        let Self { queue, job, autoscale, schedules, mirror, expiry } = self;
        list.some(Field::Queue, queue.as_ref());
        list.some(Field::Job, job.map(JobShape::as_str));
        list.some(Field::Autoscale, autoscale.as_ref());
        for (name, schedule) in schedules {
            list.at(Field::Schedule, name.as_str(), Value::Text(schedule.to_string()));
        }
        list.some(Field::Mirror, mirror.as_ref());
        list.some(Field::Expiry, expiry.map(print_duration));
    }
}

/// A queue in front of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its cores.
    pub cpu: Option<Decimal>,
    /// Its memory.
    pub memory: Option<Bytes>,
    /// On which machines of one's own it runs; on those of the service when absent.
    pub dedicated: Option<Arc<str>>,
    /// How many copies of it there are.
    pub instances: u32,
    /// How often a request is handed out before it is given up.
    pub max_delivery: u32,
    /// How many requests an instance works on at once.
    pub workers: Option<u32>,
    /// How much of its memory is for answers, of a hundred.
    pub output_share: Option<u32>,
    /// When requests fill it, the oldest are dropped.
    pub evict_input: bool,
    /// When answers fill it, the oldest are dropped.
    pub evict_output: bool,
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, memory, dedicated, instances, max_delivery, workers, output_share, evict_input, evict_output } =
            self;
        let share = output_share.map(|share| format!("{share}%"));
        write!(f, "instances {instances}, max-delivery {max_delivery}{}", after(", cpu ", cpu))?;
        write!(
            f,
            "{}{}{}{}",
            after(", memory ", memory),
            after(", dedicated ", dedicated),
            after(", workers ", workers),
            after(", output-share ", &share)
        )?;
        f.write_str(if *evict_input { ", evict-input" } else { "" })?;
        f.write_str(if *evict_output { ", evict-output" } else { "" })
    }
}

words! {
    /// What a job is.
    JobShape {
        /// A program that answers requests, one after the other, from the queue.
        Service => "service",
        /// A program that comes for work by itself.
        Worker => "worker",
    }
}

words! {
    /// What the count of instances follows.
    Metric {
        /// Requests a second for each instance.
        Qps => "qps",
        /// Requests at once for each instance.
        Concurrency => "concurrency",
        /// Cores in use, of a hundred.
        Cpu => "cpu",
        /// GPUs in use, of a hundred.
        Gpu => "gpu",
        /// Requests that wait for each instance.
        QueueLength => "queue-length",
    }
}

/// The count of instances follows the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Autoscale {
    /// At least so many; 0 when the service may sleep.
    pub min: u32,
    /// At most so many.
    pub max: u32,
    /// What each metric should be; the one that asks for most instances counts. Never empty.
    pub metrics: BTreeMap<Metric, Decimal>,
    /// How long more instances must be asked for.
    pub up_window: Duration,
    /// How long fewer instances must be asked for.
    pub down_window: Duration,
    /// After how long without work the service sleeps.
    pub idle: Duration,
    /// With how many instances it wakes.
    pub wake: u32,
}

impl fmt::Display for Autoscale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, max, metrics, up_window, down_window, idle, wake } = self;
        let metrics: Vec<_> = metrics.iter().map(|(metric, target)| format!("{} {target}", metric.as_str())).collect();
        let (up, down, idle) = (print_duration(*up_window), print_duration(*down_window), print_duration(*idle));
        write!(f, "{min} to {max} by {}, up after {up}, down after {down}", metrics.join(" and "))?;
        if *min == 0 { write!(f, ", asleep after {idle}, awake with {wake}") } else { Ok(()) }
    }
}

/// The count of instances from a time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// When, as cron writes it.
    pub cron: Arc<str>,
    /// How many instances there are from then on.
    pub instances: u32,
    /// Whose clock; UTC when absent.
    pub timezone: Option<Arc<str>>,
    /// The days on which it does not count: `2026-12-25`.
    pub except: Vec<Arc<str>>,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cron, instances, timezone, except } = self;
        write!(f, "{instances} instances at {cron} {}", timezone.as_deref().unwrap_or("UTC"))?;
        if except.is_empty() { Ok(()) } else { write!(f, ", except {}", except.join(" ")) }
    }
}

/// Requests are sent to other services as well; their answers are dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// To which. Never empty.
    pub targets: Vec<ServiceName>,
    /// How many of a hundred requests.
    pub ratio: u32,
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets: Vec<_> = self.targets.iter().map(ServiceName::as_str).collect();
        write!(f, "{}% to {}", self.ratio, targets.join(" and "))
    }
}
