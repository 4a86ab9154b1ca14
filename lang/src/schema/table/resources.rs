//! What an instance may use, and where it is placed.

use super::*;

const CAP: Property = property("cap", Type::Share, "at most so many instances run there");
const FLAG: &[Argument] = &[value("flag", Type::Flag)];
const SIZE: &[Argument] = &[value("size", Type::Size)];

/// The versions that platforms mount; images bring others themselves.
const CUDA: &[&str] = &["8.0", "9.0", "10.0", "10.1", "10.2", "11.0", "11.1", "11.2"];

pub(super) const ROWS: &[NodeSchema] = &[
    node("service.resources", Optional, "what an instance may use, and where it is placed")
        .elsewhere(&["limits", "requests", "metadata"])
        .patched(),
    node("service.resources.cpu", Optional, "cores; a fraction is allowed")
        .elsewhere(&["cpus", "cores", "vcpu"])
        .takes(&[value("cores", Type::Decimal)]),
    node("service.resources.memory", Optional, "memory").elsewhere(&["mem", "ram", "mem-limit"]).takes(SIZE),
    node("service.resources.shm", Optional, "memory that processes share, at /dev/shm")
        .elsewhere(&["shm-size", "shared-memory"])
        .takes(SIZE),
    node("service.resources.disk", Optional, "disk")
        .elsewhere(&["system-disk", "ephemeral-storage", "storage"])
        .takes(SIZE),
    node("service.resources.gpu", Optional, "GPUs; 0 with `memory` for a share of one")
        .elsewhere(&["gpus", "nvidia.com/gpu", "device"])
        .takes(&[value("count", Type::Integer { from: 0, to: 64 })])
        .patched(),
    node("service.resources.gpu.memory", Optional, "the memory of a share")
        .elsewhere(&["gpu-memory", "gpu_memory"])
        .takes(SIZE),
    node("service.resources.gpu.cores", Optional, "the cores of a share, of a hundred")
        .elsewhere(&["gpu-core-percentage", "gpu_core_percentage"])
        .takes(&[value("percentage", Type::Percent)]),
    node("service.resources.gpu.isolation", Optional, "whether a share may get more while nobody else needs it")
        .takes(&[value("isolation", Type::Word(&["hard", "soft"]))]),
    node("service.resources.gpu.driver", Optional, "which driver the machine must have, such as \">=550\"")
        .takes(&[value("version", Type::Text)]),
    node("service.resources.gpu.cuda", Optional, "which CUDA the platform mounts at /usr/local/cuda")
        .elsewhere(&["cuda-version"])
        .takes(&[value("version", Type::Word(CUDA))]),
    node(
        "service.resources.instance-type",
        Count::List,
        "a kind of machine of the platform; the first with room is taken",
    )
    .elsewhere(&["instances", "machine-type", "ecs"])
    .takes(&[value("type", Type::Text)])
    .has(&[CAP]),
    node("service.resources.instance-type.spot", Optional, "a bid for spare capacity, which may be taken away")
        .has(&[property("max-price", Type::Decimal, "what an hour may cost at most, in US dollars").must()]),
    node("service.resources.spot-protection", Optional, "whether a spot instance is safe for its first hour")
        .takes(&[value("flag", Type::Boolean)]),
    node("service.resources.dedicated", Optional, "machines of one's own")
        .elsewhere(&["resource-group", "resource"])
        .takes(&[value("id", Type::Text)])
        .has(&[CAP]),
    node("service.resources.quota", Optional, "a quota of the platform")
        .takes(&[value("id", Type::Text)])
        .has(&[property("type", Type::Word(&["lingjun", "general"]), "its kind")]),
    node(
        "service.resources.burst",
        Optional,
        "instances that find no place on one's own machines go to the listed types",
    )
    .elsewhere(&["resource-burstable", "resource_burstable"])
    .takes(FLAG),
    node("service.resources.rebalance", Optional, "instances move to better machines when there is room")
        .elsewhere(&["resource-rebalancing", "resource_rebalancing"])
        .takes(FLAG),
    node("service.resources.cpu-sharing", Optional, "instances share cores; `cpu` is what one may use at most")
        .elsewhere(&["qos"])
        .takes(FLAG),
    node("service.resources.spread", Optional, "over what instances are spread")
        .takes(&[value("over", Type::Word(&["host", "zone"]))]),
    node("service.resources.priority", Optional, "who is placed first; 9 before 1")
        .takes(&[value("priority", Type::Integer { from: 1, to: 9 })]),
    node("service.unit", Optional, "makes one instance of several machines; rank 0 gets the requests")
        .has(&[property("size", Type::Integer { from: 2, to: 64 }, "how many machines").or("2")]),
    node("service.unit.rdma", Optional, "the machines reach into each other's memory").takes(FLAG),
    node("service.unit.check", Optional, "the machines are tested before they are used")
        .elsewhere(&["aimaster"])
        .takes(FLAG),
];
