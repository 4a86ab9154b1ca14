//! The Docker runtime keeps the promises of every runtime, with real containers.

use crate::{
    copied::bucket,
    gateways,
    place::{Place, launch, server},
};
use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};
use wharf_bucket_server::{Habit, Server};
use wharf_model::{
    Address, BucketMount, DataSpec, FolderPath, GatewayName, GatewaySpec, Launch, NetworkPlace, NetworkSpec, NlbSpec,
    ObjectSpec, RegistrySpec, RouteSpec, SupervisorSpec,
};
use wharf_provider::{Execute, Platform, conformance};

struct OnEngine {
    place: Place,
    server: Server,
    port: u16,
}

impl OnEngine {
    fn balancer(&self, target: &str) -> ObjectSpec {
        let listeners = BTreeMap::from([(self.port + 1, target.parse().unwrap())]);
        ObjectSpec::Nlb(NlbSpec { listeners, existing: None, public: false, network: None })
    }
}

impl OnEngine {
    fn supervisor(&self) -> String {
        format!("supervisor.{}", self.place.settings().owner.environment)
    }

    /// Both lead to the engine.
    fn supervising(&self, socket: &str) -> ObjectSpec {
        let own = Path::new(self.place.host.strip_prefix("unix://").unwrap());
        let socket = own.with_file_name(socket);
        if !socket.exists() {
            std::os::unix::fs::symlink(own, &socket).unwrap();
        }
        ObjectSpec::Supervisor(SupervisorSpec { socket: socket.to_str().unwrap().into() })
    }
}

impl Platform for OnEngine {
    fn handle(&self) -> Arc<dyn Execute> {
        Arc::new(self.place.provider())
    }

    fn gateway(&self) -> (GatewayName, GatewaySpec) {
        ("public".parse().unwrap(), GatewaySpec::listening([127, 0, 0, 1].into(), self.port))
    }

    fn route(&self) -> RouteSpec {
        RouteSpec {
            gateway: "public".parse().unwrap(),
            service: "hello".parse().unwrap(),
            paths: vec!["/api/predict/hello".into()],
            tokens: Vec::new(),
            token_digests: Default::default(),
            timeout: Duration::from_secs(5),
            max_body: None,
            timeouts: wharf_model::Timeouts::default(),
            grpc: false,
            group: None,
            records: None,
            traffic: wharf_model::Traffic::default(),
        }
    }

    fn launch(&self) -> Launch {
        launch(server())
    }

    fn folder(&self) -> FolderPath {
        FolderPath("./app".into())
    }

    fn bucket(&self) -> Option<BucketMount> {
        Some(bucket(self.server.address()))
    }

    fn objects(&self) -> Vec<(Address, ObjectSpec, ObjectSpec)> {
        let data = |keep_on_delete| ObjectSpec::Data(DataSpec { keep_on_delete });
        let login = |user: &str| {
            ObjectSpec::Registry(RegistrySpec { username: user.into(), password: "pull".parse().unwrap() })
        };
        let network =
            |sealed| ObjectSpec::Network(NetworkSpec { place: NetworkPlace::Own(None), rules: Vec::new(), sealed });
        let of = |address: &str, one, two| (address.parse().unwrap(), one, two);
        vec![
            of("network.inner", network(false), network(true)),
            of("nlb.edge", self.balancer("hello"), self.balancer("other")),
            of("registry.registry.example.com", login("ci"), login("robot")),
            of("mount.hello:/data", data(false), data(true)),
            of(&self.supervisor(), self.supervising("docker.sock"), self.supervising("beside.sock")),
        ]
    }
}

#[tokio::test]
async fn the_docker_runtime_conforms() {
    let place = Place::new();
    fs::create_dir(place.project().join("app")).unwrap();
    fs::write(place.project().join("app/app.py"), "print('hello')\n").unwrap();
    let port = gateways::free_port();
    let server = Server::start(Habit::Honours);
    fs::create_dir(server.bucket("examplebucket").join("dir")).unwrap();
    fs::write(server.bucket("examplebucket").join("dir/model.bin"), "weights").unwrap();
    conformance(&OnEngine { place, server, port }).await;
}
