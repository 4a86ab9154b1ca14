//! What a resource should be. A spec holds no secret's value and no place of one machine's file system but those the
//! user wrote; what a look at the outside world adds to it (the content of a folder, say) is in [`Pins`].

mod bucket;
mod confidential;
mod container;
mod elastic;
mod gateway;
mod group;
mod health;
mod mount;
mod network;
mod notify;
mod object;
mod path;
mod policy;
mod resources;
mod rollout;
mod service;
mod template;
mod timeouts;
mod traces;
mod traffic;
mod watch;
pub(crate) mod words;

pub use bucket::{BucketKeys, BucketMode, BucketMount, FuseClient, ObjectStore, oss_host};
pub use confidential::Confidential;
pub use container::{Batching, Container, OwnProcessor, Processor, ProcessorKind, Pull};
pub use elastic::{Autoscale, Elastic, JobShape, Metric, Mirror, Queue, Schedule};
pub use gateway::{Domain, GatewaySpec, ManagedGateway, Reach, RouteSpec};
pub use group::{GroupPolicy, GroupSpec, Membership};
pub use health::{Check, Probe, Probes};
pub use mount::{
    Access, DatasetMount, FolderMount, GitMount, ImageMount, ModelMount, Mount, MountCache, MountLabel, MountSource,
    NfsMount,
};
pub use network::{Direction, ExistingNetwork, Nacos, NetworkPlace, NetworkRule, NetworkSpec, NlbSpec, RegistrySpec};
pub use notify::{NotifyOn, NotifySpec};
pub use object::{DataSpec, ObjectId, ObjectSpec, SupervisorSpec};
pub use path::{FolderPath, MountPath, MountPathError};
pub use policy::{Action, Demand, Matcher, PolicySpec, RiskKind, Rule};
pub use resources::{Dedicated, Gpu, InstanceType, Isolation, Quota, QuotaKind, Resources, Spot, Spread, Unit};
pub use rollout::{Batch, Canary, CanaryStep, Gate, OnFailure, Pace, RolloutPolicy, Shutdown};
pub use service::{Expose, ServiceSpec, TokenSpec};
pub use template::{EnvValue, Pins, Program, Template};
pub use timeouts::Timeouts;
pub use traces::Traces;
pub use traffic::Traffic;
pub use watch::{
    CallRecords, RecordFile, RecordStore, RecordTable, Router, RouterBackend, RouterPolicy, RouterScheduler, Weights,
};
