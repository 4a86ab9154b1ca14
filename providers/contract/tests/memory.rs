//! The runtime in memory keeps the promises of every runtime.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wharf_model::{
    FolderPath, GatewayName, GatewaySpec, Launch, Pins, Program, Revision, RevisionNumber, RouteSpec, Template,
};
use wharf_provider::{Execute, MemoryProvider, Platform, conformance};

struct Memory(Arc<MemoryProvider>);

impl Platform for Memory {
    fn handle(&self) -> Arc<dyn Execute> {
        self.0.clone()
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
}

#[tokio::test(start_paused = true)]
async fn the_runtime_in_memory_conforms() {
    conformance(&Memory(Arc::new(MemoryProvider::default()))).await;
}
