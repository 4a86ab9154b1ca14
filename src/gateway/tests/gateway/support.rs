//! What the tests stand on: a gateway in a child process, instances, callers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use wharf_gateway::{Client, Config, Endpoint, EndpointState, EndpointStatus, Listener, Route, Settings, Status};

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const DIR: &str = "WHARF_GATEWAY_TEST_DIR";
const TAKE_OVER: &str = "WHARF_GATEWAY_TEST_TAKE_OVER";

/// Not a test by itself: the body of a gateway's process, which [`Gateway::start_in`] starts from this same program.
#[test]
fn gateway_process() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let settings = Settings { workers: Some(2), take_over: std::env::var_os(TAKE_OVER).is_some() };
    if let Err(error) = wharf_gateway::run(Path::new(&dir), settings) {
        eprintln!("refused: {error}");
        panic!("{error}");
    }
}

/// A running gateway; killed when dropped.
pub(crate) struct Gateway {
    pub(crate) dir: PathBuf,
    child: Child,
    _own: Option<TempDir>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let own = TempDir::new().unwrap();
        let mut gateway = Self::start_in(&own.path().join("gateway")).await;
        gateway._own = Some(own);
        gateway
    }

    /// Starts a gateway on a machine that trusts whom this file names, and nobody else.
    pub(crate) async fn trusting(certificates: &Path) -> Self {
        let own = TempDir::new().unwrap();
        let dir = own.path().join("gateway");
        let mut command = command(&dir);
        let mut gateway = Self::answering(&dir, command.env("SSL_CERT_FILE", certificates).spawn().unwrap()).await;
        gateway._own = Some(own);
        gateway
    }

    pub(crate) async fn start_in(dir: &Path) -> Self {
        Self::answering(dir, spawn(dir)).await
    }

    async fn answering(dir: &Path, child: Child) -> Self {
        let gateway = Self { dir: dir.to_owned(), child, _own: None };
        eventually("the gateway answers", async || Client::connect(dir).await.is_ok()).await;
        gateway
    }

    /// Starts a gateway that takes over from the one in `dir`.
    pub(crate) async fn take_over(dir: &Path) -> Self {
        let mut command = command(dir);
        let child = command.env(TAKE_OVER, "1").spawn().unwrap();
        let gateway = Self { dir: dir.to_owned(), child, _own: None };
        let pid = gateway.pid();
        eventually("it has taken over", async || match Client::connect(dir).await {
            Ok(mut client) => client.status().await.is_ok_and(|status| status.pid == pid),
            Err(_) => false,
        })
        .await;
        gateway
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.dir).await.unwrap()
    }

    pub(crate) async fn replace(&self, config: &Config) {
        assert_eq!(self.client().await.replace(config).await.unwrap(), config.generation);
    }

    pub(crate) async fn status(&self) -> Status {
        self.client().await.status().await.unwrap()
    }

    /// Where the first listener listens.
    pub(crate) async fn address(&self) -> SocketAddr {
        self.status().await.listeners[0].address
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid().try_into().unwrap()), signal).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        ended(&mut self.child).await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a gateway's process and does not wait for anything.
pub(crate) fn spawn(dir: &Path) -> Child {
    command(dir).spawn().unwrap()
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "support::gateway_process", "--nocapture"]).env(DIR, dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Waits for a process that should not take long.
pub(crate) async fn ended(child: &mut Child) -> ExitStatus {
    let mut status = None;
    eventually("the process ends", async || {
        status = child.try_wait().unwrap();
        status.is_some()
    })
    .await;
    status.unwrap()
}

/// Looks again and again until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A configuration with one listener, on a port that the kernel chooses.
pub(crate) fn config(generation: u64, routes: Vec<Route>) -> Config {
    let listeners = vec![Listener::plain("public", ([127, 0, 0, 1], 0).into())];
    Config { generation, listeners, routes, ..Config::empty() }
}

/// An open route `/<service>` to some endpoints.
pub(crate) fn route(service: &str, endpoints: Vec<Endpoint>) -> Route {
    let paths = vec![format!("/{service}")];
    Route { name: format!("public/{service}"), service: service.into(), paths, endpoints, ..Route::default() }
}

pub(crate) fn endpoint(name: &str, address: SocketAddr, state: EndpointState) -> Endpoint {
    Endpoint { state, ..Endpoint::serving(name, address) }
}

pub(crate) fn serving(name: &str, address: SocketAddr) -> Endpoint {
    endpoint(name, address, EndpointState::Serving)
}

/// An endpoint's line in a status.
pub(crate) fn endpoint_status<'a>(status: &'a Status, name: &str) -> &'a EndpointStatus {
    let mut all = status.routes.iter().flat_map(|route| &route.endpoints);
    all.find(|endpoint| endpoint.name == name).unwrap()
}

/// An address that nobody listens on.
pub(crate) fn nowhere() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(crate) type AnyBody = BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

pub(crate) fn whole(text: impl Into<Bytes>) -> AnyBody {
    Full::new(text.into()).map_err(|never| match never {}).boxed()
}

/// An HTTP server with a behaviour of its own; ends when dropped.
pub(crate) struct Instance {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Instance {
    pub(crate) async fn start<F, R>(behave: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
        R: Future<Output = Response<AnyBody>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        let task = tokio::spawn(async move {
            // They end with the instance.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (behave, counted) = (behave.clone(), counted.clone());
                let service = service_fn(move |request| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    let response = behave(request);
                    async move { Ok::<_, std::convert::Infallible>(response.await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                connections.spawn(connection);
            }
        });
        Self { address, requests, task }
    }

    /// Answers with its name.
    pub(crate) async fn named(name: &'static str) -> Self {
        Self::start(move |_| async move { Response::new(whole(name)) }).await
    }

    /// Answers with the request's first line, its headers (sorted) and its body.
    pub(crate) async fn echo() -> Self {
        Self::start(|request| async move {
            let (head, body) = request.into_parts();
            let mut lines: Vec<_> =
                head.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
            lines.sort();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            Response::new(whole(format!("{} {}\n{}\n{body}", head.method, head.uri, lines.concat())))
        })
        .await
    }

    /// Answers with the body that it was sent.
    pub(crate) async fn mirror() -> Self {
        Self::start(|request| async { Response::new(request.into_body().map_err(Into::into).boxed()) }).await
    }

    /// Accepts no connection any more, and closes those it has.
    pub(crate) async fn die(&self) {
        self.task.abort();
        eventually("it is gone", async || TcpStream::connect(self.address).await.is_err()).await;
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a caller got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A keep-alive connection to the gateway.
pub(crate) struct Caller {
    sender: SendRequest<AnyBody>,
}

impl Caller {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        Self { sender }
    }

    pub(crate) async fn send<B>(&mut self, request: Request<B>) -> hyper::Result<Response<Incoming>>
    where
        B: Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.sender.ready().await?;
        let mut request = request.map(|body| body.map_err(Into::into).boxed());
        request.headers_mut().entry(HOST).or_insert(HeaderValue::from_static("example.com"));
        tokio::time::timeout(PATIENCE, self.sender.send_request(request)).await.expect("an answer in time")
    }

    pub(crate) async fn call<B>(&mut self, request: Request<B>) -> hyper::Result<Answer>
    where
        B: Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = self.send(request).await?.into_parts();
        let text = String::from_utf8_lossy(&body.collect().await?.to_bytes()).into_owned();
        Ok(Answer { status: head.status, headers: head.headers, text })
    }

    pub(crate) async fn get(&mut self, path: &str) -> hyper::Result<Answer> {
        self.call(Request::get(path).header("host", "example.com").body(whole("")).unwrap()).await
    }
}

/// One request on a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    Caller::connect(address).await.get(path).await.unwrap()
}

/// One request with a body.
pub(crate) async fn post(address: SocketAddr, path: &str, body: impl Into<Bytes>) -> Answer {
    let request = Request::post(path).header("host", "example.com").body(whole(body)).unwrap();
    Caller::connect(address).await.call(request).await.unwrap()
}
