//! Objects of the platform.

use super::{
    parse,
    stored::{Stored, as_word, stored},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use wharf_model::{
    Cidr, DataSpec, Direction, ExistingNetwork, Generation, GroupPolicy, GroupSpec, NetworkPlace, NetworkRule,
    NetworkSpec, NlbSpec, ObjectSpec, RecordedObject, RegistrySpec, SecretName, ServiceName, SupervisorSpec,
};

as_word!(Direction, GroupPolicy);
stored!(struct GroupSpec as GroupV1 { policy: GroupPolicy });
stored!(struct NetworkSpec as NetworkV1 { place: NetworkPlace; rules: Vec<NetworkRule>, sealed: bool });
stored!(enum NetworkPlace as NetworkPlaceV1 { Own(Option<Cidr>), Existing(ExistingNetwork), Adopted(Arc<str>) });
stored!(struct ExistingNetwork as ExistingNetworkV1 { vpc: Arc<str>, vswitches: Vec<Arc<str>>, security_group: Arc<str> });
stored!(struct NetworkRule as NetworkRuleV1 { direction: Direction, range: Cidr; port: Option<u16> });
stored!(struct RegistrySpec as RegistryV1 { username: Arc<str>, password: SecretName });
stored!(struct SupervisorSpec as SupervisorV1 { socket: Arc<str> });
stored!(
    #[derive(Default)]
    struct DataSpec as DataV1 { ; keep_on_delete: bool }
);

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NlbV1 {
    /// By port, as text: within an entry of the journal, JSON has no other keys.
    listeners: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "super::stored::absent")]
    existing: Option<String>,
    #[serde(default, skip_serializing_if = "super::stored::absent")]
    public: bool,
    #[serde(default, skip_serializing_if = "super::stored::absent")]
    network: Option<String>,
}

impl Stored for NlbSpec {
    type V1 = NlbV1;

    fn store(&self) -> NlbV1 {
        let Self { listeners, existing, public, network } = self;
        NlbV1 {
            listeners: listeners.iter().map(|(port, target)| (port.to_string(), target.store())).collect(),
            existing: existing.store(),
            public: *public,
            network: network.store(),
        }
    }

    fn restore(stored: NlbV1) -> Result<Self, String> {
        let listener = |(port, target): (String, String)| Ok((parse(&port)?, ServiceName::restore(target)?));
        let listeners = stored.listeners.into_iter().map(listener);
        Ok(Self {
            listeners: listeners.collect::<Result<_, String>>()?,
            existing: Stored::restore(stored.existing)?,
            public: stored.public,
            network: Stored::restore(stored.network)?,
        })
    }
}

stored!(enum ObjectSpec as ObjectSpecV1 {
    Group(GroupSpec),
    Network(NetworkSpec),
    Nlb(NlbSpec),
    Registry(RegistrySpec),
    Data(DataSpec),
    Supervisor(SupervisorSpec),
});

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectV1 {
    spec: ObjectSpecV1,
    generation: u32,
}

/// Objects by their addresses, as they stand on disk.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ObjectsV1(BTreeMap<String, ObjectV1>);

impl ObjectsV1 {
    pub(super) fn of(objects: &BTreeMap<wharf_model::Address, RecordedObject>) -> Self {
        let object = |known: &RecordedObject| ObjectV1 { spec: known.spec.store(), generation: known.generation.0 };
        Self(objects.iter().map(|(address, known)| (address.to_string(), object(known))).collect())
    }

    pub(super) fn read(self) -> Result<BTreeMap<wharf_model::Address, RecordedObject>, String> {
        let object = |(address, known): (String, ObjectV1)| {
            let generation = Generation(known.generation);
            Ok((parse(&address)?, RecordedObject { spec: ObjectSpec::restore(known.spec)?, generation }))
        };
        self.0.into_iter().map(object).collect()
    }

    /// Whether there are none, and nothing need be written.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
