//! Journal entries.

use super::{
    gateway::{GatewayV1, RouteV1},
    object::ObjectsV1,
    parse,
    record::{AuthorV1, EndingV1, RolloutV1},
    spec::{RevisionV1, ServiceV1},
};
use crate::{Begin, Entry, Line, Want};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use wharf_model::{Effect, Intent, IntentId, OperationId, PlanId, RevisionNumber, Timestamp, Verb};

/// One line. What it holds beside the entry is written first.
#[derive(Serialize, Deserialize)]
struct LineV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_ms: Option<u64>,
    #[serde(flatten)]
    entry: EntryV1,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
enum EntryV1 {
    Begin {
        plan: String,
        by: AuthorV1,
    },
    WantGateway {
        gateway: String,
        spec: GatewayV1,
    },
    WantRoute {
        spec: RouteV1,
    },
    WantService {
        service: String,
        spec: Box<ServiceV1>,
        revision: Box<RevisionV1>,
    },
    WantObjects {
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
        #[serde(flatten)]
        effect: EffectV1,
    },
    Failed {
        seq: u64,
        error: String,
    },
    Note {
        #[serde(flatten)]
        effect: EffectV1,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
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
    RolloutStands { service: String, rollout: RolloutV1 },
    RolloutEnded { service: String, ending: EndingV1 },
}

pub(in crate::format) fn print_line(entry: &Entry, at: Timestamp) -> String {
    let entry = match entry {
        Entry::Begin(Begin { plan, by }) => EntryV1::Begin { plan: plan.to_string(), by: AuthorV1::of(by) },
        Entry::Want(want) => print_want(want),
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
    serde_json::to_string(&LineV1 { at_ms: Some(at.0), entry }).expect("strings and numbers become JSON")
}

fn print_want(want: &Want) -> EntryV1 {
    match want {
        Want::Gateway(name, spec) => EntryV1::WantGateway { gateway: name.to_string(), spec: GatewayV1::of(spec) },
        Want::Route(spec) => EntryV1::WantRoute { spec: RouteV1::of(spec) },
        Want::Service(name, spec, revision) => EntryV1::WantService {
            service: name.to_string(),
            spec: Box::new(ServiceV1::of(spec)),
            revision: Box::new(RevisionV1::of(revision)),
        },
        Want::Object(address, object) => {
            let objects = BTreeMap::from([(address.clone(), object.clone())]);
            EntryV1::WantObjects { objects: ObjectsV1::of(&objects) }
        }
    }
}

pub(in crate::format) fn read_line(json: &str) -> Result<Line, String> {
    let line: LineV1 = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let entry = match line.entry {
        EntryV1::Begin { plan, by } => Entry::Begin(Begin { plan: PlanId(plan.into()), by: by.read() }),
        EntryV1::WantGateway { gateway, spec } => Entry::Want(Box::new(Want::Gateway(parse(&gateway)?, spec.read()?))),
        EntryV1::WantRoute { spec } => Entry::Want(Box::new(Want::Route(spec.read()?))),
        EntryV1::WantService { service, spec, revision } => {
            let spec = Box::new(spec.read()?);
            Entry::Want(Box::new(Want::Service(parse(&service)?, spec, Arc::new(revision.read()?))))
        }
        EntryV1::WantObjects { objects } => {
            let object = objects.read()?.pop_first().ok_or("no object is named")?;
            Entry::Want(Box::new(Want::Object(object.0, object.1)))
        }
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
    };
    Ok(Line { at: line.at_ms.map(Timestamp), entry })
}

fn read_verb(text: &str) -> Result<Verb, String> {
    Verb::ALL.into_iter().find(|verb| verb.as_str() == text).ok_or_else(|| format!("`{text}` is no verb"))
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
            Effect::RolloutStands { service, rollout } => {
                Self::RolloutStands { service: service.to_string(), rollout: RolloutV1::of(rollout) }
            }
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
            Self::RolloutStands { service, rollout } => {
                Effect::RolloutStands { service: parse(&service)?, rollout: rollout.read()? }
            }
            Self::RolloutEnded { service, ending } => {
                Effect::RolloutEnded { service: parse(&service)?, ending: ending.read() }
            }
        })
    }
}
