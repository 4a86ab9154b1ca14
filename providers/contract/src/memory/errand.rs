//! What a call asks of the runtime in memory: no more than such a platform keeps. It is also what goes over a socket.

use super::{ROUTE, cost};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt::Display, net::SocketAddr, str::FromStr};
use wharf_model::{
    Address, Call, ContentRef, Cost, Entry, EnvValue, Field, Fingerprint, GatewayName, InstanceId, Launch, ObjectId,
    Operation, RevisionNumber, ServiceName, Told,
};

/// A value that goes over the socket as its text form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<T>(pub(super) T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

/// One thing to be done. What it tells of fields stays in the process: over a socket, nothing is known of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Errand {
    Prepare {
        content: Text<ContentRef>,
    },
    Drop {
        content: Text<ContentRef>,
    },
    PutGateway {
        gateway: Text<GatewayName>,
        listen: SocketAddr,
        fingerprint: Text<Fingerprint>,
        #[serde(skip)]
        told: Told,
    },
    DeleteGateway {
        gateway: Text<GatewayName>,
    },
    PutObject {
        object: Text<ObjectId>,
        fingerprint: Text<Fingerprint>,
    },
    DeleteObject {
        object: Text<ObjectId>,
    },
    Move {
        from: Text<Address>,
        to: Text<Address>,
    },
    PutRoute {
        gateway: Text<GatewayName>,
        service: Text<ServiceName>,
        fingerprint: Text<Fingerprint>,
        #[serde(skip)]
        told: Told,
    },
    DeleteRoute {
        gateway: Text<GatewayName>,
        service: Text<ServiceName>,
    },
    Start(Start),
    Route {
        instance: Text<InstanceId>,
        gateways: Vec<Text<GatewayName>>,
    },
    Drain {
        instance: Text<InstanceId>,
    },
    Stop {
        instance: Text<InstanceId>,
    },
}

/// An instance to be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) instance: Text<InstanceId>,
    pub(super) revision: u32,
    pub(super) fingerprint: Text<Fingerprint>,
    pub(super) crashes: bool,
    pub(super) never_ready: bool,
    #[serde(skip)]
    pub(super) told: Told,
}

impl Errand {
    pub(super) fn of(operation: &Operation) -> Self {
        match &operation.call {
            Call::PrepareFolder { content, .. }
            | Call::PrepareBucket { content, .. }
            | Call::PrepareGit { content, .. }
            | Call::PreparePart { content, .. }
            | Call::PreparePackages { content, .. }
            | Call::PrepareImage { content, .. } => Self::Prepare { content: Text(*content) },
            Call::DropContent { content } => Self::Drop { content: Text(*content) },
            Call::PutGateway { gateway, spec } => Self::PutGateway {
                gateway: Text(gateway.clone()),
                listen: SocketAddr::new(spec.address, spec.port),
                fingerprint: Text(spec.fingerprint()),
                told: told(&spec.entries(), |field| field == Field::MaxBody),
            },
            Call::DeleteGateway { gateway } => Self::DeleteGateway { gateway: Text(gateway.clone()) },
            Call::PutObject { object, spec } => {
                Self::PutObject { object: Text(object.clone()), fingerprint: Text(spec.fingerprint()) }
            }
            Call::DeleteObject { object } => Self::DeleteObject { object: Text(object.clone()) },
            Call::Move { from, to } => Self::Move { from: Text(from.clone()), to: Text(to.clone()) },
            Call::PutRoute { route } => Self::PutRoute {
                gateway: Text(route.gateway.clone()),
                service: Text(route.service.clone()),
                fingerprint: Text(route.fingerprint()),
                told: told(&route.entries(), |field| ROUTE.contains(&field)),
            },
            Call::DeleteRoute { gateway, service } => {
                Self::DeleteRoute { gateway: Text(gateway.clone()), service: Text(service.clone()) }
            }
            Call::StartInstance(launch) => Self::Start(Start::of(launch)),
            Call::RouteInstance { instance, gateways, .. } => {
                Self::Route { instance: Text(instance.clone()), gateways: gateways.iter().cloned().map(Text).collect() }
            }
            Call::DrainInstance { instance, .. } => Self::Drain { instance: Text(instance.clone()) },
            Call::StopInstance { instance, .. } => Self::Stop { instance: Text(instance.clone()) },
        }
    }
}

impl Start {
    fn of(launch: &Launch) -> Self {
        let Launch { instance, revision } = launch;
        let RevisionNumber(number) = revision.number;
        let has = |name: &str| {
            let plain = |(key, value): (&wharf_model::EnvName, &EnvValue)| {
                key.as_str() == name && matches!(value, EnvValue::Plain(_))
            };
            revision.template.env.iter().any(plain)
        };
        Self {
            instance: Text(instance.clone()),
            revision: number,
            fingerprint: Text(revision.fingerprint()),
            crashes: has("MEMORY_CRASH"),
            never_ready: has("MEMORY_NEVER_READY"),
            told: told(&revision.template.entries(&revision.pins), |field| cost(field) == Cost::Roll),
        }
    }
}

/// Those of the entries that this runtime tells of.
fn told(entries: &[Entry], about: impl Fn(Field) -> bool) -> Told {
    let entries = entries.iter().filter(|entry| about(entry.path.field)).cloned().collect();
    Told { about: Field::ALL.iter().copied().filter(|field| about(*field)).collect(), entries }
}
