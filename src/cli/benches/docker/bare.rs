//! The bare calls of the engine's API, and what is asked of the engine to see how the others get on.

use crate::{engine::image, tools::Tool};
use bollard::{
    Docker,
    models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, NetworkCreateRequest, NetworkDisconnectRequest},
    query_parameters::{
        CreateContainerOptionsBuilder, InspectNetworkOptions, ListContainersOptionsBuilder,
        RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
    },
};
use futures_util::{StreamExt as _, stream};
use std::{
    collections::HashMap,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

/// As many calls at once as wharf makes on an engine.
pub(crate) const WIDTH: usize = 64;
/// What each container may take, in MiB.
pub(crate) const MEMORY: i64 = 32;
/// A program that does nothing until it is told to end.
pub(crate) const PROGRAM: [&str; 3] = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"];

const NETWORK: &str = "bare";
/// How often the removal of a network is tried.
pub(crate) const TRIES: usize = 20;
/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Clone)]
pub(crate) struct Bare {
    docker: Docker,
    runtime: Arc<Runtime>,
}

impl Bare {
    pub(crate) fn new(host: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let docker = runtime.block_on(async { Docker::connect_with_host(host).unwrap() });
        Self { docker, runtime: Arc::new(runtime) }
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Takes containers out of a network that the engine has removed and still counts there: of many at once, it forgets some.
    pub(crate) async fn forget_the_gone(&self, network: &str) {
        let found = self.docker.inspect_network(network, None::<InspectNetworkOptions>).await;
        for place in found.ok().and_then(|found| found.containers).into_iter().flatten().map(|(_, place)| place) {
            let request = NetworkDisconnectRequest { container: place.name.unwrap_or_default(), force: Some(true) };
            drop(self.docker.disconnect_network(network, request).await);
        }
    }

    /// How long it takes from the beginning of this until so many containers run and it is done.
    pub(crate) fn until_running(&self, count: usize, work: impl FnOnce()) -> Duration {
        let begin = Instant::now();
        work();
        self.wait(async {
            while self.running().await != count {
                assert!(begin.elapsed() < PATIENCE, "{count} containers are waited for in vain");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        begin.elapsed()
    }

    async fn running(&self) -> usize {
        let listed = ListContainersOptionsBuilder::default().build();
        self.docker.list_containers(Some(listed)).await.unwrap().len()
    }

    /// Waits until a service of Swarm has been changed.
    pub(crate) fn until_updated(&self, service: &str) {
        let begin = Instant::now();
        self.wait(async {
            loop {
                let found = self.docker.inspect_service(service, None).await.unwrap();
                let state = found.update_status.and_then(|status| status.state);
                if state.is_some_and(|state| state.as_ref() == "completed") {
                    return;
                }
                assert!(begin.elapsed() < PATIENCE, "the update of {service} is waited for in vain");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }

    /// Waits until what was removed is gone.
    pub(crate) fn assert_empty(&self) {
        let begin = Instant::now();
        let listed = ListContainersOptionsBuilder::default().all(true).build();
        let left = || self.wait(self.docker.list_containers(Some(listed.clone()))).unwrap().len();
        while left() > 0 {
            assert!(begin.elapsed() < PATIENCE, "containers are left");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn body(word: &str) -> ContainerCreateBody {
        let memory = Some(MEMORY << 20);
        let log = [("max-size", "16m"), ("max-file", "3")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        ContainerCreateBody {
            image: Some(image::BUSYBOX.to_owned()),
            entrypoint: Some(PROGRAM.map(str::to_owned).to_vec()),
            env: Some(vec![format!("WORD={word}")]),
            host_config: Some(HostConfig {
                memory,
                memory_swap: memory,
                network_mode: Some(NETWORK.to_owned()),
                log_config: Some(HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(log.into()) }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }

    async fn start(&self, name: String, word: &str) {
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        self.docker.create_container(Some(options), Self::body(word)).await.unwrap();
        self.docker.start_container(&name, None::<StartContainerOptions>).await.unwrap();
    }

    async fn end(&self, name: &str) {
        let stop = StopContainerOptionsBuilder::default().t(5).build();
        self.docker.stop_container(name, Some(stop)).await.unwrap();
        let remove = RemoveContainerOptionsBuilder::default().v(true).build();
        self.docker.remove_container(name, Some(remove)).await.unwrap();
    }
}

impl Tool for Bare {
    fn name(&self) -> &'static str {
        "bare-API"
    }

    fn create(&self, count: usize) {
        self.wait(async {
            let network = NetworkCreateRequest { name: NETWORK.to_owned(), ..NetworkCreateRequest::default() };
            if self.docker.inspect_network(NETWORK, None::<InspectNetworkOptions>).await.is_err() {
                self.docker.create_network(network).await.unwrap();
            }
            let starts = stream::iter(0..count).map(|number| self.start(format!("bare-{number}"), "one"));
            starts.buffer_unordered(WIDTH).collect::<()>().await;
        });
    }

    /// The listing that every look needs.
    fn idle(&self, _count: usize) -> Option<Duration> {
        let begin = Instant::now();
        self.wait(self.running());
        Some(begin.elapsed())
    }

    fn roll(&self, count: usize) -> Option<Duration> {
        let begin = Instant::now();
        self.wait(async {
            for number in 0..count {
                self.start(format!("next-{number}"), "two").await;
                self.end(&format!("bare-{number}")).await;
            }
        });
        Some(begin.elapsed())
    }

    fn remove(&self) {
        self.wait(async {
            let ours = HashMap::from([("network", vec![NETWORK])]);
            let listed = ListContainersOptionsBuilder::default().all(true).filters(&ours).build();
            let found = self.docker.list_containers(Some(listed)).await.unwrap();
            let ids = found.into_iter().filter_map(|container| container.id);
            let remove = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            let removals = stream::iter(ids).map(|id| {
                let remove = remove.clone();
                async move { self.docker.remove_container(&id, Some(remove)).await.unwrap() }
            });
            removals.buffer_unordered(WIDTH).collect::<()>().await;
            // One whose containers the engine has lost count of stays, and is used again.
            for _ in 0..TRIES {
                if self.docker.remove_network(NETWORK).await.is_ok() {
                    return;
                }
                self.forget_the_gone(NETWORK).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
}
