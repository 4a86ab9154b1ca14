//! Gateways: one container each, what becomes of them when they are down or move, and who may use their ports.

use crate::{
    place::{Place, launch, script, server, start},
    support::{engine, pause},
};
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::TryStreamExt as _;
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use wharf_model::{
    Address, Call, EndpointState, GatewayName, GatewaySpec, Generation, GroupPolicy, GroupSpec, InstanceId, Launch,
    Membership, ObjectId, ObjectSpec, ObservedGateway, Operation, Probe, RouteSpec,
};
use wharf_provider::ProviderError;

/// A port that is free, with the one behind it. It is below those that the kernel gives to connections, so nobody takes it
/// before it is listened on.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    loop {
        let next = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(2, Ordering::Relaxed));
        let port = 20_000 + u16::try_from(next % 10_000).unwrap();
        if is_free(port) && is_free(port + 1) {
            return port;
        }
    }
}

pub(crate) fn name() -> GatewayName {
    "public".parse().unwrap()
}

pub(crate) async fn put(place: &Place, port: u16) -> Result<(), ProviderError> {
    put_spec(place, GatewaySpec::listening([127, 0, 0, 1].into(), port)).await
}

pub(crate) async fn put_spec(place: &Place, spec: GatewaySpec) -> Result<(), ProviderError> {
    let call = Call::PutGateway { gateway: name(), spec };
    place.run(&Operation { address: Address::Gateway(name()), call }).await.map(drop)
}

pub(crate) async fn put_route(place: &Place) {
    set_route(place, route()).await;
}

fn route() -> RouteSpec {
    RouteSpec {
        gateway: name(),
        service: "hello".parse().unwrap(),
        paths: vec!["/api/predict/hello".into()],
        tokens: Vec::new(),
        token_digests: BTreeMap::new(),
        timeout: Duration::from_secs(5),
        max_body: None,
        timeouts: wharf_model::Timeouts::default(),
        grpc: false,
        group: None,
        records: None,
        traffic: wharf_model::Traffic::default(),
    }
}

async fn set_route(place: &Place, route: RouteSpec) {
    let address = Address::Route(name(), route.service.clone());
    place.run(&Operation { address, call: Call::PutRoute { route } }).await.unwrap();
}

pub(crate) async fn serve(place: &Place, instance: &InstanceId, endpoint: SocketAddr) -> Result<(), ProviderError> {
    let (instance, gateways) = (instance.clone(), vec![name()]);
    let address = Address::Instance(instance.service.clone(), instance.slot);
    let call = Call::RouteInstance { instance, endpoint, gateways, probe: Probe::fallback() };
    place.run(&Operation { address, call }).await.map(drop)
}

pub(crate) async fn seen(place: &Place) -> ObservedGateway {
    place.look().await.gateways.remove(&name()).unwrap()
}

/// The status line of an answer to a request for a path.
fn get(port: u16, path: &str) -> Option<String> {
    ask(port, path, "")
}

/// As [`get`], with headers, each ended by a line's end.
fn ask(port: u16, path: &str, headers: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.lines().next().map(str::to_owned)
}

pub(crate) async fn answers(port: u16) {
    let begin = Instant::now();
    while get(port, "/api/predict/hello/health").as_deref() != Some("HTTP/1.1 200 OK") {
        assert!(begin.elapsed() < crate::support::PATIENCE, "{:?}", get(port, "/api/predict/hello/health"));
        pause().await;
    }
}

/// One request that must be answered.
pub(crate) fn answers_at_once(port: u16) {
    assert_eq!(get(port, "/api/predict/hello/health").as_deref(), Some("HTTP/1.1 200 OK"));
}

/// Waits until nothing is sent on any more.
pub(crate) async fn refuses(port: u16) {
    let begin = Instant::now();
    let unready = |line: Option<String>| line.is_some_and(|line| line.starts_with("HTTP/1.1 503"));
    while !unready(get(port, "/api/predict/hello/health")) {
        assert!(begin.elapsed() < crate::support::PATIENCE, "it is sent requests still");
        pause().await;
    }
}

#[tokio::test]
async fn a_gateway_takes_up_what_it_served() {
    let place = Place::new();
    let (port, other) = (free_port(), free_port());
    put(&place, port).await.unwrap();
    put_route(&place).await;
    let launch = launch(server());
    let endpoint = place.start(&launch).await;
    serve(&place, &launch.instance, endpoint).await.unwrap();
    answers(port).await;
    let container = format!("{}gateway.public", place.prefix());

    // Down: what it would take up is seen, what takes something out of service is written, what puts it in is refused.
    engine().stop_container(&container, None).await.unwrap();
    let down = seen(&place).await;
    assert!(!down.running && down.fingerprint.is_some(), "{down:?}");
    let (_, route) = down.routes.first_key_value().unwrap();
    assert!(route.fingerprint.is_some() && route.endpoints.contains_key(&launch.instance), "{route:?}");
    assert!(matches!(serve(&place, &launch.instance, endpoint).await, Err(ProviderError::Missing { .. })));
    let drain = Call::DrainInstance {
        instance: launch.instance.clone(),
        gateways: vec![name()],
        shutdown: wharf_model::Shutdown::default(),
    };
    place.run(&Operation { address: start(&launch).address, call: drain }).await.unwrap();
    let down = seen(&place).await;
    let (_, route) = down.routes.first_key_value().unwrap();
    assert!(matches!(route.endpoints[&launch.instance], EndpointState::Draining { .. }), "{route:?}");

    // Up again, and then elsewhere: its routes come along.
    put(&place, port).await.unwrap();
    serve(&place, &launch.instance, endpoint).await.unwrap();
    answers(port).await;
    put(&place, other).await.unwrap();
    answers(other).await;
    assert_eq!(get(port, "/"), None);
    assert_eq!(seen(&place).await.listen, Some(([127, 0, 0, 1], other).into()));
}

const HEALTH: &str = "/api/predict/hello/health";

#[tokio::test]
async fn limits_and_tokens_of_routes_hold_and_change_in_place() {
    let mut place = Place::new();
    let (team, port) = ("team-token".parse::<wharf_model::SecretName>().unwrap(), free_port());
    place.secrets.insert(team.clone(), "open sesame".to_owned().into());
    put(&place, port).await.unwrap();
    let token = wharf_model::TokenSpec { name: Some("team".parse().unwrap()), secret: team };
    set_route(&place, RouteSpec { tokens: vec![token], ..route() }).await;
    let launch = launch(server());
    let endpoint = place.start(&launch).await;
    serve(&place, &launch.instance, endpoint).await.unwrap();
    let called = |headers: &str| ask(port, HEALTH, headers).unwrap_or_default();
    let bearer = "Authorization: open sesame\r\n";
    let begin = Instant::now();
    while called(bearer) != "HTTP/1.1 200 OK" {
        assert!(begin.elapsed() < crate::support::PATIENCE, "{}", called(bearer));
        pause().await;
    }
    assert_eq!(called(""), "HTTP/1.1 401 Unauthorized");

    // A limit of the service: of a burst of calls, some are too many.
    let traffic = wharf_model::Traffic { rate_limit: Some(1), ..wharf_model::Traffic::default() };
    set_route(&place, RouteSpec { traffic, ..route() }).await;
    assert!((0..20).any(|_| called("") == "HTTP/1.1 429 Too Many Requests"));

    // The same limit for all that comes through the gateway; its container stays.
    let container = format!("{}gateway.public", place.prefix());
    let made = engine().inspect_container(&container, None).await.unwrap().id;
    set_route(&place, route()).await;
    assert!((0..20).all(|_| called("") == "HTTP/1.1 200 OK"));
    let spec = GatewaySpec { rate_limit: Some(1), ..GatewaySpec::listening([127, 0, 0, 1].into(), port) };
    put_spec(&place, spec).await.unwrap();
    assert!((0..20).any(|_| called("") == "HTTP/1.1 429 Too Many Requests"));
    assert_eq!(engine().inspect_container(&container, None).await.unwrap().id, made);
}

#[tokio::test]
async fn an_instance_that_says_nothing_is_given_up_after_its_time() {
    let place = Place::new();
    let port = free_port();
    put(&place, port).await.unwrap();
    let timeouts =
        wharf_model::Timeouts { first_byte: Some(Duration::from_millis(300)), ..wharf_model::Timeouts::default() };
    set_route(&place, RouteSpec { timeouts, ..route() }).await;
    let launch = launch(script("exec nc -lk -p $PORT -e sleep 60"));
    let endpoint = place.start(&launch).await;
    let (instance, probe) = (launch.instance.clone(), Probe { check: wharf_model::Check::Tcp, ..Probe::fallback() });
    let call = Call::RouteInstance { instance, endpoint, gateways: vec![name()], probe };
    place.run(&Operation { address: start(&launch).address, call }).await.unwrap();
    let begin = Instant::now();
    loop {
        let answer = get(port, HEALTH);
        if answer.as_deref() == Some("HTTP/1.1 408 Request Timeout") {
            return;
        }
        assert!(begin.elapsed() < crate::support::PATIENCE, "{answer:?}");
        pause().await;
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_and_nothing_is_left() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = put(&place, taken.local_addr().unwrap().port()).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Conflict { help, .. } if help.contains("another port")), "{error:?}");
    assert!(place.look().await.gateways.is_empty());
}

#[tokio::test]
async fn a_gateway_comes_back_with_its_engine_and_ends_with_its_project() {
    let place = Place::new();
    let port = free_port();
    put(&place, port).await.unwrap();
    let container = format!("{}gateway.public", place.prefix());
    let found = engine().inspect_container(&container, None).await.unwrap();
    let policy = found.host_config.unwrap().restart_policy.unwrap().name.unwrap();
    assert_eq!(format!("{policy:?}"), "UNLESS_STOPPED");
    let provider = Arc::new(place.provider());
    assert!(!provider.clean_up().await.unwrap(), "something is left");
    let call = Call::DeleteGateway { gateway: name() };
    place.run(&Operation { address: Address::Gateway(name()), call }).await.unwrap();
    assert!(provider.clean_up().await.unwrap());
    let networks = engine().list_networks(None).await.unwrap();
    let ours =
        |network: &bollard::models::Network| network.name.as_deref() == Some(place.prefix().trim_end_matches('.'));
    assert!(!networks.iter().any(ours), "{networks:?}");
}

#[tokio::test]
async fn a_group_divides_its_requests_by_weights_that_change_in_place() {
    let place = Place::new();
    let port = free_port();
    put(&place, port).await.unwrap();
    let address = Address::Group("talk".parse().unwrap());
    let group = ObjectId { address: address.clone(), generation: Generation(1) };
    let spec = ObjectSpec::Group(GroupSpec { policy: GroupPolicy::Weights });
    let fingerprint = spec.fingerprint();
    let call = Call::PutObject { object: group.clone(), spec };
    place.run(&Operation { address: address.clone(), call }).await.unwrap();
    let weigh = async |service: &str, weight| {
        let group = Some(Membership { group: "talk".parse().unwrap(), weight: Some(weight) });
        let paths = vec![format!("/api/predict/{service}").into()];
        set_route(&place, RouteSpec { service: service.parse().unwrap(), paths, group, ..route() }).await;
    };
    weigh("hello", 1).await;
    weigh("next", 0).await;
    for service in ["hello", "next"] {
        let Launch { instance, revision } = launch(script(&format!(
            "mkdir -p /www; echo ok >/www/health; echo {service} >/www/{service}; exec httpd -f -p $PORT -h /www"
        )));
        let launch = Launch { instance: InstanceId { service: service.parse().unwrap(), ..instance }, revision };
        let endpoint = place.start(&launch).await;
        serve(&place, &launch.instance, endpoint).await.unwrap();
        let begin = Instant::now();
        while get(port, &format!("/api/predict/{service}/health")).as_deref() != Some("HTTP/1.1 200 OK") {
            assert!(begin.elapsed() < crate::support::PATIENCE, "{service} does not answer");
            pause().await;
        }
    }
    // Each has one file that the other has not.
    let count = |name: &str| {
        let path = format!("/api/predict/talk/{name}");
        (0..100).filter(|_| get(port, &path).as_deref() == Some("HTTP/1.1 200 OK")).count()
    };
    assert_eq!((count("hello"), count("next")), (100, 0));
    weigh("hello", 50).await;
    weigh("next", 50).await;
    let both = (count("hello"), count("next"));
    assert!((20..=80).contains(&both.0) && (20..=80).contains(&both.1), "{both:?}");
    weigh("hello", 0).await;
    assert_eq!((count("hello"), count("next")), (0, 100));

    let seen = place.look().await.objects;
    assert_eq!(seen.get(&group).map(|seen| seen.fingerprint), Some(Some(fingerprint)));
    place.run(&Operation { address, call: Call::DeleteObject { object: group } }).await.unwrap();
    assert!(place.look().await.objects.is_empty());
}

/// Beside the gateway's container, as the engine's machine is reached from there.
#[tokio::test]
async fn a_collector_outside_the_container_is_told_of_requests() {
    let mut place = Place::new();
    place.secrets.insert("key".parse().unwrap(), "only-for-collectors".to_owned().into());
    let port = free_port();
    put(&place, port).await.unwrap();
    let container = format!("{}gateway.public", place.prefix());
    let found = engine().inspect_container(&container, None).await.unwrap();
    let networks = found.network_settings.unwrap().networks.unwrap();
    let outside = networks.values().find_map(|network| network.gateway.clone().filter(|at| !at.is_empty())).unwrap();
    let collector = TcpListener::bind("0.0.0.0:0").unwrap();
    let otlp = format!("http://{outside}:{}", collector.local_addr().unwrap().port());
    let headers = [("X-Key".into(), wharf_model::EnvValue::Secret("key".parse().unwrap()))].into();
    let traces =
        wharf_model::Traces { otlp: otlp.into(), sample: wharf_model::Sample::ALL, headers, digests: BTreeMap::new() };
    let listening = GatewaySpec::listening([127, 0, 0, 1].into(), port);
    put_spec(&place, GatewaySpec { traces: Some(traces), ..listening }).await.unwrap();
    assert_eq!(get(port, "/nothing").as_deref(), Some("HTTP/1.1 404 Not Found"));
    let sent = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = collector.accept().unwrap();
        stream.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
        let (mut text, mut piece) = (String::new(), [0; 4096]);
        while !text.contains("no-route") {
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
        text
    });
    let sent = tokio::time::timeout(crate::support::PATIENCE, sent).await.unwrap().unwrap();
    assert!(sent.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{sent}");
    assert!(sent.to_lowercase().contains("\r\nx-key: only-for-collectors\r\n"), "{sent}");
}

#[tokio::test]
async fn calls_are_kept_where_they_outlive_the_gateways_container() {
    let place = Place::new();
    let (port, other) = (free_port(), free_port());
    put(&place, port).await.unwrap();
    set_route(
        &place,
        RouteSpec { records: Some(Box::new(wharf_model::RecordFile::at("/calls/hello.jsonl"))), ..route() },
    )
    .await;
    let launch = launch(server());
    let endpoint = place.start(&launch).await;
    serve(&place, &launch.instance, endpoint).await.unwrap();
    answers(port).await;
    // A new container, and a second call.
    put(&place, other).await.unwrap();
    answers(other).await;
    let container = format!("{}gateway.public", place.prefix());
    let options = DownloadFromContainerOptionsBuilder::default().path("/state/records/calls/hello.jsonl").build();
    let begin = Instant::now();
    loop {
        let chunks = engine().download_from_container(&container, Some(options.clone()));
        let bytes: Vec<u8> = chunks
            .try_fold(Vec::new(), async |all, chunk| Ok([all, chunk.to_vec()].concat()))
            .await
            .unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        if text.matches("\"status\":200").count() >= 2 {
            break;
        }
        assert!(begin.elapsed() < crate::support::PATIENCE, "{text}");
        pause().await;
    }
}
