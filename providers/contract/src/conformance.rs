//! What every provider must do, whatever runtime it speaks to. Each provider's tests run this suite against the real
//! thing; the runtime in memory runs it too, so that what the engine is tested with keeps the same promises.
//!
//! The suite panics at the first promise that does not hold, with the promise in words.

mod objects;

use crate::{Execute, OpContext, ProviderError, Resolution, Scope, SecretValues};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::sleep;
use wharf_model::{
    Address, BucketMount, Call, ContentDigest, ContentRef, EndpointState, FolderPath, GatewayName, GatewaySpec,
    InstanceId, Intent, IntentId, Launch, Marked, ObjectSpec, Observed, ObservedInstance, Operation, Outcome, Phase,
    RouteSpec, Shutdown, SourceRef,
};

/// A platform on which nothing of ours exists yet, and what to make there.
pub trait Platform: Send + Sync {
    /// A fresh handle on it: each call answers another, as after a crash.
    fn handle(&self) -> Arc<dyn Execute>;
    /// A gateway that can be made there.
    fn gateway(&self) -> (GatewayName, GatewaySpec);
    /// A route of that gateway to the service that [`Platform::launch`] starts.
    fn route(&self) -> RouteSpec;
    /// An instance that can be started there and goes on until it is stopped.
    fn launch(&self) -> Launch;
    /// A folder that can be prepared there.
    fn folder(&self) -> FolderPath;
    /// A folder of a bucket that can be prepared there; none on a platform without them.
    fn bucket(&self) -> Option<BucketMount> {
        None
    }
    /// The other objects that can be made there, each with what it can become without being made anew.
    fn objects(&self) -> Vec<(Address, ObjectSpec, ObjectSpec)> {
        Vec::new()
    }
}

/// How long something that must come about may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the whole suite.
///
/// # Panics
/// When a promise does not hold.
pub async fn conformance(platform: &dyn Platform) {
    let suite = Suite { platform };
    suite.nothing_is_there("at first").await;
    suite.contents().await;
    suite.entry_made().await;
    suite.instance().await;
    suite.entry_removed().await;
    for (address, spec, other) in platform.objects() {
        suite.object(&address, &spec, &other).await;
    }
    suite.moves().await;
    suite.nothing_is_there("in the end").await;
}

pub(crate) struct Suite<'a> {
    pub(crate) platform: &'a dyn Platform,
}

impl Suite<'_> {
    pub(crate) async fn look(&self, sources: BTreeSet<SourceRef>) -> Observed {
        let scope = Scope { services: None, probe: true, sources };
        self.platform.handle().observe(&scope).await.expect("a look at a platform that is there succeeds")
    }

    async fn nothing_is_there(&self, when: &str) {
        // The machine and its GPUs are there before anything of ours.
        let seen = Observed { gpus: None, unlimited_disk: None, ..self.look(BTreeSet::new()).await };
        assert_eq!(seen, Observed::default(), "{when}, nothing of ours exists");
    }

    pub(crate) async fn run(&self, operation: &Operation) -> Result<Outcome, ProviderError> {
        let (progress, _) = tokio::sync::mpsc::unbounded_channel();
        let secrets = Arc::new(SecretValues::default());
        let cx = OpContext { operation: operation.id(), secrets, progress };
        self.platform.handle().execute(operation, &cx).await
    }

    /// Runs a call twice, each through a handle of its own: the second changes nothing and answers the same.
    pub(crate) async fn twice(&self, operation: &Operation) -> Outcome {
        let id = operation.id();
        let first = self.run(operation).await.unwrap_or_else(|error| panic!("`{id}` fails: {error:?}"));
        let again = self.run(operation).await.unwrap_or_else(|error| panic!("`{id}` fails the second time: {error:?}"));
        assert_eq!(first, again, "`{id}` answers the same when it is done again");
        first
    }

    pub(crate) async fn resolve(&self, operation: &Operation) -> Resolution {
        let intent = Intent::of(IntentId(1), operation);
        self.platform.handle().resolve(&intent).await.expect("a platform that is there can be asked")
    }

    pub(crate) async fn must_resolve(&self, operation: &Operation, expected: Resolution, when: &str) {
        assert_eq!(self.resolve(operation).await, expected, "`{}` {when}", operation.id());
    }

    async fn contents(&self) {
        let folder = self.platform.folder();
        let of_folder = |digest| {
            let content = ContentRef::Folder(digest);
            (content, Call::PrepareFolder { content, folder: folder.clone() })
        };
        self.content(SourceRef::Folder(folder.clone()), of_folder).await;
        if let Some(bucket) = self.platform.bucket() {
            let of_bucket = |digest| {
                let content = ContentRef::Bucket(digest);
                (content, Call::PrepareBucket { content, bucket: bucket.clone() })
            };
            self.content(SourceRef::Bucket(bucket.clone()), of_bucket).await;
        }
    }

    async fn content(&self, source: SourceRef, prepared: impl Fn(ContentDigest) -> (ContentRef, Call)) {
        let seen = self.look(BTreeSet::from([source.clone()])).await;
        let pin = seen.sources.get(&source).expect("a source that was asked for is answered");
        let (content, call) = prepared(pin.as_ref().expect("the source can be read").content);
        let address = Address::Content(content);
        let prepare = Operation { address: address.clone(), call };
        self.must_resolve(&prepare, Resolution::NotApplied, "before it was done").await;
        self.twice(&prepare).await;
        assert!(self.look(BTreeSet::new()).await.contents.contains(&content), "a prepared content is seen");
        self.must_resolve(&prepare, Resolution::Applied(Outcome::Done), "after it was done").await;
        let dropped = Operation { address, call: Call::DropContent { content } };
        self.twice(&dropped).await;
        assert!(self.look(BTreeSet::new()).await.contents.is_empty(), "a dropped content is not seen");
        self.must_resolve(&dropped, Resolution::Applied(Outcome::Done), "after it was done").await;
    }

    async fn entry_made(&self) {
        let (gateway, spec) = self.platform.gateway();
        let address = Address::Gateway(gateway.clone());
        let call = Call::PutGateway { gateway: gateway.clone(), spec: spec.clone() };
        self.twice(&Operation { address, call }).await;
        let route = self.platform.route();
        let address = Address::Route(gateway.clone(), route.service.clone());
        self.twice(&Operation { address, call: Call::PutRoute { route: route.clone() } }).await;
        let seen = self.look(BTreeSet::new()).await;
        let known = seen.gateways.get(&gateway).expect("a gateway that was made is seen");
        assert!(known.running, "a gateway that was made runs");
        assert_eq!(known.fingerprint, Some(spec.fingerprint()), "a gateway carries its spec's fingerprint");
        let known = known.routes.get(&route.service).expect("a route that was set is seen");
        assert_eq!(known.fingerprint, Some(route.fingerprint()), "a route carries its spec's fingerprint");
    }

    async fn instance(&self) {
        let launch = self.platform.launch();
        let (id, gateways) = (launch.instance.clone(), vec![self.platform.gateway().0]);
        let of = |call| Operation { address: Address::Instance(id.service.clone(), id.slot), call };
        let start = of(Call::StartInstance(launch.clone()));
        self.must_resolve(&start, Resolution::NotApplied, "before it was done").await;
        let started = self.twice(&start).await;
        let Outcome::Started { endpoint } = started else { panic!("a start answers where the instance listens") };
        self.must_resolve(&start, Resolution::Applied(started), "after it was done").await;
        let seen = self.until_ready(&id).await;
        assert_eq!(seen.revision, launch.revision.number, "an instance carries its revision");
        assert_eq!(seen.operation, Some(start.id()), "an instance carries the operation that made it");
        assert_eq!(seen.endpoint, endpoint, "an instance is seen where its start said");
        let marked = |seen: &ObservedInstance, marked| seen.supervised.marked.is_none_or(|known| known == marked);
        assert!(marked(&seen, Marked::New), "who starts an instance again is not told of a start");

        let probe = launch.revision.template.probe();
        let route = of(Call::RouteInstance { instance: id.clone(), endpoint, gateways: gateways.clone(), probe });
        self.twice(&route).await;
        assert!(matches!(self.endpoint(&id).await, Some(EndpointState::Serving { .. })), "a routed instance is served");
        let seen = self.look(BTreeSet::new()).await;
        assert!(marked(&seen.instances[&id], Marked::Routed), "who starts it again is told of its route");
        let shutdown = Shutdown { sigterm: false, ..Shutdown::default() };
        self.twice(&of(Call::DrainInstance { instance: id.clone(), gateways: gateways.clone(), shutdown })).await;
        assert!(matches!(self.endpoint(&id).await, Some(EndpointState::Draining { .. })), "a drained one is not");
        let seen = self.look(BTreeSet::new()).await;
        assert!(matches!(seen.instances[&id].phase, Phase::Running { .. }), "a draining instance still runs");
        assert!(marked(&seen.instances[&id], Marked::Drained), "who starts it again is told that it drains");

        let stop = of(Call::StopInstance { instance: id.clone(), gateways });
        self.must_resolve(&stop, Resolution::NotApplied, "before it was done").await;
        self.twice(&stop).await;
        self.must_resolve(&stop, Resolution::Applied(Outcome::Done), "after it was done").await;
        let seen = self.look(BTreeSet::new()).await;
        assert!(seen.instances.is_empty(), "a stopped instance is not seen");
        assert_eq!(self.endpoint(&id).await, None, "no gateway knows a stopped instance");
    }

    pub(crate) async fn until_ready(&self, id: &InstanceId) -> ObservedInstance {
        let ready = async {
            loop {
                let seen = self.look(BTreeSet::new()).await;
                let instance = seen.instances.get(id).expect("a started instance is seen").clone();
                assert!(matches!(instance.phase, Phase::Running { .. }), "a started instance runs: {instance:?}");
                if instance.is_ready() {
                    return instance;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("a sound instance becomes ready")
    }

    async fn endpoint(&self, id: &InstanceId) -> Option<EndpointState> {
        let seen = self.look(BTreeSet::new()).await;
        let (gateway, _) = self.platform.gateway();
        seen.gateways.get(&gateway)?.routes.get(&id.service)?.endpoints.get(id).cloned()
    }

    async fn entry_removed(&self) {
        let (gateway, _) = self.platform.gateway();
        let service = self.platform.route().service;
        let address = Address::Route(gateway.clone(), service.clone());
        let delete = Operation { address, call: Call::DeleteRoute { gateway: gateway.clone(), service } };
        self.twice(&delete).await;
        self.must_resolve(&delete, Resolution::Applied(Outcome::Done), "after it was done").await;
        let address = Address::Gateway(gateway.clone());
        let delete = Operation { address, call: Call::DeleteGateway { gateway } };
        self.twice(&delete).await;
        self.must_resolve(&delete, Resolution::Applied(Outcome::Done), "after it was done").await;
    }
}
