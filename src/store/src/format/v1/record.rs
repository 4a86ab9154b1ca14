//! Commits.

use super::{
    COMMIT,
    gateway::{GatewayV1, RouteV1},
    object::ObjectsV1,
    parse,
    spec::{RevisionV1, ServiceV1},
};
use crate::{Author, Commit, Made};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use wharf_model::{
    Ending, Generation, Lineage, PlanId, Record, RecordedGateway, RecordedInstance, RecordedRollout, RecordedRoute,
    RecordedService, Rest, RevisionNumber, Slot, Timestamp,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitV1 {
    format: String,
    serial: u64,
    lineage: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made: Option<MadeV1>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    absorbed: BTreeMap<String, u64>,
    project: String,
    environment: String,
    gateways: BTreeMap<String, GatewayV1>,
    routes: Vec<RouteV1>,
    services: BTreeMap<String, RecordedServiceV1>,
    #[serde(default, skip_serializing_if = "ObjectsV1::is_empty")]
    objects: ObjectsV1,
    contents: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MadeV1 {
    at_ms: u64,
    doing: String,
    by: AuthorV1,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
}

/// Who does something; of journals too.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorV1 {
    who: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
}

impl AuthorV1 {
    pub(super) fn of(author: &Author) -> Self {
        let Author { who, commit, run } = author.clone();
        Self { who, commit, run }
    }

    pub(super) fn read(self) -> Author {
        let Self { who, commit, run } = self;
        Author { who, commit, run }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedServiceV1 {
    spec: ServiceV1,
    current: Option<u32>,
    revisions: Vec<RevisionV1>,
    instances: BTreeMap<String, InstanceV1>,
    generations: BTreeMap<u32, u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<(u32, EndingV1)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollout: Option<RolloutV1>,
}

/// A rollout that was begun and has not ended; of journals too.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RolloutV1 {
    to: u32,
    passed: u32,
    steps: u32,
    since_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<String>,
}

impl RolloutV1 {
    pub(super) fn of(rollout: &RecordedRollout) -> Self {
        let RecordedRollout { to, passed, steps, since, rest } = *rollout;
        let rest = rest.map(|rest| rest.as_str().to_owned());
        Self { to: to.0, passed, steps, since_ms: since.0, rest }
    }

    pub(super) fn read(self) -> Result<RecordedRollout, String> {
        let Self { to, passed, steps, since_ms, rest } = self;
        let read = |text: String| {
            let found = Rest::ALL.into_iter().find(|rest| rest.as_str() == text);
            found.ok_or_else(|| format!("`{text}` is no reason to wait"))
        };
        let rest = rest.map(read).transpose()?;
        Ok(RecordedRollout { to: RevisionNumber(to), passed, steps, since: Timestamp(since_ms), rest })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceV1 {
    revision: u32,
    endpoint: SocketAddr,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EndingV1 {
    Done,
    RolledBack(String),
    Halted(String),
}

impl EndingV1 {
    pub(super) fn of(ending: &Ending) -> Self {
        match ending {
            Ending::Done => Self::Done,
            Ending::RolledBack { because } => Self::RolledBack(because.clone()),
            Ending::Halted { because } => Self::Halted(because.clone()),
        }
    }

    pub(super) fn read(self) -> Ending {
        match self {
            Self::Done => Ending::Done,
            Self::RolledBack(because) => Ending::RolledBack { because },
            Self::Halted(because) => Ending::Halted { because },
        }
    }
}

pub(in crate::format) fn print_commit(commit: &Commit) -> String {
    let Commit { serial, lineage, made, absorbed, record } = commit;
    let Record { project, environment, gateways, routes, services, objects, contents } = record;
    let made = made.as_ref().map(|Made { at, doing, by, plan }| MadeV1 {
        at_ms: at.0,
        doing: doing.clone(),
        by: AuthorV1::of(by),
        plan: plan.as_ref().map(ToString::to_string),
    });
    let commit = CommitV1 {
        format: COMMIT.to_owned(),
        serial: *serial,
        lineage: lineage.to_string(),
        made,
        absorbed: absorbed.clone(),
        project: project.to_string(),
        environment: environment.to_string(),
        gateways: gateways.iter().map(|(name, known)| (name.to_string(), GatewayV1::of(&known.spec))).collect(),
        routes: routes.values().map(|known| RouteV1::of(&known.spec)).collect(),
        services: services.iter().map(|(name, known)| (name.to_string(), RecordedServiceV1::of(known))).collect(),
        objects: ObjectsV1::of(objects),
        contents: contents.iter().map(ToString::to_string).collect(),
    };
    serde_json::to_string_pretty(&commit).expect("strings and numbers become JSON")
}

pub(in crate::format) fn read_commit(text: &str, serial: u64) -> Result<Commit, String> {
    let commit: CommitV1 = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if commit.serial != serial {
        return Err(format!("it says that it is commit {}", commit.serial));
    }
    let gateways = commit.gateways.into_iter();
    let services = commit.services.into_iter();
    let record = Record {
        project: parse(&commit.project)?,
        environment: parse(&commit.environment)?,
        gateways: gateways
            .map(|(name, spec)| Ok((parse(&name)?, RecordedGateway { spec: spec.read()? })))
            .collect::<Result<_, String>>()?,
        routes: commit.routes.into_iter().map(route).collect::<Result<_, String>>()?,
        services: services
            .map(|(name, service)| Ok((parse(&name)?, service.read()?)))
            .collect::<Result<_, String>>()?,
        objects: commit.objects.read()?,
        contents: commit.contents.iter().map(|content| parse(content)).collect::<Result<_, String>>()?,
    };
    let made = commit.made.map(|MadeV1 { at_ms, doing, by, plan }| Made {
        at: Timestamp(at_ms),
        doing,
        by: by.read(),
        plan: plan.map(|plan| PlanId(plan.into())),
    });
    Ok(Commit { serial, lineage: Lineage(commit.lineage.into()), made, absorbed: commit.absorbed, record })
}

type RouteKey = (wharf_model::GatewayName, wharf_model::ServiceName);

fn route(route: RouteV1) -> Result<(RouteKey, RecordedRoute), String> {
    let spec = route.read()?;
    Ok(((spec.gateway.clone(), spec.service.clone()), RecordedRoute { spec }))
}

impl RecordedServiceV1 {
    fn of(service: &RecordedService) -> Self {
        let RecordedService { spec, current, revisions, instances, generations, trouble, rollout } = service;
        let instance = |known: &RecordedInstance| InstanceV1 { revision: known.revision.0, endpoint: known.endpoint };
        Self {
            spec: ServiceV1::of(spec),
            current: current.map(|number| number.0),
            revisions: revisions.values().map(|revision| RevisionV1::of(revision)).collect(),
            instances: instances.iter().map(|(id, known)| (id.to_string(), instance(known))).collect(),
            generations: generations.iter().map(|(slot, generation)| (slot.0, generation.0)).collect(),
            trouble: trouble.as_ref().map(|(number, ending)| (number.0, EndingV1::of(ending))),
            rollout: rollout.as_ref().map(RolloutV1::of),
        }
    }

    fn read(self) -> Result<RecordedService, String> {
        let revision = |revision: RevisionV1| Ok((RevisionNumber(revision.number), Arc::new(revision.read()?)));
        let instance = |(id, known): (String, InstanceV1)| {
            let revision = RevisionNumber(known.revision);
            Ok((parse(&id)?, RecordedInstance { revision, endpoint: known.endpoint }))
        };
        let generation = |(slot, generation)| (Slot(slot), Generation(generation));
        Ok(RecordedService {
            spec: self.spec.read()?,
            current: self.current.map(RevisionNumber),
            revisions: self.revisions.into_iter().map(revision).collect::<Result<_, String>>()?,
            instances: self.instances.into_iter().map(instance).collect::<Result<_, String>>()?,
            generations: self.generations.into_iter().map(generation).collect(),
            trouble: self.trouble.map(|(number, ending)| (RevisionNumber(number), ending.read())),
            rollout: self.rollout.map(RolloutV1::read).transpose()?,
        })
    }
}
