//! Where spans of requests go.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How requests are told to a collector of traces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// The collector, which speaks OTLP over HTTP: `http://host:4318` or `https://host`, to which the path for spans is added.
    pub otlp: String,
    /// So many of a thousand traces that begin here are kept. What a request brings is kept if whoever began it wants it.
    pub thousandths: u16,
    /// Headers of what is sent there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Sealed>,
    /// Who says so, as attributes of its resource: `service.name` above all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resource: BTreeMap<String, String>,
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sealed)")
    }
}
