//! A gateway's collector of traces, in the gateway's words.

use wharf_gateway::{Sealed, Traces};
use wharf_model::{EnvValue, GatewayName, GatewaySpec};
use wharf_provider::{Owner, ProviderError, SecretValues};

/// Where a gateway tells of requests as spans, if it does. The values of secrets among the headers stand in it: the gateway
/// has to send them, also when wharf is gone.
///
/// # Errors
/// A header's value is not among `secrets`.
pub fn traces(
    gateway: &GatewayName,
    spec: &GatewaySpec,
    owner: &Owner,
    secrets: &SecretValues,
) -> Result<Option<Traces>, ProviderError> {
    let Some(traces) = &spec.traces else { return Ok(None) };
    let value = |value: &EnvValue| match value {
        EnvValue::Plain(text) => Ok(Sealed(text.to_string())),
        EnvValue::Secret(secret) => {
            secrets.expose(secret).map(|value| Sealed(value.to_owned())).ok_or_else(|| ProviderError::Missing {
                attempt: format!("cannot set gateway {gateway}: the value of secret {secret} is not known"),
                help: format!("make the source of secret {secret} available to the one who runs wharf"),
            })
        }
    };
    let headers = traces.headers.iter().map(|(name, header)| Ok((name.to_string(), value(header)?)));
    let resource = [
        ("service.name", gateway.to_string()),
        ("service.namespace", owner.project.to_string()),
        ("deployment.environment.name", owner.environment.to_string()),
    ];
    Ok(Some(Traces {
        otlp: traces.otlp.to_string(),
        thousandths: traces.sample.thousandths(),
        headers: headers.collect::<Result<_, ProviderError>>()?,
        resource: resource.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }))
}
