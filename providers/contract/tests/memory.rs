//! The runtime in memory keeps the promises of every runtime.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wharf_model::{
    Address, DataSpec, Direction, FolderPath, GatewayName, GatewaySpec, GroupPolicy, GroupSpec, Launch, NetworkPlace,
    NetworkRule, NetworkSpec, NlbSpec, ObjectSpec, Pins, Program, RegistrySpec, Revision, RevisionNumber, RouteSpec,
    Template,
};
use wharf_provider::{Execute, MemoryProvider, Platform, ServedMemory, conformance, serve};

struct Memory<H: Fn() -> Arc<dyn Execute>>(H);

impl<H: Fn() -> Arc<dyn Execute> + Send + Sync> Platform for Memory<H> {
    fn handle(&self) -> Arc<dyn Execute> {
        self.0()
    }

    fn gateway(&self) -> (GatewayName, GatewaySpec) {
        ("public".parse().unwrap(), GatewaySpec::listening([127, 0, 0, 1].into(), 8600))
    }

    fn route(&self) -> RouteSpec {
        RouteSpec {
            gateway: "public".parse().unwrap(),
            service: "hello".parse().unwrap(),
            paths: vec!["/api/predict/hello".into()],
            tokens: Vec::new(),
            token_digests: BTreeMap::new(),
            timeout: Duration::from_secs(5),
            max_body: None,
            timeouts: wharf_model::Timeouts::default(),
            traffic: wharf_model::Traffic::default(),
            grpc: false,
            group: None,
            records: None,
        }
    }

    fn launch(&self) -> Launch {
        let template = Template { port: Some(8000), ..Template::of(Program::Command(vec!["true".into()])) };
        let revision = Arc::new(Revision { number: RevisionNumber(1), template, pins: Pins::default() });
        Launch { instance: "hello-0-g1".parse().unwrap(), revision }
    }

    fn folder(&self) -> FolderPath {
        FolderPath("./app".into())
    }

    fn objects(&self) -> Vec<(Address, ObjectSpec, ObjectSpec)> {
        let group = |policy| ObjectSpec::Group(GroupSpec { policy });
        let data = |keep_on_delete| ObjectSpec::Data(DataSpec { keep_on_delete });
        let login = |user: &str| {
            ObjectSpec::Registry(RegistrySpec { username: user.into(), password: "pull".parse().unwrap() })
        };
        let network = |rules| {
            let place = NetworkPlace::Own("10.20.0.0/24".parse().ok());
            ObjectSpec::Network(NetworkSpec { place, rules, sealed: false })
        };
        let open = NetworkRule { direction: Direction::In, range: "10.0.0.0/8".parse().unwrap(), port: Some(443) };
        let nlb = |port| {
            let listeners = [(port, "hello".parse().unwrap())].into();
            ObjectSpec::Nlb(NlbSpec { listeners, existing: None, public: false, network: None })
        };
        let of = |address: &str, one, two| (address.parse().unwrap(), one, two);
        vec![
            of("group.talk", group(GroupPolicy::Weights), group(GroupPolicy::Instances)),
            of("network.inner", network(Vec::new()), network(vec![open])),
            of("nlb.edge", nlb(9000), nlb(9001)),
            of("registry.registry.example.com", login("ci"), login("robot")),
            of("mount.hello:/data", data(false), data(true)),
        ]
    }
}

#[tokio::test(start_paused = true)]
async fn the_runtime_in_memory_conforms() {
    let memory = Arc::new(MemoryProvider::default());
    conformance(&Memory(|| memory.clone())).await;
}

/// Behind a socket it keeps the same promises.
#[tokio::test]
async fn the_runtime_in_memory_conforms_when_it_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("platform");
    let served = serve(Arc::default(), tokio::net::UnixListener::bind(&socket).unwrap());
    let calls = Memory(|| Arc::new(ServedMemory::at(socket.clone())));
    tokio::select! {
        ended = served => ended.unwrap(),
        () = conformance(&calls) => {}
    }
}
