//! The way of spans to a collector.
//!
//! A thread of its own sends them, in batches. Whoever has a span hands it over and goes on: where the thread is behind, or
//! the collector takes none, spans are dropped and counted. What waits is bounded. The thread ends when the last
//! [`Tracer`] of its collector is gone, after what was waiting.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::{Sealed, Traces};
use crate::span::{self, Span};
use crate::trust;

/// So many spans wait at most, and so many are sent together.
const WAITING: usize = 2_048;
const BATCH: usize = 512;

/// A span waits so long for others to go with it.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a collector may take, and how much of what it answers is read.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER: usize = 64 << 10;

/// What became of spans since the gateway started.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    sent: AtomicU64,
    dropped: AtomicU64,
    /// Whether that was told since the collector last took all there was.
    told: AtomicBool,
}

impl Counts {
    /// How many a collector took, and how many were dropped.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.dropped.load(Ordering::Relaxed))
    }

    /// Tells only where losses begin.
    fn lose(&self, spans: u64, why: &dyn std::fmt::Display) {
        self.dropped.fetch_add(spans, Ordering::Relaxed);
        if spans > 0 && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(%why, "spans are dropped");
        }
    }

    /// Of a batch that is not full, nothing waits behind it.
    fn took(&self, spans: u64, of: u64) {
        self.sent.fetch_add(spans, Ordering::Relaxed);
        if spans == of && of < BATCH as u64 && self.told.swap(false, Ordering::Relaxed) {
            tracing::info!("spans are taken again");
        }
    }
}

/// The way to one collector.
#[derive(Debug)]
pub(crate) struct Tracer {
    /// So many of a thousand traces that begin here are kept.
    pub(crate) thousandths: u64,
    queue: mpsc::Sender<Word>,
    counts: Arc<Counts>,
}

/// What the thread is told.
#[derive(Debug)]
enum Word {
    Span(Box<Span>),
    /// Send what waits, then say so.
    Flush(oneshot::Sender<()>),
}

impl Tracer {
    /// Starts the thread.
    pub(crate) fn start(traces: &Traces, counts: Arc<Counts>) -> io::Result<Arc<Self>> {
        let (queue, words) = mpsc::channel(WAITING);
        let collector = Collector::of(traces).map_err(io::Error::other)?;
        let tls = collector.place.secure.then(trust::connector);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thousandths = traces.thousandths.into();
        let tracer = Arc::new(Self { thousandths, queue, counts: counts.clone() });
        let work = move || runtime.block_on(work(words, (&collector, tls.as_ref()), &counts));
        std::thread::Builder::new().name("spans".to_owned()).spawn(work)?;
        Ok(tracer)
    }

    /// Has a span sent, or drops it. Never waits.
    pub(crate) fn tell(&self, span: Span) {
        if self.queue.try_send(Word::Span(Box::new(span))).is_err() {
            self.counts.lose(1, &"more come than the collector takes");
        }
    }

    /// Waits until what was told before is sent or dropped, but not longer than `limit`.
    pub(crate) async fn flush(&self, limit: Duration) {
        let (done, flushed) = oneshot::channel();
        let flush = async {
            if self.queue.send(Word::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        };
        let _ = timeout(limit, flush).await;
    }
}

async fn work(mut words: mpsc::Receiver<Word>, (collector, tls): (&Collector, Option<&TlsConnector>), counts: &Counts) {
    loop {
        let (batch, flushed) = gather(&mut words).await;
        let ended = batch.is_empty() && flushed.is_none();
        if !batch.is_empty() {
            let count = batch.len() as u64;
            match timeout(PATIENCE, collector.take(&batch, tls)).await {
                Ok(Ok(rejected)) => {
                    let rejected = rejected.min(count);
                    counts.took(count - rejected, count);
                    counts.lose(rejected, &"the collector did not want them");
                }
                Ok(Err(error)) => counts.lose(count, &error),
                Err(late) => counts.lose(count, &late),
            }
        }
        if let Some(flushed) = flushed {
            let _ = flushed.send(());
        }
        if ended {
            return;
        }
    }
}

/// Waits for a batch. Nothing comes any more when there is neither a span nor somebody to tell.
async fn gather(words: &mut mpsc::Receiver<Word>) -> (Vec<Span>, Option<oneshot::Sender<()>>) {
    let mut batch = Vec::new();
    let mut until = None;
    while batch.len() < BATCH {
        let word = match until {
            None => words.recv().await,
            Some(until) => timeout_at(until, words.recv()).await.unwrap_or(None),
        };
        match word {
            Some(Word::Span(span)) => batch.push(*span),
            Some(Word::Flush(flushed)) => return (batch, Some(flushed)),
            None => break,
        }
        until.get_or_insert_with(|| Instant::now() + PAUSE);
    }
    (batch, None)
}

/// Who takes spans.
#[derive(Debug)]
struct Collector {
    place: Place,
    headers: Vec<(HeaderName, HeaderValue)>,
    resource: BTreeMap<String, String>,
}

/// Where a collector is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// It speaks TLS.
    secure: bool,
    host: String,
    port: u16,
    /// For spans.
    path: String,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Whether spans can be sent as `traces` says.
pub(crate) fn check(traces: &Traces) -> Result<(), &'static str> {
    Collector::of(traces).map(drop)
}

impl Place {
    fn of(otlp: &str) -> Result<Self, &'static str> {
        let address: Uri = otlp.parse().map_err(|_| "it is not an address")?;
        let (secure, usual) = match address.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err("it begins with neither http:// nor https://"),
        };
        if address.query().is_some() {
            return Err("it has a query");
        }
        let host = address.host().filter(|host| !host.is_empty()).ok_or("it names no host")?;
        let path = format!("{}/v1/traces", address.path().trim_end_matches('/'));
        let port = match address.port() {
            Some(port) => port.as_u16(),
            // What reads addresses leaves out a port that is none.
            None if address.authority().is_some_and(|place| place.as_str().len() != host.len()) => {
                return Err("what follows its host is no port");
            }
            None => usual,
        };
        Ok(Self { secure, host: host.to_owned(), port, path })
    }

    /// The host as those know it who connect to it.
    fn name(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }
}

impl Collector {
    fn of(traces: &Traces) -> Result<Self, &'static str> {
        let place = Place::of(&traces.otlp)?;
        let header = |(name, value): (&String, &Sealed)| {
            let mut value =
                HeaderValue::from_str(&value.0).map_err(|_| "a header's value has characters of no header")?;
            value.set_sensitive(true);
            Ok((name.parse().map_err(|_| "a header's name is none")?, value))
        };
        let headers = traces.headers.iter().map(header).collect::<Result<_, _>>()?;
        Ok(Self { place, headers, resource: traces.resource.clone() })
    }

    /// Sends spans, and answers how many were not wanted. Each batch has a connection of its own: they are few, and nothing is
    /// lost on one that has gone stale.
    async fn take(&self, batch: &[Span], tls: Option<&TlsConnector>) -> Result<u64, Failed> {
        let stream = TcpStream::connect((self.place.name(), self.place.port)).await?;
        match tls {
            None => self.talk(batch, stream).await,
            Some(tls) => {
                let name = ServerName::try_from(self.place.name().to_owned())?;
                self.talk(batch, tls.connect(name, stream).await?).await
            }
        }
    }

    async fn talk<S>(&self, batch: &[Span], stream: S) -> Result<u64, Failed>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let body = span::request(&self.resource, batch);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let talk = tokio::spawn(connection);
        let mut request = Request::post(&self.place.path)
            .header(HOST, format!("{}:{}", self.place.host, self.place.port))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
        let status = answer.status();
        let text = Limited::new(answer.into_body(), ANSWER).collect().await?.to_bytes();
        talk.abort();
        if !status.is_success() {
            return Err(format!("the collector answered {status}").into());
        }
        Ok(span::rejected(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_whenever_they_begin() {
        let counts = Counts::default();
        let told = || counts.told.load(Ordering::Relaxed);
        counts.lose(0, &"nothing");
        assert!(!told());
        counts.lose(2, &"gone");
        assert!(told());
        // A part of a batch, and one with others behind it, are no end of it.
        counts.took(1, 2);
        counts.took(BATCH as u64, BATCH as u64);
        assert!(told());
        counts.took(2, 2);
        assert!(!told());
        assert_eq!(counts.read(), (BATCH as u64 + 3, 2));
    }

    #[test]
    fn a_collectors_address_is_that_of_all_its_signals() {
        let at = |otlp| {
            let place = Place::of(otlp)?;
            let Place { secure, host, port, path } = &place;
            let tls = if *secure { "TLS " } else { "" };
            Ok(format!("{tls}{host} {port} {path}, called {}", place.name()))
        };
        for (otlp, expected) in [
            ("http://collector:4318", "collector 4318 /v1/traces, called collector"),
            ("http://127.0.0.1/a/", "127.0.0.1 80 /a/v1/traces, called 127.0.0.1"),
            ("https://[::1]:4318", "TLS [::1] 4318 /v1/traces, called ::1"),
            (
                "https://traces.example.com/otlp",
                "TLS traces.example.com 443 /otlp/v1/traces, called traces.example.com",
            ),
        ] {
            assert_eq!(at(otlp), Ok(expected.to_owned()));
        }
        for (wrong, why) in [
            ("collector:4318", "it begins with neither http:// nor https://"),
            ("ftp://collector", "it begins with neither http:// nor https://"),
            ("http://x/?a=b", "it has a query"),
            ("http:// x", "it is not an address"),
            ("http://collector:4318x", "what follows its host is no port"),
            ("http://[::1]:", "what follows its host is no port"),
        ] {
            assert_eq!(at(wrong), Err(why), "{wrong}");
        }
    }
}
