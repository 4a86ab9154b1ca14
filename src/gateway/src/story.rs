//! What is told of one request: a line of the access log, a record of the call with its bodies, a span in a trace.
//!
//! A [`Visit`] goes with a request from its arrival until its answer has ended, also where that is the client's leaving.
//! It holds what the request was let in by, and tells its story when it is dropped. Most requests have neither limits
//! nor a story, and no visit.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName, PROXY_AUTHORIZATION, SET_COOKIE};
use hyper::{HeaderMap, Request, Version};
use serde_json::{Map, Value, json};

use crate::body::BodyError;
use crate::config::Records;
use crate::endpoint::LiveEndpoint;
use crate::headers;
use crate::limit::Held;
use crate::live::LiveRoute;
use crate::outgoing::Guest;
use crate::redact::{self, Kind, Pointer, REDACTED};
use crate::refusal::Refusal;
use crate::sink::{Rotated, Sink};
use crate::span::Span;
use crate::trace::Joined;
use crate::tracer::Tracer;

/// Headers whose values are never kept.
const SECRET: [HeaderName; 9] = [
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    COOKIE,
    SET_COOKIE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-auth-token"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("x-amz-security-token"),
];

/// Longer states of a trace are not told; they are passed on all the same.
const LONGEST_STATE: usize = 512;

/// How calls of a route are kept.
#[derive(Debug)]
pub(crate) struct Recording {
    file: Arc<Rotated>,
    pub(crate) thousandths: u64,
    max_body: usize,
    redact: Vec<HeaderName>,
    fields: Vec<Pointer>,
}

impl Recording {
    pub(crate) fn of(records: &Records) -> Self {
        let named = records.redact.iter().filter_map(|name| name.parse().ok());
        Self {
            file: Arc::new(Rotated { path: records.file.clone(), full: records.full, kept: records.kept }),
            thousandths: records.thousandths.into(),
            max_body: usize::try_from(records.max_body).unwrap_or(usize::MAX),
            redact: named.chain(SECRET).collect(),
            fields: records.redact_fields.iter().map(|pointer| Pointer::of(pointer)).collect(),
        }
    }

    /// Headers as they may be kept.
    pub(crate) fn headers(&self, headers: &HeaderMap) -> Value {
        let mut kept = Map::new();
        for name in headers.keys() {
            let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
            let values: Vec<_> = values.collect();
            let secret = self.redact.contains(name);
            kept.insert(name.to_string(), if secret { REDACTED.into() } else { values.join(", ").into() });
        }
        Value::Object(kept)
    }
}

/// The first bytes of a body, seen while it passes.
#[derive(Debug, Clone)]
pub(crate) struct Side(Arc<Mutex<Seen>>);

#[derive(Debug)]
struct Seen {
    bytes: Vec<u8>,
    limit: usize,
    total: u64,
}

impl Side {
    fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Seen { bytes: Vec::new(), limit, total: 0 })))
    }

    pub(crate) fn see(&self, data: &[u8]) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = seen.limit.saturating_sub(seen.bytes.len()).min(data.len());
        seen.bytes.extend_from_slice(&data[..room]);
        seen.total += data.len() as u64;
    }

    /// How many bytes are held.
    fn held(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes.len() as u64
    }

    /// Text as it is, anything else in hex, and how long the whole was. Where something must not be kept of it, only what could
    /// be looked through.
    fn told(&self, kind: Kind, fields: &[Pointer]) -> (Value, u64) {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !fields.is_empty() {
            return (redact::body(&seen.bytes, kind, fields).into(), seen.total);
        }
        let text = match std::str::from_utf8(&seen.bytes) {
            Ok(text) => text.into(),
            // Cut within a character.
            Err(error) if error.error_len().is_none() => {
                String::from_utf8_lossy(&seen.bytes[..error.valid_up_to()]).into_owned().into()
            }
            Err(_) => json!({ "hex": hex::encode(&seen.bytes) }),
        };
        (text, seen.total)
    }
}

/// One request, from its arrival to the end of its answer.
#[derive(Debug, Default)]
pub(crate) struct Visit {
    held: [Option<Held>; 2],
    story: Option<Box<Story>>,
}

#[derive(Debug)]
struct Story {
    sink: Sink,
    access: Option<Arc<Rotated>>,
    record: Option<Record>,
    trace: Option<Trace>,
    begin: Instant,
    first_byte: Option<Duration>,
    end: &'static str,
    bytes_out: u64,
    /// What lines and spans say.
    told: Map<String, Value>,
}

#[derive(Debug)]
struct Record {
    how: Arc<Recording>,
    request: Side,
    response: Side,
    told: Map<String, Value>,
}

/// Who is told of a request.
#[derive(Debug)]
pub(crate) struct Audience {
    /// The access log.
    pub(crate) access: Option<Arc<Rotated>>,
    pub(crate) record: Option<Arc<Recording>>,
    pub(crate) tracer: Option<Arc<Tracer>>,
}

/// What of a request goes into a trace.
#[derive(Debug)]
struct Trace {
    tracer: Arc<Tracer>,
    place: Joined,
    /// What others who took part keep in it.
    state: Option<String>,
}

impl Visit {
    /// A visit that will be told.
    pub(crate) fn begin<B>(sink: &Sink, audience: Audience, request: &Request<B>, guest: Guest<'_>) -> Self {
        let Audience { access, record, tracer } = audience;
        let trace = tracer.zip(guest.trace).map(|(tracer, place)| Trace {
            tracer,
            place,
            state: place.caller.and_then(|_| state(request.headers())),
        });
        let record = record.map(|how| Record {
            request: Side::new(how.max_body),
            response: Side::new(how.max_body),
            told: Map::from_iter([("request_headers".to_owned(), how.headers(request.headers()))]),
            how,
        });
        let story = Story {
            sink: sink.clone(),
            access,
            record,
            begin: Instant::now(),
            first_byte: None,
            end: "cut",
            bytes_out: 0,
            trace,
            told: beginning(request, guest),
        };
        Self { held: [None, None], story: Some(Box::new(story)) }
    }

    /// Holds on to what the request was let in by.
    pub(crate) fn hold(&mut self, held: Option<Held>) {
        if let (Some(held), Some(place)) = (held, self.held.iter_mut().find(|place| place.is_none())) {
            *place = Some(held);
        }
    }

    /// What watches the request's body.
    pub(crate) fn request_side(&self) -> Option<Side> {
        Some(self.story.as_ref()?.record.as_ref()?.request.clone())
    }

    fn tell(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(story) = &mut self.story {
            story.told.insert(name.to_owned(), value.into());
        }
    }

    /// Tells where the request went.
    pub(crate) fn routed(&mut self, route: &LiveRoute, token: Option<&str>) {
        if self.story.is_some() {
            self.tell("route", route.name.as_str());
            self.tell("service", route.service.as_str());
            self.tell("token", token);
        }
    }

    /// Tells that the gateway itself answers.
    pub(crate) fn refused(&mut self, refusal: Refusal, status: u16) {
        self.tell("reason", refusal.reason());
        self.tell("status", status);
    }

    /// Tells what an instance answered.
    pub(crate) fn answered(&mut self, endpoint: &LiveEndpoint, status: u16, headers: impl FnOnce(&Recording) -> Value) {
        self.tell("instance", endpoint.name.as_str());
        self.tell("revision", endpoint.revision.as_deref());
        self.tell("status", status);
        let Some(story) = &mut self.story else { return };
        story.first_byte = Some(story.begin.elapsed());
        if let Some(record) = &mut story.record {
            record.told.insert("response_headers".to_owned(), headers(&record.how));
        }
    }

    /// Sees a piece of the answer.
    pub(crate) fn see(&mut self, data: &[u8]) {
        if let Some(story) = &mut self.story {
            story.bytes_out += data.len() as u64;
            if let Some(record) = &story.record {
                record.response.see(data);
            }
        }
    }

    /// The answer broke off.
    pub(crate) fn broke(&mut self, error: &BodyError) {
        self.tell("error", error.to_string());
    }

    /// The answer has ended as it should.
    pub(crate) fn finish(&mut self) {
        if let Some(story) = &mut self.story {
            story.end = "whole";
        }
    }
}

/// What a request brings in `tracestate`, all of it in one.
fn state(headers: &HeaderMap) -> Option<String> {
    let values: Vec<_> = headers.get_all(headers::TRACE_STATE).iter().filter_map(|value| value.to_str().ok()).collect();
    Some(values.join(",")).filter(|state| !state.is_empty() && state.len() <= LONGEST_STATE)
}

fn beginning<B>(request: &Request<B>, guest: Guest<'_>) -> Map<String, Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let version = match request.version() {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    let text = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let place = guest.trace.map(|joined| joined.own);
    let trace = place.or_else(|| headers::brought(request.headers()).parent()).map(|parent| parent.trace_id());
    let told = [
        // In milliseconds since 1970.
        ("time", u64::try_from(now.as_millis()).unwrap_or(u64::MAX).into()),
        ("client", guest.client.to_str().ok().into()),
        ("version", version.into()),
        ("host", crate::framing::host(request.uri(), request.headers()).into()),
        ("method", request.method().as_str().into()),
        ("path", request.uri().path_and_query().map_or("/", |path| path.as_str()).into()),
        ("request_id", text(&headers::REQUEST_ID).into()),
        ("trace_id", trace.into()),
        ("span_id", place.map(|place| place.span_id()).into()),
    ];
    told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Drop for Story {
    fn drop(&mut self) {
        let millis = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        let mut told = std::mem::take(&mut self.told);
        told.retain(|_, value| !value.is_null());
        told.insert("end".to_owned(), self.end.into());
        told.insert("bytes_out".to_owned(), self.bytes_out.into());
        told.insert("ms".to_owned(), millis(self.begin.elapsed()).into());
        if let Some(first_byte) = self.first_byte {
            told.insert("first_byte_ms".to_owned(), millis(first_byte).into());
        }
        if let Some(access) = &self.access {
            let line = line(&told);
            self.sink.keep(access, line.len() as u64, || line);
        }
        if let Some(Trace { tracer, place, state }) = self.trace.take() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            tracer.tell(Span::new(place, state, (now, self.begin.elapsed()), told.clone()));
        }
        if let Some(Record { how, request, response, told: more }) = self.record.take() {
            told.extend(more);
            let size = request.held() + response.held() + weight(&told);
            self.sink.keep(&how.file.clone(), size, move || {
                for (name, side) in [("request", request), ("response", response)] {
                    let headers = told.get(&format!("{name}_headers"));
                    let kind = headers.and_then(|headers| headers.get(CONTENT_TYPE.as_str())?.as_str());
                    let (body, total) = side.told(Kind::of(kind.unwrap_or_default()), &how.fields);
                    told.insert(format!("{name}_body"), body);
                    told.insert(format!("{name}_bytes"), total.into());
                }
                line(&told)
            });
        }
    }
}

/// About how many bytes it holds.
fn weight(told: &Map<String, Value>) -> u64 {
    let weigh = |value: &Value| match value {
        Value::String(text) => text.len() as u64,
        Value::Object(inner) => weight(inner),
        _ => 0,
    };
    told.iter().map(|(name, value)| 64 + name.len() as u64 + weigh(value)).sum()
}

fn line(told: &Map<String, Value>) -> Vec<u8> {
    let mut line = serde_json::to_vec(told).unwrap_or_default();
    line.push(b'\n');
    line
}
