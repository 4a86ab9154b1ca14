//! What an instance may use, and where it is placed.

use super::words::{after, words};
use crate::{Bytes, CountOrPercent, Decimal, Field, Value, entries::List};
use std::{fmt, sync::Arc};

/// What an instance may use, and where it is placed. What is absent is the runtime's to choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// Cores.
    pub cpu: Option<Decimal>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Memory that processes share, at `/dev/shm`.
    pub shm: Option<Bytes>,
    /// Disk.
    pub disk: Option<Bytes>,
    /// GPUs.
    pub gpu: Option<Gpu>,
    /// Machines of the platform on which instances may run, best first.
    pub instance_types: Vec<InstanceType>,
    /// Whether a spot instance is safe for its first hour; the platform's own rule when absent.
    pub spot_protection: Option<bool>,
    /// Machines of one's own.
    pub dedicated: Option<Dedicated>,
    /// A quota of the platform.
    pub quota: Option<Quota>,
    /// Whether instances that find no place on one's own machines go to the listed types.
    pub burst: bool,
    /// Whether instances move to better machines when there is room.
    pub rebalance: bool,
    /// Whether instances share cores: `cpu` is then what one may use at most.
    pub cpu_sharing: bool,
    /// How instances are spread.
    pub spread: Option<Spread>,
    /// Who is placed first; 9 before 1.
    pub priority: Option<u32>,
}

impl Resources {
    pub(crate) fn list(&self, list: &mut List) {
        let Self {
            cpu,
            memory,
            shm,
            disk,
            gpu,
            instance_types,
            spot_protection,
            dedicated,
            quota,
            burst,
            rebalance,
            cpu_sharing,
            spread,
            priority,
        } = self;
        list.some(Field::Cpu, *cpu);
        list.some(Field::Memory, *memory);
        list.some(Field::Shm, *shm);
        list.some(Field::Disk, *disk);
        if let Some(gpu) = gpu {
            gpu.list(list);
        }
        if !instance_types.is_empty() {
            let lines: Vec<_> = instance_types.iter().map(ToString::to_string).collect();
            list.value(Field::InstanceType, Value::Lines(lines.join("\n")));
        }
        list.some(Field::SpotProtection, *spot_protection);
        list.some(Field::Dedicated, dedicated.as_ref());
        list.some(Field::Quota, quota.as_ref());
        list.flag(Field::Burst, *burst);
        list.flag(Field::Rebalance, *rebalance);
        list.flag(Field::CpuSharing, *cpu_sharing);
        list.some(Field::Spread, spread.map(Spread::as_str));
        list.some(Field::Priority, *priority);
    }
}

/// GPUs, whole or shares of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gpu {
    /// How many whole ones; none when shares of one are enough.
    pub count: u32,
    /// The memory of a share.
    pub memory: Option<Bytes>,
    /// The cores of a share, of a hundred.
    pub cores: Option<u32>,
    /// How strictly shares are kept apart.
    pub isolation: Option<Isolation>,
    /// Which driver the machine must have: `>=550`, `550.127.08`.
    pub driver: Option<Arc<str>>,
    /// Which version of CUDA the platform mounts; what the image brings when absent.
    pub cuda: Option<Arc<str>>,
}

impl Gpu {
    /// Whether it asks for anything: `gpu 0` alone does not.
    pub fn asks(&self) -> bool {
        self.count > 0 || self.memory.is_some()
    }

    fn list(&self, list: &mut List) {
        let Self { count, memory, cores, isolation, driver, cuda } = self;
        if *count > 0 {
            list.text(Field::Gpu, count);
        }
        list.some(Field::GpuMemory, *memory);
        list.some(Field::GpuCores, cores.map(|cores| format!("{cores}%")));
        list.some(Field::GpuIsolation, isolation.map(Isolation::as_str));
        list.some(Field::GpuDriver, driver.as_ref());
        list.some(Field::GpuCuda, cuda.as_ref());
    }
}

words! {
    /// How strictly shares of a GPU are kept apart.
    Isolation {
        /// A share never gets more.
        Hard => "hard",
        /// A share gets more while nobody else needs it.
        Soft => "soft",
    }
}

words! {
    /// How instances are spread.
    Spread {
        /// Over machines.
        Host => "host",
        /// Over zones.
        Zone => "zone",
    }
}

words! {
    /// The kind of a quota.
    QuotaKind {
        /// Machines for training and inference at scale.
        Lingjun => "lingjun",
        /// Ordinary machines.
        General => "general",
    }
}

/// A kind of machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    /// The platform's name for it.
    pub name: Arc<str>,
    /// How many instances it may hold at most.
    pub cap: Option<CountOrPercent>,
    /// A bid for spare capacity; the regular price when absent.
    pub spot: Option<Spot>,
}

impl fmt::Display for InstanceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, cap, spot } = self;
        let spot = spot.as_ref().map(|Spot { max_price }| format!("up to {max_price} an hour"));
        write!(f, "{name}{}{}", after(", spot ", &spot), after(", at most ", cap))
    }
}

/// A bid for spare capacity, which may be taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// What an hour may cost, in US dollars.
    pub max_price: Decimal,
}

/// Machines of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedicated {
    /// The platform's name for them.
    pub id: Arc<str>,
    /// How many instances they may hold at most.
    pub cap: Option<CountOrPercent>,
}

impl fmt::Display for Dedicated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.id, after(", at most ", &self.cap))
    }
}

/// A quota of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The platform's name for it.
    pub id: Arc<str>,
    /// Its kind.
    pub kind: Option<QuotaKind>,
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.id, after(", ", &self.kind.map(QuotaKind::as_str)))
    }
}

/// An instance that is several machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// How many machines.
    pub size: u32,
    /// Whether they reach into each other's memory.
    pub rdma: bool,
    /// Whether the machines are tested before they are used.
    pub check: bool,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What else is asked of them is listed as fields of their own.
        let Self { size, rdma: _, check: _ } = self;
        write!(f, "{size} machines")
    }
}
