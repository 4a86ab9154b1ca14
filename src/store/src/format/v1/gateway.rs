//! Gateways and routes, and the tokens that open them.

use super::{
    container::{DomainV1, ManagedGatewayV1},
    elastic::RecordFileV1,
    millis, parse,
    resources::{MembershipV1, TimeoutsV1, TrafficV1},
    stored::{Stored, absent, as_text, stored},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};
use wharf_model::{
    Bytes, EnvValue, GatewaySpec, RecordFile, RouteSpec, Sample, SecretDigest, SecretName, TokenSpec, Traces,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GatewayV1 {
    port: u16,
    address: IpAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_body: Option<u64>,
    #[serde(default, skip_serializing_if = "absent")]
    managed: Option<ManagedGatewayV1>,
    #[serde(default, skip_serializing_if = "absent")]
    domain: Option<DomainV1>,
    #[serde(default, skip_serializing_if = "absent")]
    allow: Vec<String>,
    #[serde(default, skip_serializing_if = "absent")]
    rate_limit: Option<u32>,
    #[serde(default, skip_serializing_if = "absent")]
    concurrency_limit: Option<u32>,
    #[serde(default, skip_serializing_if = "absent")]
    reach: Option<String>,
    #[serde(default, skip_serializing_if = "absent")]
    network: Option<String>,
    #[serde(default, skip_serializing_if = "absent")]
    traces: Option<TracesV1>,
}

impl GatewayV1 {
    pub(super) fn of(spec: &GatewaySpec) -> Self {
        let GatewaySpec {
            port,
            address,
            max_body,
            managed,
            domain,
            allow,
            rate_limit,
            concurrency_limit,
            reach,
            network,
            traces,
        } = spec;
        Self {
            port: *port,
            address: *address,
            max_body: max_body.store(),
            managed: managed.store(),
            domain: domain.store(),
            allow: allow.store(),
            rate_limit: *rate_limit,
            concurrency_limit: *concurrency_limit,
            reach: reach.store(),
            network: network.store(),
            traces: traces.store(),
        }
    }

    pub(super) fn read(self) -> Result<GatewaySpec, String> {
        Ok(GatewaySpec {
            port: self.port,
            address: self.address,
            max_body: self.max_body.map(Bytes),
            managed: Stored::restore(self.managed)?,
            domain: Stored::restore(self.domain)?,
            allow: Stored::restore(self.allow)?,
            rate_limit: self.rate_limit,
            concurrency_limit: self.concurrency_limit,
            reach: Stored::restore(self.reach)?,
            network: Stored::restore(self.network)?,
            traces: Stored::restore(self.traces)?,
        })
    }
}

as_text!(SecretDigest);
stored!(
    struct Traces as TracesV1 { otlp: Arc<str>, sample: Sample;
        headers: BTreeMap<Arc<str>, EnvValue>,
        digests: BTreeMap<SecretName, SecretDigest>,
    }
);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteV1 {
    pub(super) gateway: String,
    pub(super) service: String,
    paths: Vec<String>,
    tokens: Vec<String>,
    #[serde(default, skip_serializing_if = "absent")]
    token_names: BTreeMap<String, String>,
    token_digests: BTreeMap<String, String>,
    timeout_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_body: Option<u64>,
    #[serde(default, skip_serializing_if = "absent")]
    timeouts: TimeoutsV1,
    #[serde(default, skip_serializing_if = "absent")]
    traffic: TrafficV1,
    #[serde(default, skip_serializing_if = "absent")]
    grpc: bool,
    #[serde(default, skip_serializing_if = "absent")]
    group: Option<MembershipV1>,
    #[serde(default, skip_serializing_if = "absent")]
    records: Option<RecordFileV1>,
}

impl RouteV1 {
    pub(super) fn of(spec: &RouteSpec) -> Self {
        let RouteSpec {
            gateway,
            service,
            paths,
            tokens,
            token_digests,
            timeout,
            max_body,
            timeouts,
            traffic,
            grpc,
            group,
            records,
        } = spec;
        Self {
            gateway: gateway.to_string(),
            service: service.to_string(),
            paths: paths.iter().map(ToString::to_string).collect(),
            tokens: tokens.iter().map(|token| token.secret.to_string()).collect(),
            token_names: token_names(tokens),
            token_digests: texts(token_digests),
            timeout_ms: millis(*timeout),
            max_body: max_body.map(|limit| limit.0),
            timeouts: timeouts.store(),
            traffic: traffic.store(),
            grpc: *grpc,
            group: group.store(),
            records: records.as_deref().map(Stored::store),
        }
    }

    pub(super) fn read(self) -> Result<RouteSpec, String> {
        Ok(RouteSpec {
            gateway: parse(&self.gateway)?,
            service: parse(&self.service)?,
            paths: self.paths.into_iter().map(Into::into).collect(),
            tokens: tokens(&self.tokens, &self.token_names)?,
            token_digests: values(self.token_digests)?,
            timeout: Duration::from_millis(self.timeout_ms),
            max_body: self.max_body.map(Bytes),
            timeouts: Stored::restore(self.timeouts)?,
            traffic: Stored::restore(self.traffic)?,
            grpc: self.grpc,
            group: Stored::restore(self.group)?,
            records: Option::<RecordFile>::restore(self.records)?.map(Box::new),
        })
    }
}

pub(super) fn texts(map: &BTreeMap<impl ToString, impl ToString>) -> BTreeMap<String, String> {
    map.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

pub(super) fn values<K, V>(map: BTreeMap<String, String>) -> Result<BTreeMap<K, V>, String>
where
    K: std::str::FromStr<Err: std::fmt::Display> + Ord,
    V: std::str::FromStr<Err: std::fmt::Display>,
{
    map.into_iter().map(|(key, value)| Ok((parse(&key)?, parse(&value)?))).collect()
}

pub(super) fn tokens(secrets: &[String], names: &BTreeMap<String, String>) -> Result<Vec<TokenSpec>, String> {
    let token = |secret: &String| {
        let name = names.get(secret).map(|name| parse(name)).transpose()?;
        Ok(TokenSpec { secret: parse(secret)?, name })
    };
    secrets.iter().map(token).collect()
}

pub(super) fn token_names(tokens: &[TokenSpec]) -> BTreeMap<String, String> {
    tokens.iter().filter_map(|token| Some((token.secret.to_string(), token.name.as_ref()?.to_string()))).collect()
}
