//! Specs and revisions.

use super::{millis, mount::MountV1, parse, stored::Stored};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, time::Duration};
use wharf_model::{
    Bytes, Check, CountOrPercent, EnvValue, Expose, GatewaySpec, Mount, OnFailure, Pins, Probe, Program, Revision,
    RevisionNumber, RolloutPolicy, RouteSpec, ServiceSpec, Shutdown, Template, TokenSpec,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GatewayV1 {
    port: u16,
    address: IpAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_body: Option<u64>,
}

impl GatewayV1 {
    pub(super) fn of(spec: &GatewaySpec) -> Self {
        let GatewaySpec { port, address, max_body } = spec;
        Self { port: *port, address: *address, max_body: max_body.map(|limit| limit.0) }
    }

    pub(super) fn read(self) -> GatewaySpec {
        GatewaySpec { port: self.port, address: self.address, max_body: self.max_body.map(Bytes) }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteV1 {
    pub(super) gateway: String,
    pub(super) service: String,
    paths: Vec<String>,
    tokens: Vec<String>,
    token_digests: BTreeMap<String, String>,
    timeout_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_body: Option<u64>,
}

impl RouteV1 {
    pub(super) fn of(spec: &RouteSpec) -> Self {
        let RouteSpec { gateway, service, paths, tokens, token_digests, timeout, max_body } = spec;
        Self {
            gateway: gateway.to_string(),
            service: service.to_string(),
            paths: paths.iter().map(ToString::to_string).collect(),
            tokens: tokens.iter().map(|token| token.secret.to_string()).collect(),
            token_digests: texts(token_digests),
            timeout_ms: millis(*timeout),
            max_body: max_body.map(|limit| limit.0),
        }
    }

    pub(super) fn read(self) -> Result<RouteSpec, String> {
        Ok(RouteSpec {
            gateway: parse(&self.gateway)?,
            service: parse(&self.service)?,
            paths: self.paths.into_iter().map(Into::into).collect(),
            tokens: tokens(&self.tokens)?,
            token_digests: values(self.token_digests)?,
            timeout: Duration::from_millis(self.timeout_ms),
            max_body: self.max_body.map(Bytes),
        })
    }
}

fn texts(map: &BTreeMap<impl ToString, impl ToString>) -> BTreeMap<String, String> {
    map.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn values<K, V>(map: BTreeMap<String, String>) -> Result<BTreeMap<K, V>, String>
where
    K: std::str::FromStr<Err: std::fmt::Display> + Ord,
    V: std::str::FromStr<Err: std::fmt::Display>,
{
    map.into_iter().map(|(key, value)| Ok((parse(&key)?, parse(&value)?))).collect()
}

fn tokens(names: &[String]) -> Result<Vec<TokenSpec>, String> {
    names.iter().map(|name| Ok(TokenSpec { secret: parse(name)? })).collect()
}

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
    exposes: BTreeMap<String, Option<String>>,
}

impl ServiceV1 {
    pub(super) fn of(spec: &ServiceSpec) -> Self {
        let ServiceSpec { template, instances, rollout, shutdown, timeout, tokens, exposes } = spec;
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
            exposes: exposes.iter().map(|(gateway, one)| (gateway.to_string(), expose(one))).collect(),
        }
    }

    pub(super) fn read(self) -> Result<ServiceSpec, String> {
        let expose = |(gateway, path): (String, Option<String>)| {
            Ok::<_, String>((parse(&gateway)?, Expose { path: path.map(Into::into) }))
        };
        Ok(ServiceSpec {
            template: self.template.read()?,
            instances: self.instances,
            rollout: self.rollout.read(),
            shutdown: Shutdown { grace: Duration::from_millis(self.grace_ms), sigterm: self.sigterm },
            timeout: Duration::from_millis(self.timeout_ms),
            tokens: tokens(&self.tokens)?,
            exposes: self.exposes.into_iter().map(expose).collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    program: ProgramV1,
    port: u16,
    packages: Vec<String>,
    env: BTreeMap<String, EnvV1>,
    mounts: BTreeMap<String, MountV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    readiness: Option<ProbeV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ProgramV1 {
    Command(Vec<String>),
    Script(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EnvV1 {
    Plain(String),
    Secret(String),
}

impl TemplateV1 {
    fn of(template: &Template) -> Self {
        let Template { image, program, port, packages, env, mounts, readiness } = template;
        Self {
            image: image.as_ref().map(ToString::to_string),
            program: match program {
                Program::Command(words) => ProgramV1::Command(words.iter().map(ToString::to_string).collect()),
                Program::Script(text) => ProgramV1::Script(text.to_string()),
            },
            port: *port,
            packages: packages.iter().map(ToString::to_string).collect(),
            env: env.iter().map(|(name, value)| (name.to_string(), EnvV1::of(value))).collect(),
            mounts: mounts.iter().map(|(path, mount)| (path.to_string(), mount.store())).collect(),
            readiness: readiness.as_ref().map(ProbeV1::of),
        }
    }

    fn read(self) -> Result<Template, String> {
        let env = self.env.into_iter().map(|(name, value)| Ok((parse(&name)?, value.read()?)));
        let mounts = self.mounts.into_iter().map(|(path, mount)| Ok((parse(&path)?, Mount::restore(mount)?)));
        Ok(Template {
            image: self.image.map(Into::into),
            program: match self.program {
                ProgramV1::Command(words) => Program::Command(words.into_iter().map(Into::into).collect()),
                ProgramV1::Script(text) => Program::Script(text.into()),
            },
            port: self.port,
            packages: self.packages.into_iter().map(Into::into).collect(),
            env: env.collect::<Result<_, String>>()?,
            mounts: mounts.collect::<Result<_, String>>()?,
            readiness: self.readiness.map(ProbeV1::read),
        })
    }
}

impl EnvV1 {
    fn of(value: &EnvValue) -> Self {
        match value {
            EnvValue::Plain(text) => Self::Plain(text.to_string()),
            EnvValue::Secret(name) => Self::Secret(name.to_string()),
        }
    }

    fn read(self) -> Result<EnvValue, String> {
        match self {
            Self::Plain(text) => Ok(EnvValue::Plain(text.into())),
            Self::Secret(name) => parse(&name).map(EnvValue::Secret),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProbeV1 {
    /// The path of an HTTP probe; none for a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    every_ms: u64,
    timeout_ms: u64,
    failures: u32,
    successes: u32,
}

impl ProbeV1 {
    fn of(probe: &Probe) -> Self {
        let Probe { check, every, timeout, failures, successes } = probe;
        let http = match check {
            Check::Http { path } => Some(path.to_string()),
            Check::Tcp => None,
        };
        let (every_ms, timeout_ms) = (millis(*every), millis(*timeout));
        Self { http, every_ms, timeout_ms, failures: *failures, successes: *successes }
    }

    fn read(self) -> Probe {
        Probe {
            check: self.http.map_or(Check::Tcp, |path| Check::Http { path: path.into() }),
            every: Duration::from_millis(self.every_ms),
            timeout: Duration::from_millis(self.timeout_ms),
            failures: self.failures,
            successes: self.successes,
        }
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
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ShareV1 {
    Count(u32),
    Percent(u8),
}

impl ShareV1 {
    fn of(share: CountOrPercent) -> Self {
        match share {
            CountOrPercent::Count(count) => Self::Count(count),
            CountOrPercent::Percent(share) => Self::Percent(share),
        }
    }

    fn read(self) -> CountOrPercent {
        match self {
            Self::Count(count) => CountOrPercent::Count(count),
            Self::Percent(share) => CountOrPercent::Percent(share),
        }
    }
}

impl RolloutV1 {
    fn of(policy: &RolloutPolicy) -> Self {
        let RolloutPolicy { max_surge, max_unavailable, min_ready, deadline, on_failure } = policy;
        Self {
            max_surge: ShareV1::of(*max_surge),
            max_unavailable: ShareV1::of(*max_unavailable),
            min_ready_ms: millis(*min_ready),
            deadline_ms: millis(*deadline),
            roll_back: *on_failure == OnFailure::RollBack,
        }
    }

    fn read(self) -> RolloutPolicy {
        RolloutPolicy {
            max_surge: self.max_surge.read(),
            max_unavailable: self.max_unavailable.read(),
            min_ready: Duration::from_millis(self.min_ready_ms),
            deadline: Duration::from_millis(self.deadline_ms),
            on_failure: if self.roll_back { OnFailure::RollBack } else { OnFailure::Halt },
        }
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
}

impl RevisionV1 {
    pub(super) fn of(revision: &Revision) -> Self {
        let Revision { number, template, pins: Pins { mounts, packages, secrets } } = revision;
        Self {
            number: number.0,
            template: TemplateV1::of(template),
            mounts: texts(mounts),
            packages: packages.map(|digest| digest.to_string()),
            secrets: texts(secrets),
        }
    }

    pub(super) fn read(self) -> Result<Revision, String> {
        Ok(Revision {
            number: RevisionNumber(self.number),
            template: self.template.read()?,
            pins: Pins {
                mounts: values(self.mounts)?,
                packages: self.packages.as_deref().map(parse).transpose()?,
                secrets: values(self.secrets)?,
            },
        })
    }
}
