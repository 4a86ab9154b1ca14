//! What an instance may use, and where it is placed.

use super::{Decode, found, plain};
use crate::{
    block::Block,
    problem::{Code, Problem},
};
use std::{collections::HashMap, sync::Arc};
use wharf_model::{
    Address, Bytes, Dedicated, Field, Gpu, InstanceType, Isolation, MountPath, Quota, QuotaKind, Resources, Spot,
    Spread, Unit,
};

const FIELDS: &[(&str, Field)] = &[
    ("cpu", Field::Cpu),
    ("memory", Field::Memory),
    ("shm", Field::Shm),
    ("disk", Field::Disk),
    ("gpu", Field::Gpu),
    ("instance-type", Field::InstanceType),
    ("spot-protection", Field::SpotProtection),
    ("dedicated", Field::Dedicated),
    ("quota", Field::Quota),
    ("burst", Field::Burst),
    ("rebalance", Field::Rebalance),
    ("cpu-sharing", Field::CpuSharing),
    ("spread", Field::Spread),
    ("priority", Field::Priority),
];
const GPU_FIELDS: &[(&str, Field)] = &[
    ("memory", Field::GpuMemory),
    ("cores", Field::GpuCores),
    ("isolation", Field::GpuIsolation),
    ("driver", Field::GpuDriver),
    ("cuda", Field::GpuCuda),
];

impl Decode<'_> {
    pub(super) fn resources(&mut self, service: &Block, address: &Address) -> Option<Resources> {
        let Some(block) = service.child("resources") else { return Some(Resources::default()) };
        self.note_each(address, block, FIELDS);
        let word = |name: &str| plain::<Arc<str>>(block, name);
        let resources = Resources {
            cpu: plain(block, "cpu"),
            memory: plain(block, "memory"),
            shm: plain(block, "shm"),
            disk: plain(block, "disk"),
            gpu: block.child("gpu").and_then(|gpu| self.gpu(gpu, address)),
            instance_types: block.every("instance-type").filter_map(instance_type).collect(),
            spot_protection: plain(block, "spot-protection"),
            dedicated: block
                .child("dedicated")
                .and_then(|node| Some(Dedicated { id: node.argument(0)?.value, cap: found(node, "cap") })),
            quota: block.child("quota").and_then(|node| {
                let kind = found::<Arc<str>>(node, "type").and_then(|word| QuotaKind::of_word(&word));
                Some(Quota { id: node.argument(0)?.value, kind })
            }),
            burst: flag(block, "burst"),
            rebalance: flag(block, "rebalance"),
            cpu_sharing: flag(block, "cpu-sharing"),
            spread: word("spread").and_then(|word| Spread::of_word(&word)),
            priority: plain(block, "priority"),
        };
        self.check_placement(block);
        self.check_spot(block, &resources);
        self.check_shm(service, block);
        Some(resources)
    }

    fn gpu(&mut self, block: &Block, address: &Address) -> Option<Gpu> {
        self.note_each(address, block, GPU_FIELDS);
        let count = block.argument::<u32>(0)?;
        let share = block.child("memory").or(block.child("cores")).and_then(Block::title_at);
        if let (1.., Some(share)) = (count.value, share) {
            let message = "whole GPUs have no share: `memory` and `cores` would mean nothing";
            let problem = Problem::error(Code::Contradiction, message).at(share, "a share of one");
            self.report(
                problem.and(count.at, "whole ones").help("for a share, write `gpu 0 { memory \"8GiB\" }`".to_owned()),
            );
        }
        if let (Some(cores), None) = (block.child("cores"), block.child("memory")) {
            self.requires(cores, "memory", "a share of a GPU has cores only beside memory");
        }
        let isolation = plain::<Arc<str>>(block, "isolation").and_then(|word| Isolation::of_word(&word));
        if count.value == 0 && share.is_none() {
            let problem = Problem::warning(Code::Pointless, "`gpu 0` asks for no GPU at all").at(count.at, "none");
            self.report(problem.help("remove it, or name the `memory` of a share".to_owned()));
        }
        Some(Gpu {
            count: count.value,
            memory: plain::<Bytes>(block, "memory"),
            cores: plain(block, "cores"),
            isolation,
            driver: plain(block, "driver"),
            cuda: plain(block, "cuda"),
        })
    }

    /// What needs machines of one's own, or of the platform.
    fn check_placement(&mut self, block: &Block) {
        let own = block.child("dedicated").is_some() || block.child("quota").is_some();
        let types = block.child("instance-type").is_some();
        if let (Some(dedicated), Some(quota)) = (block.child("dedicated"), block.child("quota")) {
            self.exclusive(dedicated, quota, "instances run on machines of one's own or within a quota");
        }
        let share = block.child("gpu").and_then(|gpu| gpu.child("memory"));
        if let (Some(share), true, false) = (share, types || self.known.eas, own) {
            let why = "the platform shares out GPUs of one's own alone";
            self.requires(share, "dedicated` or `quota", why);
        }
        // Without machines of one's own, instances move from the regular price to a bid.
        let bids = block.every("instance-type").any(|kind| kind.child("spot").is_some());
        let moves = bids && block.every("instance-type").count() > 1;
        for name in ["burst", "rebalance"] {
            let Some(node) = block.child(name).filter(|_| flag(block, name)) else { continue };
            if name == "rebalance" && moves {
                continue;
            }
            if block.child("dedicated").is_none() {
                self.requires(node, "dedicated", "it moves instances between machines of one's own and others");
            } else if !types {
                self.requires(node, "instance-type", "it moves instances between machines of one's own and others");
            }
        }
        let (burst, dedicated) = (flag(block, "burst"), block.child("dedicated"));
        if let (Some(dedicated), Some(kind), false) = (dedicated, block.child("instance-type"), burst) {
            self.exclusive(dedicated, kind, "without `burst`, instances run on the one or on the other");
        }
    }

    /// Bids are for machines of the platform, and each kind stands there once at each price.
    fn check_spot(&mut self, block: &Block, resources: &Resources) {
        let protection = block.child("spot-protection");
        let bids = resources.instance_types.iter().any(|kind| kind.spot.is_some());
        if let (Some(protection), false) = (protection, bids) {
            self.requires(
                protection,
                "instance-type \"…\" { spot max-price=… }",
                "only spot instances need protection",
            );
        }
        let mut seen = HashMap::new();
        for node in block.every("instance-type") {
            let Some(key) = node.key() else { continue };
            if let Some(first) = seen.insert((key, node.child("spot").is_some()), node.title_at()) {
                let message = format!("{} is listed twice", node.title());
                let problem = Problem::error(Code::DuplicateName, message).at(node.title_at(), "again here");
                self.report(
                    problem.and(first, "first here").help("once with `spot` and once without is enough".to_owned()),
                );
            }
        }
    }

    /// Shared memory has one size.
    fn check_shm(&mut self, service: &Block, block: &Block) {
        let mount = service.every("mount").find(|mount| mount.key().as_deref() == Some(MountPath::SHM));
        if let (Some(shm), Some(mount)) = (block.child("shm"), mount) {
            self.exclusive(shm, mount, "both say how large /dev/shm is");
        }
    }

    /// Reports a node that means something only on machines of Lingjun.
    pub(super) fn needs_lingjun(&mut self, service: &Block, node: &Block, why: &str) {
        let quota = service.child("resources").and_then(|resources| resources.child("quota"));
        let kind = quota.and_then(|quota| quota.property::<Arc<str>>("type"));
        match (quota, kind.filter(|kind| &*kind.value != QuotaKind::Lingjun.as_str())) {
            (None, _) => self.requires(node, "resources { quota \"…\" type=\"lingjun\" }", why),
            (Some(_), Some(kind)) => {
                let message = format!("`{}` needs a quota of Lingjun, and this one is {}", node.row.name(), kind.value);
                let problem = Problem::error(Code::Contradiction, message).at(node.title_at(), "not on such machines");
                self.report(problem.and(kind.at, "other machines").help(why.to_owned()));
            }
            (Some(_), None) => {}
        }
    }

    pub(super) fn unit(&mut self, service: &Block, address: &Address) -> Option<Unit> {
        let block = service.child("unit")?;
        self.note(address, wharf_model::FieldPath::of(Field::Unit), block.at);
        for (name, field) in [("rdma", Field::UnitRdma), ("check", Field::UnitCheck)] {
            self.note(address, wharf_model::FieldPath::of(field), block.child(name).and_then(|child| child.at));
        }
        if let Some(rdma) = block.child("rdma").filter(|_| flag(block, "rdma")) {
            self.needs_lingjun(service, rdma, "only such machines reach into each other's memory");
        }
        Some(Unit { size: found(block, "size")?, rdma: flag(block, "rdma"), check: flag(block, "check") })
    }
}

fn instance_type(node: &Block) -> Option<InstanceType> {
    let spot = node.child("spot").and_then(|spot| Some(Spot { max_price: found(spot, "max-price")? }));
    Some(InstanceType { name: node.argument(0)?.value, cap: found(node, "cap"), spot })
}

/// Whether a switch is on.
pub(super) fn flag(block: &Block, name: &str) -> bool {
    plain(block, name).unwrap_or(false)
}
