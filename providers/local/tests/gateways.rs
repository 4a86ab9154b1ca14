//! Gateways as real processes, and instances behind them.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on should stop")]

mod support;

use secrecy::SecretString;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    time::{Duration, Instant},
};
use support::*;
use wharf_model::{
    Address, Call, EndpointState, GatewayName, GatewaySpec, InstanceId, Launch, ObservedGateway, Operation, Probe,
    RouteSpec, ServiceName, Shutdown, TokenSpec,
};
use wharf_provider::{Observe as _, ProviderError, Scope};

fn gateway() -> GatewayName {
    "public".parse().unwrap()
}

fn service() -> ServiceName {
    "hello".parse().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spec(port: u16) -> GatewaySpec {
    GatewaySpec::listening(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn put(spec: &GatewaySpec) -> Operation {
    let call = Call::PutGateway { gateway: gateway(), spec: spec.clone() };
    Operation { address: Address::Gateway(gateway()), call }
}

fn route_spec(tokens: &[&str]) -> RouteSpec {
    RouteSpec {
        gateway: gateway(),
        service: service(),
        paths: vec!["/api/predict/hello".into()],
        tokens: tokens.iter().map(|name| TokenSpec { secret: name.parse().unwrap(), name: None }).collect(),
        token_digests: Default::default(),
        timeout: Duration::from_secs(5),
        max_body: None,
        timeouts: wharf_model::Timeouts::default(),
        traffic: wharf_model::Traffic::default(),
        grpc: false,
        group: None,
        records: None,
    }
}

fn of_route(call: Call) -> Operation {
    Operation { address: Address::Route(gateway(), service()), call }
}

fn of_instance(name: &InstanceId, call: Call) -> Operation {
    Operation { address: Address::Instance(name.service.clone(), name.slot), call }
}

fn serve(name: &InstanceId, endpoint: SocketAddr) -> Operation {
    let (instance, gateways, probe) = (name.clone(), vec![gateway()], Probe::fallback());
    of_instance(name, Call::RouteInstance { instance, endpoint, gateways, probe })
}

fn drain(name: &InstanceId) -> Operation {
    let shutdown = Shutdown { grace: Duration::from_secs(1), sigterm: false };
    of_instance(name, Call::DrainInstance { instance: name.clone(), gateways: vec![gateway()], shutdown })
}

fn server() -> Launch {
    launch(script("echo hi > index.html; exec python3 -m http.server $PORT --bind 127.0.0.1"))
}

/// Starts a server and waits until it is ready.
async fn ready(place: &Place, launch: &Launch) -> SocketAddr {
    let endpoint = place.start(launch).await;
    let begin = Instant::now();
    while !place.see(&launch.instance).await.is_ready() {
        assert!(begin.elapsed() < PATIENCE, "{:?}", place.see(&launch.instance).await);
        pause().await;
    }
    endpoint
}

/// Asks the gateway, and returns the status and the body.
fn ask(port: u16, header: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!("GET /api/predict/hello/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

async fn look(place: &Place) -> ObservedGateway {
    place.look().await.gateways.remove(&gateway()).unwrap()
}

#[tokio::test]
async fn requests_reach_an_instance_until_it_drains() {
    let place = Place::new();
    let (spec, launch) = (spec(free_port()), server());
    for _ in 0..2 {
        place.run(&put(&spec)).await.unwrap();
        place.run(&of_route(Call::PutRoute { route: route_spec(&[]) })).await.unwrap();
    }
    let endpoint = ready(&place, &launch).await;
    assert_eq!(ask(spec.port, "").0, 503);
    place.run(&serve(&launch.instance, endpoint)).await.unwrap();
    place.run(&serve(&launch.instance, endpoint)).await.unwrap();
    assert_eq!(ask(spec.port, ""), (200, "hi\n".to_owned()));
    let seen = look(&place).await;
    assert!(seen.running);
    assert_eq!(seen.listen, Some(SocketAddr::new(spec.address, spec.port)));
    assert_eq!(seen.fingerprint, Some(spec.fingerprint()));
    let route = &seen.routes[&service()];
    assert_eq!(route.fingerprint, Some(route_spec(&[]).fingerprint()));
    assert_eq!(route.endpoints[&launch.instance], EndpointState::Serving { ready: true, in_flight: 0 });
    place.run(&drain(&launch.instance)).await.unwrap();
    assert_eq!(ask(spec.port, "").0, 503);
    let seen = look(&place).await;
    assert_eq!(seen.routes[&service()].endpoints[&launch.instance], EndpointState::Draining { in_flight: 0 });
    for _ in 0..2 {
        place.run(&stop(&launch.instance, &[gateway()])).await.unwrap();
    }
    assert!(look(&place).await.routes[&service()].endpoints.is_empty());
    for _ in 0..2 {
        place.run(&of_route(Call::DeleteRoute { gateway: gateway(), service: service() })).await.unwrap();
    }
    assert!(look(&place).await.routes.is_empty());
    for _ in 0..2 {
        place.run(&delete_gateway(&gateway())).await.unwrap();
    }
    assert!(place.look().await.gateways.is_empty());
    assert!(TcpStream::connect(("127.0.0.1", spec.port)).is_err());
    assert!(place.provider().clean_up().await.unwrap());
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_is_not_taken_for_none() {
    let place = Place::new();
    let (spec, launch) = (spec(free_port()), server());
    place.run(&put(&spec)).await.unwrap();
    place.run(&of_route(Call::PutRoute { route: route_spec(&[]) })).await.unwrap();
    let endpoint = ready(&place, &launch).await;
    place.run(&serve(&launch.instance, endpoint)).await.unwrap();
    let file = place.state().join("gateways/public/config.json");
    let before = fs::read_to_string(&file).unwrap();
    // As a newer release may write it.
    fs::write(&file, before.replacen('{', r#"{"newer": 1,"#, 1)).unwrap();
    for operation in [
        put(&GatewaySpec { port: free_port(), ..spec.clone() }),
        of_route(Call::PutRoute { route: route_spec(&[]) }),
        drain(&launch.instance),
        of_route(Call::DeleteRoute { gateway: gateway(), service: service() }),
    ] {
        let error = place.run(&operation).await.unwrap_err();
        let ProviderError::Rejected { help, source, .. } = &error else { panic!("{error:?}") };
        assert!(help.contains("a newer wharf"), "{help}");
        assert!(source.as_ref().unwrap().to_string().contains("unknown field `newer`"), "{error:?}");
    }
    let error = place.provider().observe(&Scope::default()).await.unwrap_err();
    assert!(matches!(error, ProviderError::Rejected { .. }), "{error:?}");
    assert_eq!(ask(spec.port, ""), (200, "hi\n".to_owned()), "it serves on");
    fs::write(&file, before).unwrap();
    assert_eq!(look(&place).await.routes[&service()].endpoints.len(), 1);
}

#[tokio::test]
async fn a_token_opens_and_is_stored_nowhere() {
    let mut place = Place::new();
    place.secrets.insert("key".parse().unwrap(), SecretString::from("open-sesame"));
    let (spec, launch) = (spec(free_port()), server());
    place.run(&put(&spec)).await.unwrap();
    place.run(&of_route(Call::PutRoute { route: route_spec(&["key"]) })).await.unwrap();
    let endpoint = ready(&place, &launch).await;
    place.run(&serve(&launch.instance, endpoint)).await.unwrap();
    assert_eq!(ask(spec.port, "").0, 401);
    assert_eq!(ask(spec.port, "authorization: open-sesame\r\n").0, 200);
    // Setting the route anew leaves its endpoints.
    place.run(&of_route(Call::PutRoute { route: route_spec(&[]) })).await.unwrap();
    assert_eq!(ask(spec.port, "").0, 200);
    let found = Command::new("grep").args(["-r", "open-sesame"]).arg(place.state()).output().unwrap();
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let error = place.run(&of_route(Call::PutRoute { route: route_spec(&["lost"]) })).await.unwrap_err();
    assert!(matches!(error, ProviderError::Missing { .. }), "{error:?}");
}

#[tokio::test]
async fn a_taken_port_is_a_conflict_that_names_who_has_it() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = place.run(&put(&spec(port))).await.unwrap_err();
    assert!(matches!(error, ProviderError::Conflict { .. }), "{error:?}");
    let words = error.to_string();
    assert!(words.contains(&format!("gateway public cannot listen on 127.0.0.1:{port}: ")), "{words}");
    assert!(words.contains(&format!("(process {}) listens there", std::process::id())), "{words}");
    assert!(place.look().await.gateways.is_empty());
    // One that runs stays where it is.
    let free = spec(free_port());
    place.run(&put(&free)).await.unwrap();
    let error = place.run(&put(&spec(port))).await.unwrap_err();
    assert!(matches!(error, ProviderError::Conflict { .. }), "{error:?}");
    assert_eq!(look(&place).await.listen, Some(SocketAddr::new(free.address, free.port)));
    assert_eq!(look(&place).await.fingerprint, None);
}

#[tokio::test]
async fn a_listener_moves_in_place() {
    let place = Place::new();
    let (before, after) = (spec(free_port()), spec(free_port()));
    place.run(&put(&before)).await.unwrap();
    place.run(&of_route(Call::PutRoute { route: route_spec(&[]) })).await.unwrap();
    place.run(&put(&after)).await.unwrap();
    assert_eq!(ask(after.port, "").0, 503);
    assert!(TcpStream::connect(("127.0.0.1", before.port)).is_err());
    assert_eq!(look(&place).await.fingerprint, Some(after.fingerprint()));
}

#[tokio::test]
async fn a_gateway_that_was_killed_is_started_again_with_its_routes() {
    let place = Place::new();
    let (spec, launch) = (spec(free_port()), server());
    place.run(&put(&spec)).await.unwrap();
    place.run(&of_route(Call::PutRoute { route: route_spec(&[]) })).await.unwrap();
    let endpoint = ready(&place, &launch).await;
    place.run(&serve(&launch.instance, endpoint)).await.unwrap();
    let mut other = launch.clone();
    other.instance = name("hello-1-g1");
    let second = ready(&place, &other).await;
    place.run(&serve(&other.instance, second)).await.unwrap();

    let folder = place.state().join("gateways/public");
    let pid = wharf_gateway::holder(&folder).unwrap().unwrap();
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(line.contains("gateway\0--dir\0"), "{line}");
    let session = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    assert_eq!(session.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap(), pid.to_string());
    Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    let begin = Instant::now();
    while look(&place).await.running {
        assert!(begin.elapsed() < PATIENCE);
        pause().await;
    }
    assert_eq!(look(&place).await.routes[&service()].endpoints.len(), 2);

    // What goes out of service meanwhile stays out.
    let error = place.run(&serve(&launch.instance, endpoint)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Missing { .. }), "{error:?}");
    place.run(&stop(&launch.instance, &[gateway()])).await.unwrap();
    place.run(&put(&spec)).await.unwrap();
    let seen = look(&place).await;
    assert_eq!(seen.routes[&service()].endpoints.keys().collect::<Vec<_>>(), [&other.instance]);
    assert_eq!(ask(spec.port, ""), (200, "hi\n".to_owned()));
}

#[tokio::test]
async fn changes_of_one_gateway_do_not_overtake_each_other() {
    let place = Place::new();
    place.run(&put(&spec(free_port()))).await.unwrap();
    place.run(&of_route(Call::PutRoute { route: route_spec(&[]) })).await.unwrap();
    let provider = place.provider();
    let names: Vec<_> = (0..8).map(|slot| name(&format!("hello-{slot}-g1"))).collect();
    let (progress, _) = tokio::sync::mpsc::unbounded_channel();
    let calls = names.iter().map(|name| {
        let (operation, progress, provider) = (serve(name, ([127, 0, 0, 1], 1).into()), progress.clone(), &provider);
        async move {
            let cx = wharf_provider::OpContext { operation: operation.id(), secrets: Default::default(), progress };
            wharf_provider::Execute::execute(provider, &operation, &cx).await.unwrap()
        }
    });
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    let all = std::future::poll_fn(|cx| {
        calls.retain_mut(|call| call.as_mut().poll(cx).is_pending());
        if calls.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    });
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    assert_eq!(look(&place).await.routes[&service()].endpoints.keys().cloned().collect::<Vec<_>>(), names);
}

#[tokio::test]
async fn two_revisions_with_different_probes_do_not_fail_each_other() {
    let place = Place::new();
    place.run(&put(&spec(free_port()))).await.unwrap();
    place.run(&of_route(Call::PutRoute { route: route_spec(&[]) })).await.unwrap();
    let asked = [("hello-0-g1", "/health"), ("hello-1-g1", "/health"), ("hello-0-g2", "/healthz")];
    for (text, path) in asked {
        let probe = Probe { check: wharf_model::Check::Http { path: path.into() }, ..Probe::fallback() };
        let (instance, gateways, endpoint) = (name(text), vec![gateway()], ([127, 0, 0, 1], 1).into());
        let call = Call::RouteInstance { instance: instance.clone(), endpoint, gateways, probe };
        place.run(&of_instance(&instance, call)).await.unwrap();
    }
    let config = fs::read_to_string(place.state().join("gateways/public/config.json")).unwrap();
    let config: wharf_gateway::Config = serde_json::from_str(&config).unwrap();
    let path_of = |endpoint: &wharf_gateway::Endpoint| match &endpoint.probe.as_ref().unwrap().check {
        wharf_gateway::Check::Http { path } => path.clone(),
        _ => "an open port".to_owned(),
    };
    let told: Vec<_> =
        config.routes[0].endpoints.iter().map(|endpoint| (endpoint.name.clone(), path_of(endpoint))).collect();
    assert_eq!(told, asked.map(|(name, path)| (name.to_owned(), path.to_owned())));
}
