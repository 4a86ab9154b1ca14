//! What is told of one request: a line of the access log, and a record of the call with its bodies.
//!
//! A [`Visit`] goes with a request from its arrival until its answer has ended, also where that is the client's leaving.
//! It holds what the request was let in by, and tells its story when it is dropped. Most requests have neither limits
//! nor a story, and no visit.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION, SET_COOKIE};
use hyper::{HeaderMap, Request, Version};
use serde_json::{Map, Value, json};

use crate::body::BodyError;
use crate::config::Records;
use crate::endpoint::LiveEndpoint;
use crate::headers;
use crate::limit::Held;
use crate::live::LiveRoute;
use crate::refusal::Refusal;
use crate::sink::Sink;

/// Headers whose values are never kept.
const SECRET: [HeaderName; 4] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE];

/// How calls of a route are kept.
#[derive(Debug)]
pub(crate) struct Recording {
    file: Arc<Path>,
    pub(crate) thousandths: u64,
    max_body: usize,
    redact: Vec<HeaderName>,
}

impl Recording {
    pub(crate) fn of(records: &Records) -> Self {
        let named = records.redact.iter().filter_map(|name| name.parse().ok());
        Self {
            file: records.file.as_path().into(),
            thousandths: records.thousandths.into(),
            max_body: usize::try_from(records.max_body).unwrap_or(usize::MAX),
            redact: named.chain(SECRET).collect(),
        }
    }

    /// Headers as they may be kept.
    pub(crate) fn headers(&self, headers: &HeaderMap) -> Value {
        let mut kept = Map::new();
        for name in headers.keys() {
            let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
            let values: Vec<_> = values.collect();
            let secret = self.redact.contains(name);
            kept.insert(name.to_string(), if secret { "(redacted)".into() } else { values.join(", ").into() });
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

    /// Text as it is, anything else in hex, and how long the whole was.
    fn told(&self) -> (Value, u64) {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
    access: Option<Arc<Path>>,
    record: Option<Record>,
    begin: Instant,
    first_byte: Option<Duration>,
    end: &'static str,
    bytes_out: u64,
    /// What both kinds of lines say.
    told: Map<String, Value>,
}

#[derive(Debug)]
struct Record {
    how: Arc<Recording>,
    request: Side,
    response: Side,
    told: Map<String, Value>,
}

impl Visit {
    /// A visit that will be told to `access`, if there is such a log.
    pub(crate) fn begin<B>(
        sink: &Sink,
        access: Option<Arc<Path>>,
        record: Option<Arc<Recording>>,
        request: &Request<B>,
        client: &str,
    ) -> Option<Self> {
        if access.is_none() && record.is_none() {
            return None;
        }
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
            told: beginning(request, client),
        };
        Some(Self { held: [None, None], story: Some(Box::new(story)) })
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

fn beginning<B>(request: &Request<B>, client: &str) -> Map<String, Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let version = match request.version() {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    let text = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let told = [
        // In milliseconds since 1970.
        ("time", u64::try_from(now.as_millis()).unwrap_or(u64::MAX).into()),
        ("client", client.into()),
        ("version", version.into()),
        ("host", crate::framing::host(request.uri(), request.headers()).into()),
        ("method", request.method().as_str().into()),
        ("path", request.uri().path_and_query().map_or("/", |path| path.as_str()).into()),
        ("request_id", text(&headers::REQUEST_ID).into()),
        ("trace_id", headers::trace_id(request.headers()).into()),
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
            self.sink.keep(access, line(&told));
        }
        if let Some(Record { how, request, response, told: more }) = self.record.take() {
            told.extend(more);
            let sides = [("request", request), ("response", response)];
            for (name, side) in sides {
                let (body, total) = side.told();
                told.insert(format!("{name}_body"), body);
                told.insert(format!("{name}_bytes"), total.into());
            }
            self.sink.keep(&how.file, line(&told));
        }
    }
}

fn line(told: &Map<String, Value>) -> Vec<u8> {
    let mut line = serde_json::to_vec(told).unwrap_or_default();
    line.push(b'\n');
    line
}
