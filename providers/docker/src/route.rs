//! Routes and probes of the model in the gateway's words: functions of values.

use sha2::{Digest as _, Sha256};
use std::time::Duration;
use wharf_gateway::{Route, Timeouts, TokenDigest};
use wharf_model::{Check, GatewayName, Probe, RouteSpec, ServiceName, TokenSpec};
use wharf_provider::{ProviderError, SecretValues};

/// The name of a route in a gateway.
pub(crate) fn route_name(gateway: &GatewayName, service: &ServiceName) -> String {
    format!("{gateway}/{service}")
}

/// A route without endpoints. The gateway gets to know tokens by their digests alone.
pub(crate) fn route(spec: &RouteSpec, secrets: &SecretValues) -> Result<Route, ProviderError> {
    let token = |TokenSpec { secret, .. }: &TokenSpec| {
        let value = secrets.expose(secret).ok_or_else(|| ProviderError::Missing {
            attempt: format!(
                "cannot set route {}/{}: the value of secret {secret} is not known",
                spec.gateway, spec.service
            ),
            help: format!("make the source of secret {secret} available to the one who runs wharf"),
        })?;
        Ok(TokenDigest { name: secret.to_string(), sha256: hex::encode(Sha256::digest(value)), rate: None })
    };
    Ok(Route {
        name: route_name(&spec.gateway, &spec.service),
        service: spec.service.to_string(),
        paths: spec.paths.iter().map(ToString::to_string).collect(),
        tokens: spec.tokens.iter().map(token).collect::<Result<_, _>>()?,
        timeout_ms: Some(millis(spec.timeout)),
        timeouts: Timeouts { total_ms: Some(millis(spec.timeout)), ..Timeouts::default() },
        max_body: spec.max_body.map(|limit| limit.0),
        ..Route::default()
    })
}

/// How a gateway finds out whether an instance is ready.
pub(crate) fn endpoint_probe(probe: &Probe) -> wharf_gateway::Probe {
    wharf_gateway::Probe {
        check: match &probe.check {
            Check::Http { path } => wharf_gateway::Check::Http { path: path.to_string() },
            // The plan refuses programs as probes on this runtime.
            Check::Tcp | Check::Exec(_) => wharf_gateway::Check::Tcp,
        },
        every_ms: millis(probe.every),
        timeout_ms: millis(probe.timeout),
        failures: probe.failures,
        successes: probe.successes,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
