//! How requests are divided.

use serde::{Deserialize, Serialize};

/// A part of a route's requests, such as those for the new revision of a canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// What endpoints call it.
    pub name: String,
    /// How much it gets, against the weights of the others that have a ready endpoint; 0 for nothing. A canary says
    /// thousandths.
    pub weight: u32,
}

/// What makes requests go to the same instance each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Sticky {
    /// The value of this header. Requests without it go anywhere.
    Header(String),
    /// The caller's token.
    Token,
}

/// An entry that several routes have together: a request that comes in there goes on by one of them. It goes before a path
/// of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// A prefix, as those of routes.
    pub path: String,
    /// How much this route gets, against the weights of the others that have a ready endpoint; 0 for nothing. Without
    /// weights, each ready endpoint gets the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
}
