//! Listeners, routes and probes of the model in the gateway's words.

use sha2::{Digest as _, Sha256};
use std::{fmt::Display, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use wharf_gateway::{Endpoint, Entry, Limits, Listener, Protocol, Records, Route, Timeouts, TokenDigest};
use wharf_model::{
    Check, Cidr, GatewayName, GatewaySpec, InstanceId, Membership, Probe, RecordFile, RouteSpec, ServiceName,
    TokenSpec, entry_path,
};
use wharf_provider::{ProviderError, SecretValues};

/// The name of a route in its gateway or balancer.
#[must_use]
pub fn route_name(entry: &impl Display, service: &ServiceName) -> String {
    format!("{entry}/{service}")
}

/// An instance that may get requests.
#[must_use]
pub fn endpoint(instance: &InstanceId, address: SocketAddr, probe: wharf_gateway::Probe) -> Endpoint {
    Endpoint { probe: Some(probe), ..Endpoint::serving(instance.to_string(), address) }
}

/// A gateway's listener at an address, without certificates: where their files are is for the runtime to say.
///
/// # Errors
/// A range of callers that the gateway does not understand. Leaving it out would let others in, or everybody.
pub fn listener(gateway: &GatewayName, spec: &GatewaySpec, address: SocketAddr) -> Result<Listener, ProviderError> {
    let range = |range: &Cidr| {
        range.to_string().parse().map_err(|why: String| ProviderError::Rejected {
            attempt: format!("cannot tell gateway {gateway} who may call it: {why}"),
            help: "write the range in `allow` as an address and a count of bits".to_owned(),
            source: None,
        })
    };
    Ok(Listener {
        allow: spec.allow.iter().map(range).collect::<Result<_, _>>()?,
        limits: Limits { rate: spec.rate_limit, concurrency: spec.concurrency_limit, ..Limits::default() },
        ..Listener::plain(gateway.to_string(), address)
    })
}

/// A route without endpoints, and without records: where those are kept is for the runtime to say. The gateway gets to
/// know tokens by their digests alone.
///
/// # Errors
/// A token's value is not among `secrets`.
pub fn route(spec: &RouteSpec, secrets: &SecretValues) -> Result<Route, ProviderError> {
    let token = |token: &TokenSpec| {
        let secret = &token.secret;
        let value = secrets.expose(secret).ok_or_else(|| ProviderError::Missing {
            attempt: format!(
                "cannot set route {}/{}: the value of token {secret} is not known",
                spec.gateway, spec.service
            ),
            help: format!("make the source of secret {secret} available to the one who runs wharf"),
        })?;
        Ok(TokenDigest { name: token.known_as().to_owned(), sha256: hex::encode(Sha256::digest(value)), rate: None })
    };
    Ok(Route {
        name: route_name(&spec.gateway, &spec.service),
        service: spec.service.to_string(),
        paths: spec.paths.iter().map(ToString::to_string).collect(),
        tokens: spec.tokens.iter().map(token).collect::<Result<_, _>>()?,
        timeout_ms: Some(millis(spec.timeout)),
        max_body: spec.max_body.map(|limit| limit.0),
        timeouts: Timeouts {
            connect_ms: spec.timeouts.connect.map(millis),
            first_byte_ms: spec.timeouts.first_byte.map(millis),
            between_bytes_ms: spec.timeouts.between_bytes.map(millis),
            total_ms: Some(millis(spec.timeout)),
        },
        limits: Limits {
            rate: spec.traffic.rate_limit,
            concurrency: spec.traffic.concurrency_limit,
            instance_rate: spec.traffic.instance_rate_limit,
            ..Limits::default()
        },
        protocol: if spec.grpc { Protocol::H2c } else { Protocol::Http1 },
        entry: spec.group.as_ref().map(entry),
        ..Route::default()
    })
}

/// A service's place in a group, as its part of an entry that the members' routes have together.
fn entry(member: &Membership) -> Entry {
    Entry { path: entry_path(&member.group).to_string(), weight: member.weight }
}

/// How calls are kept in a file; `at` is where that is for the gateway.
#[must_use]
pub fn records(file: &RecordFile, at: PathBuf) -> Records {
    let RecordFile { path: _, sample, max_body, rotate, keep, redact_headers, redact_fields } = file;
    let texts = |texts: &[Arc<str>]| texts.iter().map(ToString::to_string).collect();
    Records {
        file: at,
        thousandths: sample.thousandths(),
        max_body: u32::try_from(max_body.0).unwrap_or(u32::MAX),
        redact: texts(redact_headers),
        redact_fields: texts(redact_fields),
        full: rotate.0,
        kept: *keep,
    }
}

/// The group that an entry stands for; none where it was not made by [`route`].
#[must_use]
pub fn membership(entry: &Entry) -> Option<Membership> {
    let group = entry.path.strip_prefix(&*entry_path(&""))?.parse().ok()?;
    Some(Membership { group, weight: entry.weight })
}

/// How a gateway finds out whether an instance is ready.
#[must_use]
pub fn probe(probe: &Probe) -> wharf_gateway::Probe {
    wharf_gateway::Probe {
        check: check(&probe.check),
        every_ms: millis(probe.every),
        timeout_ms: millis(probe.timeout),
        failures: probe.failures,
        successes: probe.successes,
    }
}

/// What a probe asks. A program as a probe is no business of a gateway: whoever has one must have refused it, or run it
/// beside; the gateway asks for a connection alone.
#[must_use]
pub fn check(check: &Check) -> wharf_gateway::Check {
    match check {
        Check::Http { path } => wharf_gateway::Check::Http { path: path.to_string() },
        Check::Grpc { service } => wharf_gateway::Check::Grpc { service: service.to_string() },
        Check::Tcp | Check::Exec(_) => wharf_gateway::Check::Tcp,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
