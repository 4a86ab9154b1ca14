//! What a trace is told of one request, and how that is written for a collector: OTLP, in its JSON form. Plain functions.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::refusal::Refusal;
use crate::trace::Joined;

/// Longer texts are cut: a caller chooses its path, and what waits is counted in spans.
const LONGEST: usize = 1 << 10;

/// What is said of a request, and what that is called in a trace.
const ATTRIBUTES: [(&str, &str); 15] = [
    ("method", "http.request.method"),
    ("path", "url.path"),
    ("status", "http.response.status_code"),
    ("host", "server.address"),
    ("client", "client.address"),
    ("version", "network.protocol.version"),
    ("bytes_out", "http.response.body.size"),
    ("route", "wharf.route"),
    ("service", "wharf.service"),
    ("revision", "wharf.revision"),
    ("instance", "wharf.instance"),
    ("reason", "wharf.reason"),
    ("error", "wharf.error"),
    ("end", "wharf.end"),
    ("request_id", "wharf.request_id"),
];

/// A request that has ended.
#[derive(Debug)]
pub(crate) struct Span {
    place: Joined,
    state: Option<String>,
    /// In nanoseconds since 1970.
    begin: u128,
    end: u128,
    told: Map<String, Value>,
}

impl Span {
    /// `told` is what the access log says of it; `state` is the caller's `tracestate`. `end` is the time since 1970.
    pub(crate) fn new(
        place: Joined,
        state: Option<String>,
        (end, took): (Duration, Duration),
        mut told: Map<String, Value>,
    ) -> Self {
        told.values_mut().for_each(cut);
        let end = end.as_nanos();
        Self { place, state, begin: end.saturating_sub(took.as_nanos()), end, told }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.told.get(name)?.as_str()
    }

    fn written(&self) -> Value {
        let method = self.text("method").unwrap_or("?");
        let name = self.text("route").map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        let mut span = json!({
            "traceId": self.place.own.trace_id(),
            "spanId": self.place.own.span_id(),
            "flags": u8::from(self.place.own.sampled),
            "name": name,
            // It serves.
            "kind": 2,
            // 64 bits do not fit into the numbers of JSON.
            "startTimeUnixNano": self.begin.to_string(),
            "endTimeUnixNano": self.end.to_string(),
            "attributes": self.attributes(),
            "status": self.verdict(),
        });
        if let Some(caller) = self.place.caller {
            span["parentSpanId"] = format!("{caller:016x}").into();
        }
        if let Some(state) = &self.state {
            span["traceState"] = state.as_str().into();
        }
        span
    }

    fn attributes(&self) -> Vec<Value> {
        let value = |name: &str| {
            let value = self.told.get(name)?;
            Some(match value {
                // A query may hold secrets.
                Value::String(text) if name == "path" => text.split('?').next().unwrap_or_default().into(),
                value => value.clone(),
            })
        };
        ATTRIBUTES.iter().filter_map(|(name, called)| Some(attribute(called, &value(name)?))).collect()
    }

    /// What was not the caller's fault: errors of an instance, that no instance answered, and answers that broke off. That a
    /// caller erred is for the caller to tell.
    fn verdict(&self) -> Value {
        let failed = match self.text("reason") {
            Some(reason) => Refusal::is_failure(reason),
            None => self.told.get("status").and_then(Value::as_u64).is_some_and(|status| status >= 500),
        };
        match self.text("error") {
            Some(error) => json!({ "code": 2, "message": error }),
            None if failed => json!({ "code": 2, "message": self.text("reason").unwrap_or_default() }),
            None => json!({}),
        }
    }
}

fn cut(value: &mut Value) {
    if let Value::String(text) = value
        && text.len() > LONGEST
    {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.shrink_to_fit();
    }
}

fn attribute(key: &str, value: &Value) -> Value {
    let value = match value {
        Value::Number(number) if number.is_u64() => json!({ "intValue": number.to_string() }),
        Value::Number(number) => json!({ "doubleValue": number }),
        Value::String(text) => json!({ "stringValue": text }),
        other => json!({ "stringValue": other.to_string() }),
    };
    json!({ "key": key, "value": value })
}

/// What is sent to a collector: spans of who `resource` says.
pub(crate) fn request(resource: &BTreeMap<String, String>, spans: &[Span]) -> Vec<u8> {
    let resource: Vec<_> = resource.iter().map(|(key, value)| attribute(key, &value.as_str().into())).collect();
    let spans: Vec<_> = spans.iter().map(Span::written).collect();
    let scope = json!({ "name": "wharf", "version": env!("CARGO_PKG_VERSION") });
    let scoped = json!([{ "scope": scope, "spans": spans }]);
    json!({ "resourceSpans": [{ "resource": { "attributes": resource }, "scopeSpans": scoped }] })
        .to_string()
        .into_bytes()
}

/// How many spans a collector says that it did not take.
pub(crate) fn rejected(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    match &answer["partialSuccess"]["rejectedSpans"] {
        Value::String(count) => count.parse().unwrap_or(0),
        count => count.as_u64().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Parent;

    fn span(told: Value) -> Value {
        let own = Parent { trace: 0xa1, span: 0xb2, sampled: true };
        let place = Joined { own, caller: Some(0xc3) };
        let Value::Object(told) = told else { panic!("an object") };
        let (end, took) = (Duration::from_secs(1_700_000_000), Duration::from_millis(1));
        Span::new(place, Some("a=b".to_owned()), (end, took), told).written()
    }

    #[test]
    fn a_span_stands_as_collectors_read_it() {
        let told = json!({ "method": "GET", "route": "public/hello", "path": "/hello/x?key=s3cret", "status": 200,
            "time": 17, "end": "whole" });
        let expected = json!({
            "traceId": "000000000000000000000000000000a1", "spanId": "00000000000000b2",
            "parentSpanId": "00000000000000c3", "traceState": "a=b", "flags": 1,
            "name": "GET public/hello", "kind": 2,
            "startTimeUnixNano": "1699999999999000000", "endTimeUnixNano": "1700000000000000000",
            "attributes": [
                { "key": "http.request.method", "value": { "stringValue": "GET" } },
                { "key": "url.path", "value": { "stringValue": "/hello/x" } },
                { "key": "http.response.status_code", "value": { "intValue": "200" } },
                { "key": "wharf.route", "value": { "stringValue": "public/hello" } },
                { "key": "wharf.end", "value": { "stringValue": "whole" } },
            ],
            "status": {},
        });
        assert_eq!(span(told), expected);
    }

    #[test]
    fn only_what_was_not_the_callers_fault_is_an_error() {
        let failure = |reason: &str| json!({ "code": 2, "message": reason });
        for (told, expected) in [
            (json!({ "status": 404, "reason": "no-route" }), json!({})),
            (json!({ "status": 429, "reason": "too-many-requests" }), json!({})),
            (json!({ "status": 408, "reason": "client-too-slow" }), json!({})),
            (json!({ "status": 503, "reason": "no-ready-instance" }), failure("no-ready-instance")),
            (json!({ "status": 408, "reason": "timeout" }), failure("timeout")),
            (json!({ "status": 450, "reason": "queue-full" }), failure("queue-full")),
            // In gRPC.
            (json!({ "status": 200, "reason": "no-ready-instance" }), failure("no-ready-instance")),
            (json!({ "status": 200, "reason": "no-token" }), json!({})),
            (json!({ "status": 500 }), failure("")),
            (json!({ "status": 200, "error": "it broke" }), json!({ "code": 2, "message": "it broke" })),
        ] {
            assert_eq!(span(told)["status"], expected);
        }
    }

    #[test]
    fn what_callers_choose_has_a_bound() {
        let written = span(json!({ "path": "é".repeat(LONGEST) }));
        assert_eq!(written["attributes"][0]["value"]["stringValue"].as_str().unwrap().len(), LONGEST);
    }

    #[test]
    fn a_collector_may_take_a_part() {
        assert_eq!(rejected(b""), 0);
        assert_eq!(rejected(b"{}"), 0);
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}"#), 3);
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedSpans":4}}"#), 4);
    }
}
