//! Replacing the configuration while requests run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hyper::{Request, StatusCode};
use tokio::task::JoinSet;
use wharf_gateway::{Check, ConfigProblem, ControlError, EndpointState, Listener, Probe};

use crate::support::*;

/// Callers that ask without a pause until told to stop. Every answer must be good.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    pub(crate) answered: Arc<AtomicUsize>,
    callers: JoinSet<()>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr, callers: usize) -> Self {
        let mut load = Self { stop: Arc::default(), answered: Arc::default(), callers: JoinSet::new() };
        for number in 0..callers {
            let (stop, answered) = (load.stop.clone(), load.answered.clone());
            load.callers.spawn(async move {
                let mut caller = Caller::connect(address).await;
                while !stop.load(Ordering::SeqCst) {
                    // Half of them with a body.
                    let answer = if number % 2 == 0 {
                        caller.get("/hello").await.unwrap()
                    } else {
                        caller.call(Request::post("/hello").body(whole("question")).unwrap()).await.unwrap()
                    };
                    assert_eq!(answer.status, 200, "{answer:?}");
                    // As any client does that is told so.
                    if answer.header("connection") == "close" {
                        caller = Caller::connect(address).await;
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        load
    }

    /// Waits for some more answers.
    pub(crate) async fn go_on(&self, answers: usize) {
        let goal = self.answered.load(Ordering::SeqCst) + answers;
        eventually("answers come", async || self.answered.load(Ordering::SeqCst) >= goal).await;
    }

    pub(crate) async fn end(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
    }
}

#[tokio::test]
async fn forty_replacements_under_load_fail_no_request() {
    let gateway = Gateway::start().await;
    let (blue, green) = (Instance::named("blue").await, Instance::named("green").await);
    let between = |generation: u64, number: usize| {
        let address = [blue.address, green.address][number];
        config(generation, vec![route("hello", vec![serving(&format!("hello-{number}-g{generation}"), address)])])
    };
    gateway.replace(&between(1, 0)).await;
    let load = Load::start(gateway.address().await, 16);
    for generation in 2..=41 {
        load.go_on(20).await;
        gateway.replace(&between(generation, usize::try_from(generation % 2).unwrap())).await;
    }
    load.end().await;
    assert!(blue.requests() > 0 && green.requests() > 0);
    assert_eq!(gateway.status().await.generation, 41);
}

#[tokio::test]
async fn listeners_come_and_go() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let mut wanted = config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])]);
    gateway.replace(&wanted).await;
    let first = gateway.address().await;
    let load = Load::start(first, 4);
    load.go_on(10).await;

    wanted.generation = 2;
    wanted.listeners.push(Listener::plain("second", ([127, 0, 0, 1], 0).into()));
    gateway.replace(&wanted).await;
    let status = gateway.status().await;
    assert_eq!((status.listeners.len(), status.listeners[0].address), (2, first), "the first is left alone");
    let second = status.listeners[1].address;
    assert_eq!(get(second, "/hello").await.status, 200);

    wanted.generation = 3;
    wanted.listeners.pop();
    gateway.replace(&wanted).await;
    assert!(tokio::net::TcpStream::connect(second).await.is_err(), "the port is closed once it is acknowledged");
    load.go_on(10).await;
    load.end().await;
}

#[tokio::test]
async fn a_taken_port_is_refused_and_nothing_changes() {
    let (gateway, other, echo) = (Gateway::start().await, Gateway::start().await, Instance::echo().await);
    other.replace(&config(1, vec![])).await;
    let taken = other.address().await;
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", echo.address)])])).await;

    let mut wanted = config(2, vec![]);
    wanted.listeners.push(Listener::plain("taken", taken));
    let error = gateway.client().await.replace(&wanted).await.unwrap_err();
    let ControlError::Refused { problems } = error else { panic!("{error}") };
    assert_eq!(problems, [format!("listener taken: address {taken} is in use")]);
    assert_eq!(gateway.status().await.generation, 1);
    assert_eq!(get(gateway.address().await, "/hello").await.status, 200);
}

#[tokio::test]
async fn a_bad_configuration_is_refused_and_the_old_one_stays() {
    let (gateway, echo) = (Gateway::start().await, Instance::echo().await);
    let good = config(5, vec![route("hello", vec![serving("hello-0-g1", echo.address)])]);
    gateway.replace(&good).await;
    let mut client = gateway.client().await;

    let mut bad = config(6, vec![route("a", vec![]), route("a", vec![])]);
    bad.routes[0].paths.clear();
    let found: Vec<_> = bad.check().unwrap_err().iter().map(ConfigProblem::to_string).collect();
    let older = config(4, vec![]);
    let other = config(5, vec![]);
    for (config, expected) in [
        (&bad, found),
        (&older, vec!["generation 4 is older than 5, which is served".to_owned()]),
        (&other, vec!["generation 5 is served already, with other content".to_owned()]),
    ] {
        let error = client.replace(config).await.unwrap_err();
        let ControlError::Refused { problems } = error else { panic!("{error}") };
        assert_eq!(problems, expected);
    }
    assert_eq!(client.replace(&good).await.unwrap(), 5, "the same again is acknowledged");
    assert_eq!(get(gateway.address().await, "/hello").await.status, 200);
}

#[tokio::test]
async fn a_probe_takes_an_endpoint_out_and_puts_it_back() {
    let gateway = Gateway::start().await;
    let sick = Arc::new(AtomicBool::new(false));
    let seen = sick.clone();
    let instance = Instance::start(move |request| {
        let failing = request.uri().path() == "/health" && seen.load(Ordering::SeqCst);
        async move {
            let mut response = hyper::Response::new(whole(if failing { "out of memory" } else { "fine" }));
            if failing {
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            response
        }
    })
    .await;
    let mut hello = route("hello", vec![serving("hello-0-g1", instance.address)]);
    let check = Check::Http { path: "/health".into() };
    hello.probe = Some(Probe { check, every_ms: 10, timeout_ms: 5_000, failures: 3, successes: 2 });
    gateway.replace(&config(1, vec![hello])).await;
    let address = gateway.address().await;
    let ready = async || endpoint_status(&gateway.status().await, "hello-0-g1").ready;
    assert!(ready().await, "a new endpoint is ready");

    sick.store(true, Ordering::SeqCst);
    eventually("the endpoint is not ready", async || !ready().await).await;
    let status = gateway.status().await;
    let words = endpoint_status(&status, "hello-0-g1").last_answer.clone();
    assert_eq!(words.as_deref(), Some("HTTP 500: out of memory"));

    // A request that waits goes on as soon as the endpoint is back.
    let waiting = tokio::spawn(async move { get(address, "/hello").await });
    sick.store(false, Ordering::SeqCst);
    assert_eq!(waiting.await.unwrap().status, 200);
}

/// Behind one route, an old revision may say that it is ready on one path and a new one on another.
#[tokio::test]
async fn each_endpoint_is_asked_on_its_own_path() {
    let gateway = Gateway::start().await;
    let asked = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
    let mut endpoints = Vec::new();
    let mut instances = Vec::new();
    for (number, path) in ["/health", "/ready"].into_iter().enumerate() {
        let told = asked[number].clone();
        let instance = Instance::start(move |request| {
            let right = request.uri().path() == path;
            told.fetch_or(right, Ordering::SeqCst);
            async move {
                let mut response = hyper::Response::new(whole("?"));
                *response.status_mut() = if right { StatusCode::OK } else { StatusCode::NOT_FOUND };
                response
            }
        })
        .await;
        let check = Check::Http { path: path.into() };
        let probe = Probe { check, every_ms: 10, timeout_ms: 5_000, failures: 1, successes: 1 };
        let endpoint = serving(&format!("hello-{number}-g1"), instance.address);
        endpoints.push(wharf_gateway::Endpoint { probe: Some(probe), ..endpoint });
        instances.push(instance);
    }
    gateway.replace(&config(1, vec![route("hello", endpoints)])).await;
    for (number, asked) in asked.iter().enumerate() {
        eventually("each was asked on its own path", async || asked.load(Ordering::SeqCst)).await;
        assert!(endpoint_status(&gateway.status().await, &format!("hello-{number}-g1")).ready);
    }
}

#[tokio::test]
async fn draining_endpoints_are_shown_until_they_are_idle() {
    let gateway = Gateway::start().await;
    let release = Arc::new(tokio::sync::Notify::new());
    let waits = release.clone();
    let slow = Instance::start(move |_| {
        let release = waits.clone();
        async move {
            release.notified().await;
            hyper::Response::new(whole("slow"))
        }
    })
    .await;
    let hello = |state| vec![route("hello", vec![endpoint("hello-0-g1", slow.address, state)])];
    gateway.replace(&config(1, hello(EndpointState::Serving))).await;
    let address = gateway.address().await;
    let call = tokio::spawn(async move { get(address, "/hello").await });
    eventually("the request is there", async || slow.requests() == 1).await;

    gateway.replace(&config(2, hello(EndpointState::Draining))).await;
    assert_eq!(gateway.status().await.in_flight("hello-0-g1"), 1);
    gateway.replace(&config(3, vec![])).await;
    let status = gateway.status().await;
    let seen = endpoint_status(&status, "hello-0-g1");
    assert_eq!((seen.in_flight, seen.state), (1, EndpointState::Draining));

    release.notify_one();
    let answer = call.await.unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "slow"));
    eventually("the endpoint is gone", async || gateway.status().await.routes.is_empty()).await;
}
