//! Traces: what instances are told of them, and what arrives at a collector.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use wharf_gateway::{Certificate, Config, Sealed, Traces};

use crate::support::*;

const WHOLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A collector that keeps what it is sent.
struct Collector {
    at: Instance,
    spans: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    async fn start() -> Self {
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = spans.clone();
        let at = Instance::start(move |request| {
            let kept = kept.clone();
            async move {
                assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/v1/traces"));
                assert_eq!(request.headers()["content-type"], "application/json");
                assert_eq!(request.headers()["x-key"], "s3cret");
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let body: Value = serde_json::from_slice(&body).unwrap();
                let resource = &body["resourceSpans"][0]["resource"]["attributes"];
                assert_eq!(resource, &json!([{ "key": "service.name", "value": { "stringValue": "public" } }]));
                let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
                kept.lock().unwrap().extend(spans.iter().cloned());
                Response::new(whole("{}"))
            }
        })
        .await;
        Self { at, spans }
    }

    /// The spans, once there are so many.
    async fn spans(&self, count: usize) -> Vec<Value> {
        eventually("the spans arrive", async || self.spans.lock().unwrap().len() >= count).await;
        self.spans.lock().unwrap().clone()
    }
}

fn traced(generation: u64, routes: Vec<wharf_gateway::Route>, collector: SocketAddr, thousandths: u16) -> Config {
    let traces = Traces {
        otlp: format!("http://{collector}"),
        thousandths,
        headers: [("x-key".to_owned(), Sealed("s3cret".to_owned()))].into(),
        resource: [("service.name".to_owned(), "public".to_owned())].into(),
    };
    Config { traces: Some(traces), ..config(generation, routes) }
}

/// Calls an instance that echoes, and answers with what it was told of the trace.
async fn call(address: SocketAddr, headers: &[(&str, &str)]) -> Vec<String> {
    let mut request = Request::get("/hello/x?key=s3cret");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = Caller::connect(address).await.call(request.body(whole("")).unwrap()).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    answer.text.lines().filter(|line| line.starts_with("trace")).map(str::to_owned).collect()
}

fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a Value> {
    span["attributes"].as_array().unwrap().iter().find(|one| one["key"] == key).map(|one| &one["value"])
}

#[tokio::test]
async fn spans_of_requests_arrive_at_a_collector() {
    let (gateway, echo, collector) = (Gateway::start().await, Instance::echo().await, Collector::start().await);
    let hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    gateway.replace(&traced(1, vec![hello], collector.at.address, 1_000)).await;
    let address = gateway.address().await;

    // A trace that goes on.
    let told = call(address, &[("traceparent", WHOLE), ("tracestate", "a=b")]).await;
    let span = collector.spans(1).await.remove(0);
    let id = span["spanId"].as_str().unwrap();
    assert_eq!(told, [format!("traceparent: {}{id}-01", &WHOLE[..36]), "tracestate: a=b".to_owned()]);
    assert_eq!((&span["traceId"], &span["parentSpanId"]), (&json!(WHOLE[3..35]), &json!(WHOLE[36..52])));
    assert_eq!((&span["traceState"], &span["name"]), (&json!("a=b"), &json!("GET public/hello")));
    for (key, expected) in [
        ("http.response.status_code", json!({ "intValue": "200" })),
        ("url.path", json!({ "stringValue": "/hello/x" })),
        ("wharf.instance", json!({ "stringValue": "hello-0-g1" })),
        ("wharf.end", json!({ "stringValue": "whole" })),
    ] {
        assert_eq!(attribute(&span, key), Some(&expected), "{span}");
    }
    let nanos = |key: &str| span[key].as_str().unwrap().parse::<u128>().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    assert!(nanos("startTimeUnixNano") < nanos("endTimeUnixNano") && nanos("endTimeUnixNano") <= now, "{span}");

    // One that begins here, as what was brought is none. Its state is not ours to keep.
    let told = call(address, &[("traceparent", "00-1-2-03"), ("tracestate", "a=b")]).await;
    let span = collector.spans(2).await.remove(1);
    let (trace, id) = (span["traceId"].as_str().unwrap(), span["spanId"].as_str().unwrap());
    assert_eq!(told, [format!("traceparent: 00-{trace}-{id}-01")]);
    assert_eq!((span.get("parentSpanId"), span.get("traceState")), (None, None));

    // What the gateway itself answers.
    assert_eq!(get(address, "/nowhere").await.status, StatusCode::NOT_FOUND);
    let span = collector.spans(3).await.remove(2);
    assert_eq!((&span["name"], &span["status"]), (&json!("GET"), &json!({})));
    assert_eq!(attribute(&span, "wharf.reason"), Some(&json!({ "stringValue": "no-route" })));
    eventually("they are counted", async || gateway.status().await.sent_spans == 3).await;
    assert!(gateway.client().await.metrics().await.unwrap().contains("\nwharf_gateway_sent_spans_total 3\n"));
}

#[tokio::test]
async fn whoever_began_a_trace_says_whether_it_is_kept() {
    let (gateway, echo, collector) = (Gateway::start().await, Instance::echo().await, Collector::start().await);
    let hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    gateway.replace(&traced(1, vec![hello.clone()], collector.at.address, 0)).await;
    let address = gateway.address().await;
    let told = call(address, &[]).await;
    assert!(told[0].ends_with("-00"), "{told:?}");
    let unwanted = WHOLE.replace("-01", "-00");
    let told = call(address, &[("traceparent", &unwanted)]).await;
    assert!(told[0].contains(&unwanted[..36]) && told[0].ends_with("-00"), "{told:?}");
    call(address, &[("traceparent", WHOLE)]).await;
    assert_eq!(collector.spans(1).await.len(), 1);

    // A gateway that is asked for no traces takes no part in them.
    gateway.replace(&config(2, vec![hello])).await;
    let address = gateway.address().await;
    assert_eq!(call(address, &[("traceparent", WHOLE)]).await, [format!("traceparent: {WHOLE}")]);
    assert_eq!(call(address, &[("traceparent", "broken"), ("tracestate", "a=b")]).await, [""; 0]);
    assert_eq!(collector.spans(1).await.len(), 1);
}

#[tokio::test]
async fn the_last_spans_of_a_gateway_arrive() {
    let (mut gateway, echo, collector) = (Gateway::start().await, Instance::echo().await, Collector::start().await);
    let hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    gateway.replace(&traced(1, vec![hello], collector.at.address, 1_000)).await;
    let address = gateway.address().await;
    call(address, &[]).await;
    gateway.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(gateway.ended().await.success());
    assert_eq!(collector.spans(1).await.len(), 1);
}

/// A collector that refuses, one that is not there and one that says nothing cost spans, and nobody an answer.
#[tokio::test]
async fn a_collector_that_takes_nothing_costs_spans_alone() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    let refusing = Instance::start(|_| async {
        let mut answer = Response::new(whole(""));
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        answer
    })
    .await;
    for (generation, collector) in [(1, refusing.address), (2, nowhere())] {
        gateway.replace(&traced(generation, vec![hello.clone()], collector, 1_000)).await;
        call(gateway.address().await, &[]).await;
        eventually("it is counted", async || gateway.status().await.dropped_spans == generation).await;
    }
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    gateway.replace(&traced(3, vec![hello], silent.local_addr().unwrap(), 1_000)).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    for _ in 0..4_000 {
        assert_eq!(caller.get("/hello").await.unwrap().status, StatusCode::OK);
    }
    // One batch is on its way, and as many wait as may.
    let status = gateway.status().await;
    assert!((1_000..3_000).contains(&status.dropped_spans), "{}", status.dropped_spans);
    assert_eq!(status.sent_spans, 0);
}

#[tokio::test]
async fn a_collector_that_speaks_tls_is_sent_spans_if_it_is_trusted() {
    let (echo, collector) = (Instance::echo().await, Collector::start().await);
    // One more gateway speaks TLS for it.
    let guard = Gateway::start().await;
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut guarded = config(1, vec![route("collector", vec![serving("collector-0-g1", collector.at.address)])]);
    guarded.routes[0].paths = vec!["/".into()];
    guarded.listeners[0].certificates = vec![Certificate { domain: "localhost".into(), chain: chain.clone(), key }];
    guard.replace(&guarded).await;
    let otlp = format!("https://localhost:{}", guard.address().await.port());

    for (trusted, expected) in [(true, (1, 0)), (false, (0, 1))] {
        let gateway = if trusted { Gateway::trusting(&chain).await } else { Gateway::start().await };
        let hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
        let mut config = traced(1, vec![hello], collector.at.address, 1_000);
        config.traces.iter_mut().for_each(|traces| traces.otlp.clone_from(&otlp));
        gateway.replace(&config).await;
        call(gateway.address().await, &[]).await;
        eventually("it is sent or dropped", async || {
            let status = gateway.status().await;
            (status.sent_spans, status.dropped_spans) == expected
        })
        .await;
        assert_eq!(collector.spans(1).await.len(), 1, "nothing arrives that was dropped");
    }
}
