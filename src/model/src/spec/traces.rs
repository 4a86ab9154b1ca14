//! Where a gateway tells of requests as spans.

use super::EnvValue;
use crate::{Field, Sample, SecretDigest, SecretName, Value, entries::List};
use std::{collections::BTreeMap, sync::Arc};

/// A collector of traces, and how much it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    /// Where it takes OTLP over HTTP.
    pub otlp: Arc<str>,
    /// So many of the traces that begin at the gateway are kept.
    pub sample: Sample,
    /// Headers that it wants to see.
    pub headers: BTreeMap<Arc<str>, EnvValue>,
    /// The keyed digests of the secrets among them, where they are known.
    pub digests: BTreeMap<SecretName, SecretDigest>,
}

impl Traces {
    /// The secrets among the headers.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        self.headers.values().filter_map(|value| match value {
            EnvValue::Secret(secret) => Some(secret),
            EnvValue::Plain(_) => None,
        })
    }

    pub(crate) fn list(&self, list: &mut List) {
        let Self { otlp, sample, headers, digests } = self;
        list.text(Field::GatewayTraces, format!("{otlp}, sample {sample}"));
        for (name, value) in headers {
            let value = match value {
                EnvValue::Plain(text) => Value::Text(text.to_string()),
                EnvValue::Secret(secret) => Value::Secret(secret.clone(), digests.get(secret).copied()),
            };
            list.at(Field::GatewayTraceHeader, name, value);
        }
    }
}
