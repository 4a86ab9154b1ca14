//! The local runtime keeps the promises of every runtime, with real processes.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::{fs, net::TcpListener, sync::Arc, time::Duration};
use support::*;
use wharf_bucket_server::{Habit, Server};
use wharf_model::{BucketMount, FolderPath, GatewayName, GatewaySpec, Launch, RouteSpec};
use wharf_provider::{Execute, Platform, conformance};

struct Host {
    place: Place,
    server: Server,
    port: u16,
}

impl Platform for Host {
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
            traffic: wharf_model::Traffic::default(),
            grpc: false,
            group: None,
            records: None,
        }
    }

    fn launch(&self) -> Launch {
        launch(script("exec python3 -m http.server --bind 127.0.0.1 $PORT"))
    }

    fn folder(&self) -> FolderPath {
        FolderPath("./app".into())
    }

    fn bucket(&self) -> Option<BucketMount> {
        Some(copied::bucket(self.server.address()))
    }
}

#[tokio::test]
async fn the_local_runtime_conforms() {
    let place = Place::new();
    fs::create_dir(place.project().join("app")).unwrap();
    fs::write(place.project().join("app/app.py"), "print('hello')\n").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::start(Habit::Honours);
    fs::create_dir(server.bucket("examplebucket").join("dir")).unwrap();
    fs::write(server.bucket("examplebucket").join("dir/model.bin"), "weights").unwrap();
    conformance(&Host { place, server, port }).await;
}
