//! A Docker Engine for the tests of one program, with images that are made here: nothing is fetched from anywhere.

#![allow(dead_code, reason = "each suite uses a part of it")]

pub(crate) mod authority;
pub(crate) mod image;
pub(crate) mod registry;
pub(crate) mod sshd;

use bollard::Docker;
use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

/// Long enough for anything that should happen at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The engine, and its keeper: it ends with this process, however that ends.
struct Kept {
    root: PathBuf,
    _keeper: Child,
}

static ENGINE: OnceLock<Kept> = OnceLock::new();
static APART: OnceLock<Kept> = OnceLock::new();
static FRAIL: OnceLock<Kept> = OnceLock::new();

/// Where the engine answers that is to be used over TLS. There is one engine on this machine's own network, as two would
/// give out the same addresses.
static SECURE: OnceLock<u16> = OnceLock::new();

/// Where the engine answers. The first who asks starts it, and makes the images. `ENGINE=unix://…` names one that is there
/// already, of another kind maybe: tests that need an engine apart or a frail one start theirs all the same.
pub(crate) fn host() -> String {
    static NAMED: OnceLock<Option<String>> = OnceLock::new();
    let named = NAMED.get_or_init(|| env::var("ENGINE").ok().inspect(|host| make_images(host)));
    named.clone().unwrap_or_else(usual)
}

/// The same of one with a firewall of its own, which nothing on this machine reaches but through its socket.
pub(crate) fn host_apart() -> String {
    host_of(&APART, &["apart"])
}

/// The same of one that tests stop and restart.
pub(crate) fn host_frail() -> String {
    host_of(&FRAIL, &["apart"])
}

/// Sends a signal to the engine that tests stop and restart; it comes back when it ends.
pub(crate) fn signal_frail(signal: rustix::process::Signal) {
    let pid = fs::read_to_string(FRAIL.get().expect("it was asked for").root.join("pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

fn usual() -> String {
    host_of(&ENGINE, &["tls", &SECURE.get_or_init(free_port).to_string()])
}

/// Where the same engine answers over TLS, and the folder of its authority.
pub(crate) fn host_tls() -> (String, PathBuf) {
    usual();
    let port = SECURE.get().expect("it was chosen before");
    (format!("tcp://127.0.0.1:{port}"), ENGINE.get().expect("it was asked for").root.join("tls"))
}

/// A port of this machine's own that nothing listens at, that no connection is given for its own end, and that nobody else
/// here is given.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let next = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + (std::process::id() * 101 + next) % 20_000;
        let port = u16::try_from(port).expect("it is below 30,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

fn host_of(engine: &OnceLock<Kept>, how: &[&str]) -> String {
    let kept = engine.get_or_init(|| {
        let kept = start(how);
        make_images(&format!("unix://{}", kept.root.join("docker.sock").display()));
        kept
    });
    format!("unix://{}", kept.root.join("docker.sock").display())
}

fn make_images(host: &str) {
    let docker = Docker::connect_with_host(host).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(image::make_all(&docker));
    })
    .join()
    .unwrap();
}

/// A connection to the engine that knows nothing of wharf.
pub(crate) fn engine() -> Docker {
    Docker::connect_with_host(&host()).unwrap()
}

fn start(how: &[&str]) -> Kept {
    // A socket's path may not be long.
    let root = tempfile::Builder::new().prefix("wharf-dk-").tempdir().unwrap().keep();
    if how.first() == Some(&"tls") {
        authority::make(&root.join("tls"));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../providers/docker/tests/support/engine.sh");
    let mut keeper = Command::new("sh");
    keeper.arg(script).arg(&root).args(how).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let keeper = keeper.spawn().expect("there is a shell");
    let begin = Instant::now();
    let socket = root.join("docker.sock");
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        let log = || fs::read_to_string(root.join("log")).unwrap_or_default();
        assert!(begin.elapsed() < PATIENCE, "dockerd does not start; it says:\n{}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    Kept { root, _keeper: keeper }
}

/// The program that gateways are made from: built beside the tests.
pub(crate) fn program() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples/gateway")
}

pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
