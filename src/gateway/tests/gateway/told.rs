//! What is told of requests: the access log, call records, figures.

use std::path::Path;

use hyper::{Request, Response, StatusCode};
use serde_json::Value;
use wharf_gateway::Records;

use crate::support::*;

async fn lines(file: &Path, count: usize) -> Vec<Value> {
    let mut lines = Vec::new();
    eventually("the lines are there", async || {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        lines = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        lines.len() >= count
    })
    .await;
    lines
}

#[tokio::test]
async fn the_access_log_has_a_line_for_each_request() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let mut hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    hello.endpoints[0].revision = Some("3".into());
    let mut wanted = config(1, vec![hello]);
    wanted.access_log = true;
    gateway.replace(&wanted).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = Request::post("/hello/x?y=1").header("traceparent", trace).header("x-request-id", "mine");
    let answer = caller.call(request.body(whole("question")).unwrap()).await.unwrap();
    assert!(answer.text.contains(trace), "{}", answer.text);
    caller.get("/nothing").await.unwrap();

    let told = lines(&gateway.dir.join("access.log"), 2).await;
    let text = |line: usize, name: &str| told[line][name].as_str().unwrap_or("").to_owned();
    for (name, expected) in [
        ("client", "127.0.0.1"),
        ("host", "example.com"),
        ("method", "POST"),
        ("path", "/hello/x?y=1"),
        ("request_id", "mine"),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c"),
        ("route", "public/hello"),
        ("service", "hello"),
        ("instance", "hello-0-g1"),
        ("revision", "3"),
        ("end", "whole"),
    ] {
        assert_eq!(text(0, name), expected, "{name} in {}", told[0]);
    }
    assert_eq!(
        (told[0]["status"].as_u64(), told[0]["bytes_out"].as_u64()),
        (Some(200), Some(answer.text.len() as u64))
    );
    assert!(told[0]["first_byte_ms"].as_f64() <= told[0]["ms"].as_f64() && told[0]["ms"].as_f64() > Some(0.0));
    assert_eq!((told[1]["status"].as_u64(), text(1, "reason").as_str()), (Some(404), "no-route"));
}

#[tokio::test]
async fn a_call_is_kept_with_its_bodies_and_without_its_secrets() {
    let gateway = Gateway::start().await;
    let instance = Instance::start(|_| async {
        let answer = Response::builder().status(StatusCode::CREATED).header("set-cookie", "id=s3cret");
        answer.header("x-model", "m").body(whole("an answer that is long")).unwrap()
    })
    .await;
    let mut hello = route("hello", vec![serving("hello-0-g1", instance.address)]);
    let file = gateway.dir.join("calls.jsonl");
    hello.records = Some(Records { redact: vec!["x-session".into()], ..Records::all(&file, 9) });
    gateway.replace(&config(1, vec![hello.clone()])).await;
    let address = gateway.address().await;
    let request = Request::post("/hello/v1").header("x-session", "s3cret").header("authorization", "Bearer s3cret");
    let request = request.header("X-API-Key", "s3cret");
    Caller::connect(address).await.call(request.body(whole("a question")).unwrap()).await.unwrap();
    let told = &lines(&file, 1).await[0];
    assert_eq!((told["request_body"].as_str(), told["request_bytes"].as_u64()), (Some("a questio"), Some(10)));
    assert_eq!((told["response_body"].as_str(), told["response_bytes"].as_u64()), (Some("an answer"), Some(22)));
    assert_eq!((told["status"].as_u64(), told["instance"].as_str()), (Some(201), Some("hello-0-g1")));
    assert_eq!(told["response_headers"]["x-model"].as_str(), Some("m"));
    for header in ["x-session", "x-api-key", "authorization"] {
        assert_eq!(told["request_headers"][header].as_str(), Some("(redacted)"));
    }
    assert!(!told.to_string().contains("s3cret"), "{told}");

    // A sink that fails costs nobody an answer.
    hello.records = hello.records.map(|records| Records { file: "/nowhere/at/all".into(), ..records });
    gateway.replace(&config(2, vec![hello])).await;
    for _ in 0..3 {
        assert_eq!(post(address, "/hello", "x").await.status, 201);
    }
    eventually("they are counted", async || gateway.status().await.dropped_lines == 3).await;
}

#[tokio::test]
async fn a_part_of_the_calls_is_kept_without_what_nobody_may_read() {
    let (gateway, echo) = (Gateway::start().await, Instance::mirror().await);
    let file = gateway.dir.join("calls.jsonl");
    let mut hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    let redact_fields = vec!["/messages/*/content".into()];
    let records = Records { redact_fields, full: 8_000, kept: 2, ..Records::all(&file, 1_000) };
    hello.records = Some(records.clone());
    gateway.replace(&config(1, vec![hello.clone()])).await;
    let address = gateway.address().await;
    let question = r#"{"messages":[{"content":"s3cret","role":"user"}]}"#;
    assert_eq!(post(address, "/hello", question).await.text, question, "what passes is left alone");
    let told = &lines(&file, 1).await[0];
    let kept = question.replace("s3cret", "(redacted)");
    assert_eq!((told["request_body"].as_str(), told["response_body"].as_str()), (Some(&*kept), Some(&*kept)));
    // Too long to be kept whole, and so to be looked through.
    let long = format!(r#"{{"messages":[{{"content":"{}"}}]}}"#, "s3cret".repeat(400));
    assert_eq!(post(address, "/hello", long).await.status, 200);
    assert_eq!(lines(&file, 2).await[1]["request_body"].as_str(), Some("(redacted)"));
    let message = r#"{"role":"user","content":"s3cret"}"#;
    let long = format!("{{\"messages\":[\n{message}\n{}]}}", format!(",{message}\n").repeat(40));
    assert_eq!(post(address, "/hello", long).await.status, 200);
    assert_eq!(lines(&file, 3).await[2]["request_body"].as_str(), Some("(redacted)"));
    // Only a type says that lines are texts by themselves.
    let request = Request::post("/hello").header("content-type", "application/x-ndjson");
    let two = format!("{question}\n{question}\n");
    Caller::connect(address).await.call(request.body(whole(two.clone())).unwrap()).await.unwrap();
    let told = &lines(&file, 4).await[3];
    assert_eq!(told["request_body"].as_str(), Some(&*two.replace("s3cret", "(redacted)")));
    assert_eq!(told["response_body"].as_str(), Some("(redacted)"));

    // Full files are renamed, and no more are kept than are wanted.
    for _ in 0..48 {
        assert_eq!(post(address, "/hello", question).await.status, 200);
    }
    eventually("files are renamed", async || file.with_extension("jsonl.2").exists()).await;
    assert!(!file.with_extension("jsonl.3").exists());

    hello.records = Some(Records { thousandths: 0, file: gateway.dir.join("none.jsonl"), ..records });
    gateway.replace(&config(2, vec![hello])).await;
    assert_eq!(post(address, "/hello", question).await.status, 200);
    assert_eq!(gateway.status().await.dropped_lines, 0);
    assert!(!gateway.dir.join("none.jsonl").exists());
}

#[tokio::test]
async fn figures_are_shown_as_prometheus_reads_them() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let mut hello = route("hello", vec![serving("hello-0-g1", echo.address)]);
    hello.endpoints[0].revision = Some("3".into());
    hello.max_body = Some(10);
    let mut wanted = config(1, vec![hello]);
    let metrics = nowhere();
    wanted.metrics = Some(metrics);
    gateway.replace(&wanted).await;
    let address = gateway.address().await;
    for _ in 0..3 {
        assert_eq!(post(address, "/hello", "x").await.status, 200);
    }
    assert_eq!(post(address, "/hello", "larger than ten").await.status, 413);
    get(address, "/nothing").await;

    let labels = r#"{route="public/hello",service="hello",revision="3",instance="hello-0-g1"}"#;
    let shown = get(metrics, "/metrics").await;
    assert!(shown.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in [
        format!("wharf_requests_total{labels} 3"),
        format!("wharf_requests_in_flight{labels} 0"),
        format!("wharf_request_bytes_total{labels} 3"),
        format!("wharf_first_byte_seconds_count{labels} 3"),
        r#"wharf_refused_total{route="public/hello",reason="body-too-large"} 1"#.into(),
        r#"wharf_refused_total{listener="public",reason="no-route"} 1"#.into(),
        "wharf_gateway_generation 1".into(),
    ] {
        assert!(shown.text.lines().any(|shown| shown == line), "{line} in {}", shown.text);
    }
    assert_eq!(gateway.client().await.metrics().await.unwrap(), shown.text);
    assert_eq!(get(metrics, "/").await.status, 404);

    wanted.generation = 2;
    wanted.metrics = None;
    gateway.replace(&wanted).await;
    eventually("it is closed", async || tokio::net::TcpStream::connect(metrics).await.is_err()).await;
}
