//! What an instance may use, how it is checked, and in which steps a rollout goes.

use super::stored::{Stored, as_text, as_word, stored};
use std::{sync::Arc, time::Duration};
use wharf_model::{
    Batch, Bytes, Canary, CanaryStep, CountOrPercent, Decimal, Dedicated, Gate, Gpu, GroupName, InstanceType,
    Isolation, Membership, Pace, Probe, Probes, Quota, QuotaKind, Resources, Spot, Spread, Timeouts, Traffic, Unit,
};

as_text!(Decimal, GroupName);
as_word!(Isolation, QuotaKind, Spread);
stored!(
    #[derive(Default)]
    struct Resources as ResourcesV1 { ;
        cpu: Option<Decimal>,
        memory: Option<Bytes>,
        shm: Option<Bytes>,
        disk: Option<Bytes>,
        gpu: Option<Gpu>,
        instance_types: Vec<InstanceType>,
        spot_protection: Option<bool>,
        dedicated: Option<Dedicated>,
        quota: Option<Quota>,
        burst: bool,
        rebalance: bool,
        cpu_sharing: bool,
        spread: Option<Spread>,
        priority: Option<u32>,
    }
);
stored!(struct Gpu as GpuV1 {
    count: u32;
    memory: Option<Bytes>,
    cores: Option<u32>,
    isolation: Option<Isolation>,
    driver: Option<Arc<str>>,
    cuda: Option<Arc<str>>,
});
stored!(struct InstanceType as InstanceTypeV1 { name: Arc<str>; cap: Option<CountOrPercent>, spot: Option<Spot> });
stored!(struct Spot as SpotV1 { max_price: Decimal });
stored!(struct Dedicated as DedicatedV1 { id: Arc<str>; cap: Option<CountOrPercent> });
stored!(struct Quota as QuotaV1 { id: Arc<str>; kind: Option<QuotaKind> });
stored!(struct Unit as UnitV1 { size: u32; rdma: bool, check: bool });

stored!(
    #[derive(Default)]
    struct Probes as ProbesV1 { ; startup: Option<Probe>, liveness: Option<Probe>, progress: Option<Probe> }
);

stored!(enum Pace as PaceV1 { Batch(Batch), Partition(CountOrPercent), Canary(Canary) });
stored!(struct Batch as BatchV1 { size: CountOrPercent, interval: Duration });
stored!(struct Canary as CanaryV1 { steps: Vec<CanaryStep>, gate: Gate; bake: Option<Duration> });
stored!(struct CanaryStep as CanaryStepV1 { share: CountOrPercent, hold: Duration; gate: Option<Gate>, pause: bool });
stored!(
    struct Gate as GateV1 { ;
        error_rate: Option<u32>,
        latency_p99: Option<Duration>,
        restarts: Option<u32>,
        requests: Option<u32>,
    }
);

stored!(
    #[derive(Default)]
    struct Timeouts as TimeoutsV1 { ;
        connect: Option<Duration>,
        first_byte: Option<Duration>,
        between_bytes: Option<Duration>,
    }
);
stored!(
    #[derive(Default)]
    struct Traffic as TrafficV1 { ;
        rate_limit: Option<u32>,
        concurrency_limit: Option<u32>,
        instance_rate_limit: Option<u32>,
        queue_size: Option<u32>,
    }
);
stored!(struct Membership as MembershipV1 { group: GroupName; weight: Option<u32> });
