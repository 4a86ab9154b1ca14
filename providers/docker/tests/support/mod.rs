//! A Docker Engine for the tests of one program, with images that are made here: nothing is fetched from anywhere.

#![allow(dead_code, reason = "each suite uses a part of it")]

pub(crate) mod image;
pub(crate) mod registry;

use bollard::Docker;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
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

/// Where the engine answers. The first who asks starts it, and makes the images.
pub(crate) fn host() -> String {
    host_of(&ENGINE, &[])
}

/// The same of one with a firewall of its own, which nothing on this machine reaches but through its socket.
pub(crate) fn host_apart() -> String {
    host_of(&APART, &["apart"])
}

fn host_of(engine: &OnceLock<Kept>, how: &[&str]) -> String {
    let kept = engine.get_or_init(|| {
        let kept = start(how);
        let host = format!("unix://{}", kept.root.join("docker.sock").display());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(image::make_all(&Docker::connect_with_host(&host).unwrap()));
        })
        .join()
        .unwrap();
        kept
    });
    format!("unix://{}", kept.root.join("docker.sock").display())
}

/// A connection to the engine that knows nothing of wharf.
pub(crate) fn engine() -> Docker {
    Docker::connect_with_host(&host()).unwrap()
}

fn start(how: &[&str]) -> Kept {
    // A socket's path may not be long.
    let root = tempfile::Builder::new().prefix("wharf-dk-").tempdir().unwrap().keep();
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
