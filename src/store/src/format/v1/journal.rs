//! Journal entries.

use super::{
    gateway::{GatewayV1, RouteV1},
    object::ObjectsV1,
    parse,
    record::EndingV1,
    spec::{RevisionV1, ServiceV1},
};
use crate::{Begin, Entry};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use wharf_model::{
    Effect, GatewayName, Intent, IntentId, OperationId, PlanId, RevisionNumber, ServiceName, Timestamp, Verb, Wanted,
};

#[derive(Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case", deny_unknown_fields)]
enum EntryV1 {
    Begin {
        plan: String,
        who: String,
        at_ms: u64,
        gateways: BTreeMap<String, GatewayV1>,
        routes: Vec<RouteV1>,
        services: BTreeMap<String, (ServiceV1, RevisionV1)>,
        #[serde(default, skip_serializing_if = "ObjectsV1::is_empty")]
        objects: ObjectsV1,
    },
    Intent {
        seq: u64,
        operation: String,
        address: String,
        verb: String,
        object: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u32>,
    },
    Done {
        seq: u64,
        effect: EffectV1,
    },
    Failed {
        seq: u64,
        error: String,
    },
    Note {
        effect: EffectV1,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "kebab-case", deny_unknown_fields)]
enum EffectV1 {
    GatewayUp { gateway: String },
    GatewayGone { gateway: String },
    RouteSet { gateway: String, service: String },
    RouteGone { gateway: String, service: String },
    ObjectUp { object: String },
    ObjectGone { object: String },
    Moved { from: String, to: String },
    Forgotten { address: String },
    ContentPresent { content: String },
    ContentGone { content: String },
    InstanceStarted { instance: String, revision: u32, endpoint: SocketAddr },
    InstanceRouted { instance: String },
    InstanceDraining { instance: String },
    InstanceGone { instance: String },
    ServiceUpdated { service: String },
    RolloutEnded { service: String, ending: EndingV1 },
}

pub(in crate::format) fn print_entry(entry: &Entry) -> String {
    let entry = match entry {
        Entry::Begin(begin) => print_begin(begin),
        Entry::Intent(intent) => EntryV1::Intent {
            seq: intent.id.0,
            operation: intent.operation.to_string(),
            address: intent.address.to_string(),
            verb: intent.verb.to_string(),
            object: intent.object.clone(),
            revision: intent.revision.map(|number| number.0),
        },
        Entry::Done { intent, effect } => EntryV1::Done { seq: intent.0, effect: EffectV1::of(effect) },
        Entry::Failed { intent, error } => EntryV1::Failed { seq: intent.0, error: error.clone() },
        Entry::Note(effect) => EntryV1::Note { effect: EffectV1::of(effect) },
    };
    serde_json::to_string(&entry).expect("strings and numbers become JSON")
}

fn print_begin(begin: &Begin) -> EntryV1 {
    let Begin { plan, who, at, wanted: Wanted { gateways, routes, services, objects } } = begin;
    let service = |(spec, revision): &(wharf_model::ServiceSpec, Arc<wharf_model::Revision>)| {
        (ServiceV1::of(spec), RevisionV1::of(revision))
    };
    EntryV1::Begin {
        plan: plan.to_string(),
        who: who.clone(),
        at_ms: at.0,
        gateways: gateways.iter().map(|(name, spec)| (name.to_string(), GatewayV1::of(spec))).collect(),
        routes: routes.values().map(RouteV1::of).collect(),
        services: services.iter().map(|(name, one)| (name.to_string(), service(one))).collect(),
        objects: ObjectsV1::of(objects),
    }
}

pub(in crate::format) fn read_entry(json: &str) -> Result<Entry, String> {
    let entry: EntryV1 = serde_json::from_str(json).map_err(|error| error.to_string())?;
    Ok(match entry {
        EntryV1::Begin { plan, who, at_ms, gateways, routes, services, objects } => Entry::Begin(Box::new(Begin {
            plan: PlanId(plan.into()),
            who,
            at: Timestamp(at_ms),
            wanted: Wanted { objects: objects.read()?, ..read_wanted(gateways, routes, services)? },
        })),
        EntryV1::Intent { seq, operation, address, verb, object, revision } => Entry::Intent(Intent {
            id: IntentId(seq),
            operation: OperationId(operation.into()),
            address: parse(&address)?,
            verb: read_verb(&verb)?,
            object,
            revision: revision.map(RevisionNumber),
        }),
        EntryV1::Done { seq, effect } => Entry::Done { intent: IntentId(seq), effect: effect.read()? },
        EntryV1::Failed { seq, error } => Entry::Failed { intent: IntentId(seq), error },
        EntryV1::Note { effect } => Entry::Note(effect.read()?),
    })
}

fn read_verb(text: &str) -> Result<Verb, String> {
    Verb::ALL.into_iter().find(|verb| verb.as_str() == text).ok_or_else(|| format!("`{text}` is no verb"))
}

fn read_wanted(
    gateways: BTreeMap<String, GatewayV1>,
    routes: Vec<RouteV1>,
    services: BTreeMap<String, (ServiceV1, RevisionV1)>,
) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    for (name, spec) in gateways {
        wanted.gateways.insert(parse::<GatewayName>(&name)?, spec.read()?);
    }
    for route in routes {
        let spec = route.read()?;
        wanted.routes.insert((spec.gateway.clone(), spec.service.clone()), spec);
    }
    for (name, (spec, revision)) in services {
        wanted.services.insert(parse::<ServiceName>(&name)?, (spec.read()?, Arc::new(revision.read()?)));
    }
    Ok(wanted)
}

impl EffectV1 {
    fn of(effect: &Effect) -> Self {
        match effect {
            Effect::GatewayUp { gateway } => Self::GatewayUp { gateway: gateway.to_string() },
            Effect::GatewayGone { gateway } => Self::GatewayGone { gateway: gateway.to_string() },
            Effect::RouteSet { gateway, service } => {
                Self::RouteSet { gateway: gateway.to_string(), service: service.to_string() }
            }
            Effect::RouteGone { gateway, service } => {
                Self::RouteGone { gateway: gateway.to_string(), service: service.to_string() }
            }
            Effect::ObjectUp { object } => Self::ObjectUp { object: object.to_string() },
            Effect::ObjectGone { object } => Self::ObjectGone { object: object.to_string() },
            Effect::Moved { from, to } => Self::Moved { from: from.to_string(), to: to.to_string() },
            Effect::Forgotten { address } => Self::Forgotten { address: address.to_string() },
            Effect::ContentPresent { content } => Self::ContentPresent { content: content.to_string() },
            Effect::ContentGone { content } => Self::ContentGone { content: content.to_string() },
            Effect::InstanceStarted { instance, revision, endpoint } => {
                Self::InstanceStarted { instance: instance.to_string(), revision: revision.0, endpoint: *endpoint }
            }
            Effect::InstanceRouted { instance } => Self::InstanceRouted { instance: instance.to_string() },
            Effect::InstanceDraining { instance } => Self::InstanceDraining { instance: instance.to_string() },
            Effect::InstanceGone { instance } => Self::InstanceGone { instance: instance.to_string() },
            Effect::ServiceUpdated { service } => Self::ServiceUpdated { service: service.to_string() },
            Effect::RolloutEnded { service, ending } => {
                Self::RolloutEnded { service: service.to_string(), ending: EndingV1::of(ending) }
            }
        }
    }

    fn read(self) -> Result<Effect, String> {
        Ok(match self {
            Self::GatewayUp { gateway } => Effect::GatewayUp { gateway: parse(&gateway)? },
            Self::GatewayGone { gateway } => Effect::GatewayGone { gateway: parse(&gateway)? },
            Self::RouteSet { gateway, service } => {
                Effect::RouteSet { gateway: parse(&gateway)?, service: parse(&service)? }
            }
            Self::RouteGone { gateway, service } => {
                Effect::RouteGone { gateway: parse(&gateway)?, service: parse(&service)? }
            }
            Self::ObjectUp { object } => Effect::ObjectUp { object: parse(&object)? },
            Self::ObjectGone { object } => Effect::ObjectGone { object: parse(&object)? },
            Self::Moved { from, to } => Effect::Moved { from: parse(&from)?, to: parse(&to)? },
            Self::Forgotten { address } => Effect::Forgotten { address: parse(&address)? },
            Self::ContentPresent { content } => Effect::ContentPresent { content: parse(&content)? },
            Self::ContentGone { content } => Effect::ContentGone { content: parse(&content)? },
            Self::InstanceStarted { instance, revision, endpoint } => {
                Effect::InstanceStarted { instance: parse(&instance)?, revision: RevisionNumber(revision), endpoint }
            }
            Self::InstanceRouted { instance } => Effect::InstanceRouted { instance: parse(&instance)? },
            Self::InstanceDraining { instance } => Effect::InstanceDraining { instance: parse(&instance)? },
            Self::InstanceGone { instance } => Effect::InstanceGone { instance: parse(&instance)? },
            Self::ServiceUpdated { service } => Effect::ServiceUpdated { service: parse(&service)? },
            Self::RolloutEnded { service, ending } => {
                Effect::RolloutEnded { service: parse(&service)?, ending: ending.read() }
            }
        })
    }
}
