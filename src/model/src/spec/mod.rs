//! What a resource should be. A spec holds no secret's value and no place of one machine's file system but those the
//! user wrote; what a look at the outside world adds to it (the content of a folder, say) is in [`Pins`].

mod gateway;
mod health;
mod mount;
mod rollout;
mod service;
mod template;
mod words;

pub use gateway::{GatewaySpec, RouteSpec};
pub use health::{Check, Probe};
pub use mount::{
    Access, BucketKeys, BucketMode, BucketMount, DatasetMount, FolderMount, FolderPath, GitMount, ImageMount, Mount,
    MountCache, MountLabel, MountPath, MountPathError, MountSource, NfsMount, ObjectStore,
};
pub use rollout::{OnFailure, RolloutPolicy, Shutdown};
pub use service::{Expose, ServiceSpec, TokenSpec};
pub use template::{EnvValue, Pins, Program, Template};
