//! The figures as Prometheus reads them: as text on the control socket, and on a port of its own when asked.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use crate::control::{Ask, Asked, Reply};
use crate::figures::{TIMES, Times};
use crate::listen;
use crate::status::{EndpointStatus, Status};

/// So many readers at once.
const READERS: usize = 16;

/// The port for the figures, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    open: Option<(SocketAddr, AbortHandle)>,
    /// Bound before the gateway answers questions.
    waiting: Option<(SocketAddr, TcpListener)>,
    asks: Option<mpsc::Sender<Asked>>,
}

impl Exposition {
    /// Binds the port, if it is wanted and not open yet.
    pub(crate) fn prepare(&self, wanted: Option<SocketAddr>) -> Result<Option<TcpListener>, Vec<String>> {
        let known = self.open.as_ref().map(|(address, _)| *address);
        let known = known.or(self.waiting.as_ref().map(|(address, _)| *address));
        let new = wanted.filter(|wanted| Some(*wanted) != known);
        let bound = new.map(|address| listen::bind("metrics", address, 1)).transpose();
        let bound = bound.map_err(|problem| vec![problem.to_string()])?;
        Ok(bound.and_then(|mut bound| bound.pop()))
    }

    /// Shows the figures there from now on.
    pub(crate) fn adopt(&mut self, wanted: Option<SocketAddr>, bound: Option<TcpListener>) {
        match (wanted, bound) {
            (None, _) => self.close(),
            (Some(address), Some(bound)) => {
                self.close();
                self.waiting = Some((address, bound));
                self.open();
            }
            (Some(_), None) => {}
        }
    }

    /// Whom to ask.
    pub(crate) fn asks(&mut self, asks: mpsc::Sender<Asked>) {
        self.asks = Some(asks);
        self.open();
    }

    fn open(&mut self) {
        if let Some(asks) = &self.asks
            && let Some((address, bound)) = self.waiting.take()
        {
            self.open = Some((address, tokio::spawn(serve(bound, asks.clone())).abort_handle()));
        }
    }

    pub(crate) fn close(&mut self) {
        self.waiting = None;
        if let Some((_, task)) = self.open.take() {
            task.abort();
        }
    }
}

async fn serve(bound: TcpListener, asks: mpsc::Sender<Asked>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(bound) else { return };
    let mut readers = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if readers.len() < READERS => match accepted {
                Ok((stream, _)) => {
                    let asks = asks.clone();
                    let service = service_fn(move |request| answer(request, asks.clone()));
                    let mut http = http1::Builder::new();
                    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
                    let connection = http.serve_connection(TokioIo::new(stream), service);
                    readers.spawn(async move { drop(connection.await) });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a reader of the figures");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = readers.join_next() => {}
        }
    }
}

async fn answer<B>(request: Request<B>, asks: mpsc::Sender<Asked>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let (reply, answered) = oneshot::channel();
    let asked = asks.send((Ask::Metrics, reply)).await.is_ok();
    match if asked { answered.await.map(|answer| answer.reply).ok() } else { None } {
        Some(Reply::Metrics { text }) => {
            *response.body_mut() = Full::from(text);
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
        }
        _ => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
    }
    Ok(response)
}

/// All figures of a status, in the text format of Prometheus.
pub(crate) fn text(status: &Status) -> String {
    let mut page = Page::default();
    page.family("wharf_gateway_generation", "gauge", "Generation of the configuration that is served.");
    page.line("wharf_gateway_generation", "", &[], status.generation);
    page.family("wharf_gateway_dropped_lines_total", "counter", "Lines of logs and records that could not be kept.");
    page.line("wharf_gateway_dropped_lines_total", "", &[], status.dropped_lines);
    page.family("wharf_gateway_sent_spans_total", "counter", "Spans that the collector of traces took.");
    page.line("wharf_gateway_sent_spans_total", "", &[], status.sent_spans);
    page.family("wharf_gateway_dropped_spans_total", "counter", "Spans that could not be sent.");
    page.line("wharf_gateway_dropped_spans_total", "", &[], status.dropped_spans);
    page.refused(status);
    let one = |truth: bool| u64::from(truth);
    type Figure = fn(&EndpointStatus) -> u64;
    let figures: [(&str, &str, &str, Figure); 7] = [
        ("wharf_requests_total", "counter", "Requests that an instance answered.", |at| at.served),
        ("wharf_requests_failed_total", "counter", "Requests that an instance did not answer.", |at| at.failed),
        ("wharf_requests_in_flight", "gauge", "Requests that have not ended.", |at| at.in_flight),
        ("wharf_instance_ready", "gauge", "Whether probes say that the instance is ready.", |at| u64::from(at.ready)),
        ("wharf_instance_ejected", "gauge", "Whether it is passed over.", |at| u64::from(at.ejected)),
        ("wharf_request_bytes_total", "counter", "Bytes of requests' bodies.", |at| at.bytes_in),
        ("wharf_response_bytes_total", "counter", "Bytes of answers' bodies.", |at| at.bytes_out),
    ];
    for (name, kind, help, figure) in figures {
        page.family(name, kind, help);
        page.each(status, |page, labels, at| page.line(name, "", labels, figure(at)));
    }
    page.family("wharf_instance_draining", "gauge", "Whether it gets no new requests.");
    page.each(status, |page, labels, at| {
        page.line("wharf_instance_draining", "", labels, one(at.state == crate::config::EndpointState::Draining));
    });
    page.family("wharf_responses_total", "counter", "Answers of instances, by the class of their status.");
    page.each(status, |page, labels, at| {
        for (class, count) in (1..).zip(at.statuses).filter(|(_, count)| *count > 0) {
            let class = format!("{class}xx");
            page.line("wharf_responses_total", "", &[labels, &[("status", class.as_str())]].concat(), count);
        }
    });
    type Pick = fn(&EndpointStatus) -> &Times;
    let times: [(&str, &str, Pick); 2] = [
        ("wharf_first_byte_seconds", "Until an answer began.", |at| &at.first_byte),
        ("wharf_request_seconds", "Until an answer had ended.", |at| &at.whole),
    ];
    for (name, help, pick) in times {
        page.family(name, "histogram", help);
        page.each(status, |page, labels, at| page.histogram(name, labels, pick(at)));
    }
    page.0
}

/// The text as it grows.
#[derive(Default)]
struct Page(String);

type Labels<'a> = [(&'a str, &'a str)];

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, suffix: &str, labels: &Labels<'_>, value: impl std::fmt::Display) {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escape(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{suffix}{labels} {value}");
    }

    /// Calls `write` for every instance, with its labels.
    fn each(&mut self, status: &Status, write: impl Fn(&mut Self, &Labels<'_>, &EndpointStatus)) {
        for route in &status.routes {
            for at in &route.endpoints {
                let revision = at.revision.as_deref().unwrap_or("");
                let labels = [
                    ("route", route.name.as_str()),
                    ("service", route.service.as_str()),
                    ("revision", revision),
                    ("instance", at.name.as_str()),
                ];
                write(self, &labels, at);
            }
        }
    }

    fn refused(&mut self, status: &Status) {
        self.family("wharf_refused_total", "counter", "Requests that the gateway answered itself, by the reason.");
        let listeners = status.listeners.iter().map(|listener| ("listener", &listener.name, &listener.refused));
        let routes = status.routes.iter().map(|route| ("route", &route.name, &route.refused));
        for (kind, name, refused) in listeners.chain(routes) {
            for (reason, count) in refused {
                self.line("wharf_refused_total", "", &[(kind, name), ("reason", reason)], count);
            }
        }
        self.family("wharf_requests_queued", "gauge", "Requests that wait for an instance with room.");
        for route in &status.routes {
            let labels = [("route", route.name.as_str()), ("service", route.service.as_str())];
            self.line("wharf_requests_queued", "", &labels, route.queued);
        }
    }

    fn histogram(&mut self, name: &str, labels: &Labels<'_>, times: &Times) {
        let mut below = 0;
        for (class, end) in times.classes.iter().zip(TIMES) {
            below += class;
            let end = (end as f64 / 1e6).to_string();
            self.line(name, "_bucket", &[labels, &[("le", end.as_str())]].concat(), below);
        }
        self.line(name, "_bucket", &[labels, &[("le", "+Inf")]].concat(), times.count());
        self.line(name, "_sum", labels, times.micros as f64 / 1e6);
        self.line(name, "_count", labels, times.count());
    }
}
