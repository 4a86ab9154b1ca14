//! Where a gateway tells of requests as spans.

use super::{Decode, plain};
use crate::{
    block::{Block, Found},
    problem::{Code, Problem},
};
use std::{collections::BTreeMap, sync::Arc};
use wharf_model::{Address, Field, FieldPath, Traces};

impl Decode<'_> {
    pub(super) fn traces(&mut self, gateway: &Block, address: &Address) -> Option<Traces> {
        let block = gateway.child("traces")?;
        self.note(address, FieldPath::of(Field::GatewayTraces), block.title_at());
        for (name, found) in block.child("headers").map_or(&[][..], |node| &node.entries) {
            self.note(address, FieldPath::at(Field::GatewayTraceHeader, Arc::clone(&name.text)), found.at);
        }
        let headers = self.headers(block, true);
        let otlp = block.child("otlp").and_then(|node| node.argument::<Arc<str>>(0))?;
        self.check_collector(&otlp);
        Some(Traces { otlp: otlp.value, sample: plain(block, "sample")?, headers, digests: BTreeMap::new() })
    }

    fn check_collector(&mut self, otlp: &Found<Arc<str>>) {
        let rest = otlp.value.strip_prefix("http://").or_else(|| otlp.value.strip_prefix("https://"));
        let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
        let fits = |place: &str| {
            let (host, port) = match place.rsplit_once(':') {
                Some((host, port)) if !place.ends_with(']') => (host, Some(port)),
                _ => (place, None),
            };
            !host.is_empty() && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        };
        let odd = |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, '?' | '#' | '@');
        if host.is_some_and(fits) && !otlp.value.contains(odd) {
            return;
        }
        let help = "write its address such as \"http://127.0.0.1:4318\", or with `https://`; `/v1/traces` is added";
        let problem = Problem::error(Code::InvalidValue, format!("`{}` is no collector of traces", otlp.value));
        self.report(problem.at(otlp.at, "not such an address").help(help.to_owned()));
    }
}
