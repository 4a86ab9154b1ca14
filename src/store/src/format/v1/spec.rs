//! Services and revisions.

use super::{
    container::{ConfidentialV1, ContainerV1, NacosV1, ProcessorV1},
    elastic::{CallRecordsV1, ElasticV1, RouterV1, WeightsV1},
    gateway::{texts, token_names, tokens, values},
    millis,
    mount::MountV1,
    parse,
    resources::{MembershipV1, PaceV1, ProbesV1, ResourcesV1, TimeoutsV1, TrafficV1, UnitV1},
    stored::{Stored, absent},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use wharf_model::{
    Check, CountOrPercent, EnvValue, Expose, Generation, Mount, OnFailure, Pins, Probe, Program, Revision,
    RevisionNumber, RolloutPolicy, ServiceSpec, Shutdown, Template,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceV1 {
    template: TemplateV1,
    instances: u32,
    rollout: RolloutV1,
    grace_ms: u64,
    sigterm: bool,
    timeout_ms: u64,
    tokens: Vec<String>,
    #[serde(default, skip_serializing_if = "absent")]
    token_names: BTreeMap<String, String>,
    exposes: BTreeMap<String, Option<String>>,
    #[serde(default, skip_serializing_if = "absent")]
    timeouts: TimeoutsV1,
    #[serde(default, skip_serializing_if = "absent")]
    traffic: TrafficV1,
    #[serde(default, skip_serializing_if = "absent")]
    group: Option<MembershipV1>,
    #[serde(default, skip_serializing_if = "absent")]
    web_app: bool,
    #[serde(default, skip_serializing_if = "absent")]
    grpc: bool,
    #[serde(default, skip_serializing_if = "absent")]
    nacos: BTreeMap<String, NacosV1>,
    #[serde(default, skip_serializing_if = "absent")]
    elastic: ElasticV1,
    #[serde(default, skip_serializing_if = "absent")]
    router: Option<RouterV1>,
    #[serde(default, skip_serializing_if = "absent")]
    call_records: Option<CallRecordsV1>,
    #[serde(default, skip_serializing_if = "absent")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "absent")]
    raw: BTreeMap<String, BTreeMap<String, String>>,
}

impl ServiceV1 {
    pub(super) fn of(spec: &ServiceSpec) -> Self {
        let ServiceSpec {
            template,
            instances,
            rollout,
            shutdown,
            timeout,
            tokens,
            exposes,
            timeouts,
            traffic,
            group,
            web_app,
            grpc,
            nacos,
            elastic,
            router,
            call_records,
            labels,
            raw,
        } = spec;
        let Shutdown { grace, sigterm } = shutdown;
        let expose = |expose: &Expose| expose.path.as_ref().map(ToString::to_string);
        Self {
            template: TemplateV1::of(template),
            instances: *instances,
            rollout: RolloutV1::of(rollout),
            grace_ms: millis(*grace),
            sigterm: *sigterm,
            timeout_ms: millis(*timeout),
            tokens: tokens.iter().map(|token| token.secret.to_string()).collect(),
            token_names: token_names(tokens),
            exposes: exposes.iter().map(|(gateway, one)| (gateway.to_string(), expose(one))).collect(),
            timeouts: timeouts.store(),
            traffic: traffic.store(),
            group: group.store(),
            web_app: *web_app,
            grpc: *grpc,
            nacos: nacos.iter().map(|(id, nacos)| (id.to_string(), nacos.store())).collect(),
            elastic: elastic.store(),
            router: router.store(),
            call_records: call_records.store(),
            labels: labels.store(),
            raw: raw.store(),
        }
    }

    pub(super) fn read(self) -> Result<ServiceSpec, String> {
        let expose = |(gateway, path): (String, Option<String>)| {
            Ok::<_, String>((parse(&gateway)?, Expose { path: path.map(Into::into) }))
        };
        let nacos = self.nacos.into_iter().map(|(id, nacos)| Ok((id.into(), Stored::restore(nacos)?)));
        Ok(ServiceSpec {
            template: self.template.read()?,
            instances: self.instances,
            rollout: self.rollout.read()?,
            shutdown: Shutdown { grace: Duration::from_millis(self.grace_ms), sigterm: self.sigterm },
            timeout: Duration::from_millis(self.timeout_ms),
            tokens: tokens(&self.tokens, &self.token_names)?,
            exposes: self.exposes.into_iter().map(expose).collect::<Result<_, _>>()?,
            timeouts: Stored::restore(self.timeouts)?,
            traffic: Stored::restore(self.traffic)?,
            group: Stored::restore(self.group)?,
            web_app: self.web_app,
            grpc: self.grpc,
            nacos: nacos.collect::<Result<_, String>>()?,
            elastic: Stored::restore(self.elastic)?,
            router: Stored::restore(self.router)?,
            call_records: Stored::restore(self.call_records)?,
            labels: Stored::restore(self.labels)?,
            raw: Stored::restore(self.raw)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    program: ProgramV1,
    #[serde(default, skip_serializing_if = "absent")]
    port: Option<u16>,
    packages: Vec<String>,
    env: BTreeMap<String, EnvV1>,
    mounts: BTreeMap<String, MountV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    readiness: Option<ProbeV1>,
    #[serde(default, skip_serializing_if = "absent")]
    probes: ProbesV1,
    #[serde(default, skip_serializing_if = "absent")]
    resources: ResourcesV1,
    #[serde(default, skip_serializing_if = "absent")]
    unit: Option<UnitV1>,
    #[serde(default, skip_serializing_if = "absent")]
    crash_block: bool,
    #[serde(default, skip_serializing_if = "absent")]
    pull: Option<String>,
    #[serde(default, skip_serializing_if = "absent")]
    packages_file: Option<String>,
    #[serde(default, skip_serializing_if = "absent")]
    containers: BTreeMap<String, ContainerV1>,
    #[serde(default, skip_serializing_if = "absent")]
    network: Option<String>,
    #[serde(default, skip_serializing_if = "absent")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "absent")]
    confidential: Option<ConfidentialV1>,
    #[serde(default, skip_serializing_if = "absent")]
    weights: Option<WeightsV1>,
    #[serde(default, skip_serializing_if = "absent")]
    tracing: bool,
    #[serde(default, skip_serializing_if = "absent")]
    log_paths: Vec<String>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ProgramV1 {
    Command(Vec<String>),
    Script(String),
    Args(Vec<String>),
    Processor(Box<ProcessorV1>),
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EnvV1 {
    Plain(String),
    Secret(String),
}

impl TemplateV1 {
    fn of(template: &Template) -> Self {
        let Template {
            image,
            program,
            port,
            packages,
            env,
            mounts,
            readiness,
            probes,
            resources,
            unit,
            crash_block,
            pull,
            packages_file,
            containers,
            network,
            role,
            confidential,
            weights,
            tracing,
            log_paths,
        } = template;
        Self {
            image: image.as_ref().map(ToString::to_string),
            program: program.store(),
            port: *port,
            packages: packages.iter().map(ToString::to_string).collect(),
            env: env.iter().map(|(name, value)| (name.to_string(), value.store())).collect(),
            mounts: mounts.iter().map(|(path, mount)| (path.to_string(), mount.store())).collect(),
            readiness: readiness.store(),
            probes: probes.store(),
            resources: resources.store(),
            unit: unit.store(),
            crash_block: *crash_block,
            pull: pull.store(),
            packages_file: packages_file.store(),
            containers: containers.store(),
            network: network.store(),
            role: role.store(),
            confidential: confidential.store(),
            weights: weights.store(),
            tracing: *tracing,
            log_paths: log_paths.store(),
        }
    }

    fn read(self) -> Result<Template, String> {
        let env = self.env.into_iter().map(|(name, value)| Ok((parse(&name)?, EnvValue::restore(value)?)));
        let mounts = self.mounts.into_iter().map(|(path, mount)| Ok((parse(&path)?, Mount::restore(mount)?)));
        Ok(Template {
            image: self.image.map(Into::into),
            program: Program::restore(self.program)?,
            port: self.port,
            packages: self.packages.into_iter().map(Into::into).collect(),
            env: env.collect::<Result<_, String>>()?,
            mounts: mounts.collect::<Result<_, String>>()?,
            readiness: Stored::restore(self.readiness)?,
            probes: Stored::restore(self.probes)?,
            resources: Stored::restore(self.resources)?,
            unit: Stored::restore(self.unit)?,
            crash_block: self.crash_block,
            pull: Stored::restore(self.pull)?,
            packages_file: Stored::restore(self.packages_file)?,
            containers: Stored::restore(self.containers)?,
            network: Stored::restore(self.network)?,
            role: Stored::restore(self.role)?,
            confidential: Stored::restore(self.confidential)?,
            weights: Stored::restore(self.weights)?,
            tracing: self.tracing,
            log_paths: Stored::restore(self.log_paths)?,
        })
    }
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeV1 {
    /// The path of an HTTP probe; without it, `exec` and `grpc`, a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    #[serde(default, skip_serializing_if = "absent")]
    exec: Vec<String>,
    /// The service that the health service of gRPC is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grpc: Option<String>,
    #[serde(default, skip_serializing_if = "absent")]
    port: Option<u16>,
    #[serde(default, skip_serializing_if = "absent")]
    initial_delay_ms: u64,
    every_ms: u64,
    timeout_ms: u64,
    failures: u32,
    successes: u32,
}

impl Stored for Probe {
    type V1 = ProbeV1;

    fn store(&self) -> ProbeV1 {
        let Self { check, port, initial_delay, every, timeout, failures, successes } = self;
        let (http, exec, grpc) = match check {
            Check::Http { path } => (Some(path.to_string()), Vec::new(), None),
            Check::Tcp => (None, Vec::new(), None),
            Check::Grpc { service } => (None, Vec::new(), Some(service.to_string())),
            Check::Exec(words) => (None, words.store(), None),
        };
        ProbeV1 {
            http,
            exec,
            grpc,
            port: *port,
            initial_delay_ms: millis(*initial_delay),
            every_ms: millis(*every),
            timeout_ms: millis(*timeout),
            failures: *failures,
            successes: *successes,
        }
    }

    fn restore(stored: ProbeV1) -> Result<Self, String> {
        let check = match (stored.http, stored.grpc, stored.exec) {
            (Some(path), ..) => Check::Http { path: path.into() },
            (None, Some(service), _) => Check::Grpc { service: service.into() },
            (None, None, words) if words.is_empty() => Check::Tcp,
            (None, None, words) => Check::Exec(Stored::restore(words)?),
        };
        Ok(Self {
            check,
            port: stored.port,
            initial_delay: Duration::from_millis(stored.initial_delay_ms),
            every: Duration::from_millis(stored.every_ms),
            timeout: Duration::from_millis(stored.timeout_ms),
            failures: stored.failures,
            successes: stored.successes,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RolloutV1 {
    max_surge: ShareV1,
    max_unavailable: ShareV1,
    min_ready_ms: u64,
    deadline_ms: u64,
    roll_back: bool,
    #[serde(default, skip_serializing_if = "absent")]
    pace: Option<PaceV1>,
    #[serde(default, skip_serializing_if = "absent")]
    paused: bool,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ShareV1 {
    Count(u32),
    Percent(u8),
}

impl Stored for CountOrPercent {
    type V1 = ShareV1;

    fn store(&self) -> ShareV1 {
        match self {
            Self::Count(count) => ShareV1::Count(*count),
            Self::Percent(share) => ShareV1::Percent(*share),
        }
    }

    fn restore(stored: ShareV1) -> Result<Self, String> {
        Ok(match stored {
            ShareV1::Count(count) => Self::Count(count),
            ShareV1::Percent(share) => Self::Percent(share),
        })
    }
}

impl RolloutV1 {
    fn of(policy: &RolloutPolicy) -> Self {
        let RolloutPolicy { max_surge, max_unavailable, min_ready, deadline, on_failure, pace, paused } = policy;
        Self {
            max_surge: max_surge.store(),
            max_unavailable: max_unavailable.store(),
            min_ready_ms: millis(*min_ready),
            deadline_ms: millis(*deadline),
            roll_back: *on_failure == OnFailure::RollBack,
            pace: pace.store(),
            paused: *paused,
        }
    }

    fn read(self) -> Result<RolloutPolicy, String> {
        Ok(RolloutPolicy {
            max_surge: CountOrPercent::restore(self.max_surge)?,
            max_unavailable: CountOrPercent::restore(self.max_unavailable)?,
            min_ready: Duration::from_millis(self.min_ready_ms),
            deadline: Duration::from_millis(self.deadline_ms),
            on_failure: if self.roll_back { OnFailure::RollBack } else { OnFailure::Halt },
            pace: Stored::restore(self.pace)?,
            paused: self.paused,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevisionV1 {
    pub(super) number: u32,
    template: TemplateV1,
    mounts: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packages: Option<String>,
    secrets: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "absent")]
    image_content: Option<String>,
    #[serde(default, skip_serializing_if = "absent")]
    objects: BTreeMap<String, u32>,
}

impl RevisionV1 {
    pub(super) fn of(revision: &Revision) -> Self {
        let Revision { number, template, pins: Pins { mounts, packages, secrets, image, objects } } = revision;
        Self {
            number: number.0,
            template: TemplateV1::of(template),
            mounts: texts(mounts),
            packages: packages.map(|digest| digest.to_string()),
            secrets: texts(secrets),
            image_content: image.map(|digest| digest.to_string()),
            objects: objects.iter().map(|(address, generation)| (address.to_string(), generation.0)).collect(),
        }
    }

    pub(super) fn read(self) -> Result<Revision, String> {
        let object = |(address, generation): (String, u32)| Ok((parse(&address)?, Generation(generation)));
        Ok(Revision {
            number: RevisionNumber(self.number),
            template: self.template.read()?,
            pins: Pins {
                mounts: values(self.mounts)?,
                packages: self.packages.as_deref().map(parse).transpose()?,
                secrets: values(self.secrets)?,
                image: self.image_content.as_deref().map(parse).transpose()?,
                objects: self.objects.into_iter().map(object).collect::<Result<_, String>>()?,
            },
        })
    }
}
