//! The nouns of wharf: names and addresses, quantities, what a project asks for ([`Deployment`]), what was last written
//! down ([`Record`]), what a provider reports now ([`Observed`]), and one provider call ([`Operation`]).
//!
//! This crate holds values and the rules that hold for every one of them. It reads no file, no clock and no
//! environment, knows no provider and no KDL, and decides nothing about change: comparing is here, judging what a
//! difference costs is `wharf-plan`'s.

mod address;
mod capability;
mod cidr;
mod copying;
mod deployment;
mod digest;
mod edit;
mod entries;
mod field;
mod figures;
mod gpu;
mod ignore;
mod instance;
mod json;
mod name;
mod observed;
mod operation;
mod origin;
mod quantity;
mod record;
mod release;
mod rename;
mod spec;
mod state;
mod time;

pub use address::{Address, AddressError, Kind};
pub use capability::{Capabilities, Cost};
pub use cidr::{Cidr, CidrError};
pub use copying::{CopyLimits, Room};
pub use deployment::{Deployment, ProviderSpec, SecretSource, Shared, entry_path};
pub use digest::{ContentDigest, Fingerprint, SecretDigest, SecretKey};
pub use edit::{Edit, Literal};
pub use field::{Difference, Entry, Field, FieldPath, Value, compare};
pub use figures::{Figures, Times};
pub use gpu::{Card, Gpus, Part, Seat, Share};
pub use ignore::Ignore;
pub use instance::{Generation, InstanceId, RevisionNumber, Slot};
pub use json::Json;
pub use name::{
    ContainerName, EnvName, EnvironmentName, GatewayName, GroupName, NameError, NetworkName, NlbName, ProjectName,
    RegistryHost, ScheduleName, SecretName, ServiceName, TokenName,
};
pub use observed::{
    ContentRef, EndpointState, Exit, Fetching, Libraries, ListenHint, Lost, Marked, Observed, ObservedGateway,
    ObservedInstance, ObservedObject, ObservedRoute, Phase, ProbeAnswer, Restarts, SourceError, SourcePin, SourceRef,
    Supervised, Told, Turnover,
};
pub use operation::{Call, Effect, Ending, Intent, IntentId, Launch, Operation, OperationId, Outcome, PlanId, Verb};
pub use origin::{Origin, Origins};
pub use quantity::{Bytes, CountOrPercent, Decimal, QuantityError, Sample, parse_duration, print_duration};
pub use record::{
    Lineage, Record, RecordedGateway, RecordedInstance, RecordedObject, RecordedRollout, RecordedRoute,
    RecordedService, Rest, Revision, Wanted,
};
pub use release::Release;
pub use spec::*;
pub use state::{BucketSpec, BucketStyle, StateSpec};
pub use time::{Date, DateError, Timestamp};
