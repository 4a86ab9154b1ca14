//! A listener as connections meet it: from where they may come, how many requests they may bring, whether they speak TLS.
//!
//! An entrance lives on while its address stays the same; its rules are replaced with the configuration, and what it has
//! taken on is kept.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_rustls::rustls::ServerConfig;

use crate::config::{Limits, Listener, Range};
use crate::load::Load;

/// The shared part of a listener.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) rules: ArcSwap<Rules>,
    pub(crate) load: Load,
}

/// What holds at an entrance right now.
#[derive(Debug)]
pub(crate) struct Rules {
    allow: Vec<Range>,
    pub(crate) limits: Limits,
    /// How long a client may take for a request's head.
    pub(crate) head: Option<Duration>,
    /// The route to which connections are joined as they are.
    pub(crate) joins: Option<String>,
    /// How TLS is spoken, if it is.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

impl Entrance {
    pub(crate) fn new(listener: &Listener, tls: Option<Arc<ServerConfig>>) -> Arc<Self> {
        Arc::new(Self { rules: ArcSwap::from_pointee(Rules::of(listener, tls)), load: Load::default() })
    }

    /// Has other rules hold from now on.
    pub(crate) fn follow(&self, listener: &Listener, tls: Option<Arc<ServerConfig>>) {
        self.rules.store(Arc::new(Rules::of(listener, tls)));
    }
}

impl Rules {
    fn of(listener: &Listener, tls: Option<Arc<ServerConfig>>) -> Self {
        let Listener { allow, limits, joins, head_ms, .. } = listener.clone();
        Self { allow, limits, head: head_ms.map(Duration::from_millis), joins, tls }
    }

    /// Whether one may come from there.
    pub(crate) fn admits(&self, client: IpAddr) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|range| range.holds(client))
    }
}
