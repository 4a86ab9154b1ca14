//! Networks of a project: what is in one is reached from within it alone, and by the doors that lead there.

use crate::{
    gateways::{answers, free_port, put, put_route, put_spec, seen, serve},
    healing,
    place::{Place, launch, launch_pinned, script, server, stop},
    support::{self, engine},
};
use bollard::{
    Docker,
    container::LogOutput,
    exec::{CreateExecOptions, StartExecResults},
    models::{NetworkConnectRequest, NetworkDisconnectRequest},
};
use futures_util::{StreamExt as _, future::join_all};
use std::{collections::BTreeSet, net::SocketAddr};
use wharf_model::{
    Address, Call, EndpointState, Field, GatewaySpec, Generation, InstanceId, Launch, NetworkPlace, NetworkSpec,
    NlbSpec, ObjectId, ObjectSpec, ObservedInstance, Operation, Pins, Template,
};
use wharf_provider::ProviderError;

fn network(name: &str, generation: u32) -> ObjectId {
    ObjectId { address: Address::Network(name.parse().unwrap()), generation: Generation(generation) }
}

fn spec(cidr: Option<&str>, sealed: bool) -> NetworkSpec {
    let place = NetworkPlace::Own(cidr.map(|cidr| cidr.parse().unwrap()));
    NetworkSpec { place, rules: Vec::new(), sealed }
}

async fn make(place: &Place, object: &ObjectId, spec: NetworkSpec) -> Result<(), ProviderError> {
    let call = Call::PutObject { object: object.clone(), spec: ObjectSpec::Network(spec) };
    place.run(&Operation { address: object.address.clone(), call }).await.map(drop)
}

async fn remove(place: &Place, object: &ObjectId) -> Result<(), ProviderError> {
    let call = Call::DeleteObject { object: object.clone() };
    place.run(&Operation { address: object.address.clone(), call }).await.map(drop)
}

/// An instance of this service in a network.
fn within(service: &str, network: &ObjectId, template: Template) -> Launch {
    let Address::Network(name) = &network.address else { panic!("{network} is no network") };
    let objects = [(network.address.clone(), network.generation)].into();
    let pins = Pins { objects, ..Pins::default() };
    let mut launch = launch_pinned(Template { network: Some(name.clone()), ..template }, pins);
    launch.instance.service = service.parse().unwrap();
    launch
}

fn network_of(seen: &ObservedInstance) -> Option<String> {
    let entry = seen.told.entries.iter().find(|entry| entry.path.field == Field::Network);
    entry.map(|entry| entry.value.to_string())
}

/// The names of the networks that a container is in.
async fn networks(container: &str) -> BTreeSet<String> {
    let found = engine().inspect_container(container, None).await.unwrap();
    found.network_settings.unwrap().networks.unwrap().into_keys().collect()
}

#[tokio::test]
async fn a_gateway_comes_into_the_networks_of_what_it_leads_to() {
    let place = Place::new();
    let (port, inner, outer) = (free_port(), network("inner", 1), network("outer", 1));
    make(&place, &inner, spec(None, true)).await.unwrap();
    make(&place, &outer, spec(None, false)).await.unwrap();
    put(&place, port).await.unwrap();
    put_route(&place).await;
    let container = format!("{}gateway.public", place.prefix());
    let own = place.prefix().trim_end_matches('.').to_owned();
    let (in_inner, in_outer) = (format!("{own}.network.inner.g1"), format!("{own}.network.outer.g1"));
    assert_eq!(networks(&container).await, [own.clone()].into());

    // Before the instance gets anything: somebody must ask it whether it is ready.
    let launch = within("hello", &inner, server());
    let endpoint = place.start(&launch).await;
    assert_eq!(networks(&container).await, [own.clone(), in_inner.clone()].into());
    assert_eq!(networks(&format!("{}{}", place.prefix(), launch.instance)).await, [in_inner.clone()].into());
    serve(&place, &launch.instance, endpoint).await.unwrap();
    answers(port).await;
    let found = place.see(&launch.instance).await;
    assert_eq!(network_of(&found).as_deref(), Some("inner"));
    assert!(found.is_ready(), "{found:?}");

    // It is in a network of its own as well, and moves with both.
    let listening = GatewaySpec::listening([127, 0, 0, 1].into(), port);
    put_spec(&place, GatewaySpec { network: Some("outer".parse().unwrap()), ..listening.clone() }).await.unwrap();
    assert_eq!(networks(&container).await, [own.clone(), in_inner.clone(), in_outer.clone()].into());
    assert_eq!(seen(&place).await.told.entries.len(), 1);
    let other = GatewaySpec { port: free_port(), network: Some("outer".parse().unwrap()), ..listening.clone() };
    put_spec(&place, other.clone()).await.unwrap();
    assert_eq!(networks(&container).await, [own.clone(), in_inner.clone(), in_outer].into());
    answers(other.port).await;
    put_spec(&place, GatewaySpec { network: None, ..other.clone() }).await.unwrap();
    assert_eq!(networks(&container).await, [own.clone(), in_inner.clone()].into());

    // Taken out of the network, it leads to nobody, until it is let do so again.
    let request = NetworkDisconnectRequest { container: container.clone(), force: Some(true) };
    engine().disconnect_network(&in_inner, request).await.unwrap();
    assert!(seen(&place).await.routes.values().all(|route| route.endpoints.is_empty()));
    serve(&place, &launch.instance, endpoint).await.unwrap();
    answers(other.port).await;

    // A network goes when only doors are left in it.
    let refused = remove(&place, &inner).await.unwrap_err();
    assert!(refused.to_string().contains("hello-0-g1 in it"), "{refused}");
    place.run(&stop(&launch.instance)).await.unwrap();
    remove(&place, &inner).await.unwrap();
    assert_eq!(networks(&container).await, [own].into());
    assert_eq!(place.look().await.objects.keys().collect::<Vec<_>>(), [&outer]);
}

#[tokio::test]
async fn what_is_done_to_networks_by_hand_is_seen() {
    let place = Place::new();
    let (inner, outer) = (network("inner", 1), network("outer", 1));
    make(&place, &inner, spec(None, false)).await.unwrap();
    make(&place, &outer, spec(None, false)).await.unwrap();
    let (one, two) = (within("one", &inner, server()), launch(server()));
    place.start(&one).await;
    place.start(&two).await;
    assert_eq!(network_of(&place.see(&two.instance).await), None);
    let name = |what: &str| format!("{}{what}", place.prefix());

    for launch in [&one, &two] {
        let container = name(&launch.instance.to_string());
        let request = NetworkConnectRequest { container, endpoint_config: None };
        engine().connect_network(&name("network.outer.g1"), request).await.unwrap();
    }
    assert_eq!(network_of(&place.see(&one.instance).await).as_deref(), Some("inner, outer"));
    assert_eq!(network_of(&place.see(&two.instance).await).as_deref(), Some("outer"));
    for network in ["network.inner.g1", "network.outer.g1"] {
        let request = NetworkDisconnectRequest { container: name(&one.instance.to_string()), force: Some(true) };
        engine().disconnect_network(&name(network), request).await.unwrap();
    }
    assert_eq!(network_of(&place.see(&one.instance).await).as_deref(), Some("disconnected"));
}

#[tokio::test]
async fn a_supervisor_is_where_the_instances_are_that_it_asks() {
    let place = Place::new();
    let inner = network("inner", 1);
    make(&place, &inner, spec(None, false)).await.unwrap();
    healing::supervise(&place).await;
    let mut template = server();
    template.probes.liveness = Some(healing::often(healing::http("/health"), 1_000));
    let launch = within("hello", &inner, template);
    place.start(&launch).await;
    let own = place.prefix().trim_end_matches('.').to_owned();
    let (supervisor, in_inner) = (format!("{own}.supervisor.g1"), format!("{own}.network.inner.g1"));
    assert_eq!(networks(&supervisor).await, [own.clone(), in_inner.clone()].into());
    let is_as_made = async || {
        let objects = place.look().await.objects;
        objects.iter().find(|(id, _)| matches!(id.address, Address::Supervisor(_))).unwrap().1.fingerprint.is_some()
    };
    assert!(is_as_made().await);
    let id = engine().inspect_container(&supervisor, None).await.unwrap().id;

    // Out of the network it reaches nobody there. It is put back, and nothing is made anew.
    let request = NetworkDisconnectRequest { container: supervisor.clone(), force: Some(true) };
    engine().disconnect_network(&in_inner, request).await.unwrap();
    assert!(!is_as_made().await);
    healing::supervise(&place).await;
    assert!(is_as_made().await);
    assert_eq!(networks(&supervisor).await, [own, in_inner].into());
    assert_eq!(engine().inspect_container(&supervisor, None).await.unwrap().id, id);
}

#[tokio::test]
async fn a_range_that_somebody_has_is_told() {
    let place = Place::new();
    make(&place, &network("inner", 1), spec(Some("10.203.0.0/24"), false)).await.unwrap();
    let refused = make(&place, &network("outer", 1), spec(Some("10.203.0.128/25"), false)).await.unwrap_err();
    let ProviderError::Conflict { attempt, help } = &refused else { panic!("{refused:?}") };
    assert!(attempt.contains(&format!("{}network.inner.g1", place.prefix())), "{attempt}");
    assert!(help.contains("another `cidr`"), "{help}");
    let refused = make(&place, &network("outer", 1), spec(Some("fd00::/64"), false)).await.unwrap_err();
    assert!(refused.to_string().contains("IPv4"), "{refused}");
    let full = make(&place, &network("outer", 1), spec(Some("10.203.1.0/30"), false)).await;
    full.unwrap();
    place.start(&within("one", &network("outer", 1), server())).await;
    let second = within("two", &network("outer", 1), server());
    let refused = place.run(&crate::place::start(&second)).await.unwrap_err();
    assert!(
        refused.to_string().contains("no address of network network.outer@g1 (10.203.1.0/30) is free"),
        "{refused}"
    );
}

/// The engine keeps such an address for nobody: what helps is told, and nothing is left.
#[tokio::test]
async fn a_network_with_addresses_of_the_engines_choice_takes_no_instance() {
    let place = Place::new();
    let name = format!("wharf-auto-{}", std::process::id());
    let request = bollard::models::NetworkCreateRequest { name: name.clone(), ..Default::default() };
    engine().create_network(request).await.unwrap();
    let corp = network("corp", 1);
    let adopted = NetworkPlace::Adopted(name.as_str().into());
    make(&place, &corp, NetworkSpec { place: adopted, ..spec(None, false) }).await.unwrap();
    let refused = place.run(&crate::place::start(&within("hello", &corp, server()))).await.unwrap_err();
    assert!(refused.help().is_some_and(|help| help.contains("docker network create --subnet")), "{refused:?}");
    assert!(place.look().await.instances.is_empty());
    remove(&place, &corp).await.unwrap();
    assert!(place.look().await.objects.is_empty());
    engine().remove_network(&name).await.unwrap();
}

#[tokio::test]
async fn a_balancer_comes_late_and_leads_on() {
    let place = Place::new();
    let (port, inner) = (free_port(), network("inner", 1));
    make(&place, &inner, spec(None, false)).await.unwrap();
    let launch = within("hello", &inner, server());
    let endpoint = place.start(&launch).await;
    // No gateway leads to it: what it was let in with must be found again.
    let (instance, address) =
        (launch.instance.clone(), Address::Instance("hello".parse().unwrap(), launch.instance.slot));
    let probe = launch.revision.template.probe();
    let call = Call::RouteInstance { instance: instance.clone(), endpoint, gateways: Vec::new(), probe };
    place.run(&Operation { address: address.clone(), call }).await.unwrap();

    let balancer = ObjectId { address: Address::Nlb("edge".parse().unwrap()), generation: Generation(1) };
    let listeners = [(port, "hello".parse().unwrap())].into();
    let spec = ObjectSpec::Nlb(NlbSpec { listeners, existing: None, public: false, network: None });
    let call = Call::PutObject { object: balancer.clone(), spec: spec.clone() };
    place.run(&Operation { address: balancer.address.clone(), call }).await.unwrap();
    let served = async || {
        let seen = place.look().await;
        assert_eq!(seen.objects[&balancer].fingerprint, Some(spec.fingerprint()));
        seen.balanced.get(&instance).cloned()
    };
    let begin = std::time::Instant::now();
    while !matches!(served().await, Some(EndpointState::Serving { ready: true, .. })) {
        assert!(begin.elapsed() < support::PATIENCE, "{:?}", served().await);
        support::pause().await;
    }
    assert_eq!(health(port), Some("ok".to_owned()));

    let shutdown = wharf_model::Shutdown::default();
    let call = Call::DrainInstance { instance: instance.clone(), gateways: Vec::new(), shutdown };
    place.run(&Operation { address, call }).await.unwrap();
    assert!(matches!(served().await, Some(EndpointState::Draining { .. })), "{:?}", served().await);
    place.run(&stop(&instance)).await.unwrap();
    assert_eq!(served().await, None);

    // Down, it is not as it was made.
    let container = format!("{}nlb.edge.g1", place.prefix());
    engine().stop_container(&container, None).await.unwrap();
    assert_eq!(place.look().await.objects[&balancer].fingerprint, None);
    remove(&place, &balancer).await.unwrap();
    assert_eq!(place.look().await.objects.keys().collect::<Vec<_>>(), [&inner]);
}

/// What `/health` answers through a balancer.
fn health(port: u16) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET /health HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.lines().last().map(str::to_owned)
}

/// What a program in an instance says.
pub(crate) async fn run(engine: &Docker, place: &Place, instance: &InstanceId, words: &[&str]) -> String {
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(words.iter().map(ToString::to_string).collect()),
        ..CreateExecOptions::default()
    };
    let made = engine.create_exec(&format!("{}{instance}", place.prefix()), options).await.unwrap();
    let StartExecResults::Attached { mut output, .. } = engine.start_exec(&made.id, None).await.unwrap() else {
        panic!("it is not attached")
    };
    let mut said = String::new();
    while let Some(piece) = output.next().await {
        said += &String::from_utf8_lossy(&piece.map(LogOutput::into_bytes).unwrap());
    }
    said
}

/// Tells which of the addresses it reaches.
const REACHES: &str = "
import socket, sys
for place in sys.argv[1:]:
    host, port = place.rsplit(':', 1)
    try:
        socket.create_connection((host, int(port)), 1).close()
        print(place)
    except OSError:
        pass
";

/// An engine with its firewall at work: from each network, only its own instances answer.
#[tokio::test]
async fn networks_do_not_reach_each_other() {
    let place = Place::on(support::host_apart());
    let engine = Docker::connect_with_host(&place.host).unwrap();
    let (left, right, shut) = (network("left", 1), network("right", 1), network("shut", 1));
    make(&place, &left, spec(Some("10.204.0.0/24"), false)).await.unwrap();
    make(&place, &right, spec(Some("10.204.1.0/24"), false)).await.unwrap();
    make(&place, &shut, spec(Some("10.204.2.0/24"), true)).await.unwrap();
    let listens = || {
        let program = script("exec python3 -m http.server $PORT");
        Template { image: Some(support::image::PYTHON.into()), ..program }
    };
    let mut all: Vec<(InstanceId, Option<Address>, SocketAddr)> = Vec::new();
    for (service, network) in [("a", &left), ("b", &left), ("c", &right), ("d", &shut), ("e", &shut)] {
        let launch = within(service, network, listens());
        let endpoint = place.start(&launch).await;
        all.push((launch.instance, Some(network.address.clone()), endpoint));
    }
    let own = launch(listens());
    let endpoint = place.start(&own).await;
    all.push((own.instance, None, endpoint));
    let name = |id: &InstanceId| format!("{}:8000", id.service);
    // Each listens by now, as it reaches itself.
    for (id, ..) in &all {
        let begin = std::time::Instant::now();
        while run(&engine, &place, id, &["python3", "-c", REACHES, "127.0.0.1:8000"]).await.is_empty() {
            assert!(begin.elapsed() < support::PATIENCE, "{id} does not listen");
        }
    }

    let asked = all.iter().map(async |(from, one, _)| {
        let (mut places, mut expected) = (Vec::new(), Vec::new());
        for (to, other, at) in all.iter().filter(|(to, ..)| to != from) {
            places.push(at.to_string());
            if one == other {
                // By its name, too; others have none here.
                places.push(name(to));
                expected.extend([at.to_string(), name(to)]);
            }
        }
        let words: Vec<&str> =
            ["python3", "-c", REACHES].into_iter().chain(places.iter().map(String::as_str)).collect();
        let said = run(&engine, &place, from, &words).await;
        assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{from} reaches these of {places:?}");
    });
    join_all(asked).await;
}
