//! How much is taken on, and how long anything may take.

use serde::{Deserialize, Serialize};

/// How much is taken on. Whatever is absent has no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// So many requests a second; more are answered with 429.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// So many requests at once; more are answered with 429.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// So many requests a second for each instance; when no instance may have one more, the answer is 429.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_rate: Option<u32>,
    /// So many requests at once for each instance; more wait in the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_concurrency: Option<u32>,
    /// So many requests wait for each instance; more are answered with 450. Without it: 64. Means something only where an
    /// instance has a limit of requests at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
}

/// How long the parts of a request may take, in milliseconds. What takes longer is answered with 408 as long as the answer
/// has not begun, and cut off afterwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// Until an instance takes the connection. Without it: three seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<u64>,
    /// From when an instance was chosen to the first byte of its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
    /// The longest silence within a body, either way. Without it: ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between_bytes_ms: Option<u64>,
    /// From the request's head to the last byte of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_ms: Option<u64>,
}
