//! The life of the process: its folder, its signals, its restart.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::sync::Notify;
use wharf_gateway::{Client, ControlError, Listener, holder};

use crate::support::*;

#[tokio::test]
async fn a_restart_takes_up_the_last_configuration() {
    let dir = TempDir::new().unwrap();
    let echo = Instance::echo().await;
    let mut wanted = config(7, vec![route("hello", vec![serving("hello-0-g1", echo.address)])]);
    wanted.listeners = vec![Listener::plain("public", nowhere())];
    let mut gateway = Gateway::start_in(dir.path()).await;
    gateway.replace(&wanted).await;
    // Killed outright: its socket file stays behind.
    gateway.signal(Signal::SIGKILL);
    gateway.ended().await;
    assert!(matches!(Client::connect(dir.path()).await, Err(ControlError::NotRunning { .. })));

    let gateway = Gateway::start_in(dir.path()).await;
    assert_eq!(gateway.status().await.generation, 7);
    assert_eq!(get(wanted.listeners[0].address, "/hello").await.status, 200);
    assert_eq!(gateway.client().await.replace(&wanted).await.unwrap(), 7);
}

#[tokio::test]
async fn a_folder_has_one_gateway() {
    let gateway = Gateway::start().await;
    assert_eq!(holder(&gateway.dir).unwrap(), Some(gateway.pid()));
    let mut second = spawn(&gateway.dir);
    assert!(!ended(&mut second).await.success());
    let mut words = String::new();
    second.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    let expected = format!("a gateway runs in {} already, as process {}", gateway.dir.display(), gateway.pid());
    assert!(words.contains(&expected), "{words}");
    assert_eq!(gateway.status().await.pid, gateway.pid());
}

#[tokio::test]
async fn a_broken_stored_configuration_is_an_error() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("config.json"), "{").unwrap();
    let mut gateway = spawn(dir.path());
    assert!(!ended(&mut gateway).await.success());
    assert_eq!(holder(dir.path()).unwrap(), None);
}

#[tokio::test]
async fn a_deep_folder_is_no_problem() {
    let dir = TempDir::new().unwrap();
    let deep = dir.path().join("project".repeat(30)).join(".wharf");
    let gateway = Gateway::start_in(&deep).await;
    assert_eq!(gateway.status().await.generation, 0);
}

#[tokio::test]
async fn sigterm_lets_open_requests_end_and_sighup_is_nothing() {
    let mut gateway = Gateway::start().await;
    let release = Arc::new(Notify::new());
    let waits = release.clone();
    let slow = Instance::start(move |_| {
        let release = waits.clone();
        async move {
            release.notified().await;
            Response::new(whole("slow"))
        }
    })
    .await;
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", slow.address)])])).await;
    let address = gateway.address().await;
    let call = tokio::spawn(async move { get(address, "/hello").await });
    eventually("the request is there", async || slow.requests() == 1).await;

    gateway.signal(Signal::SIGHUP);
    assert_eq!(gateway.status().await.generation, 1);
    gateway.signal(Signal::SIGTERM);
    eventually("nothing is accepted", async || tokio::net::TcpStream::connect(address).await.is_err()).await;
    assert_eq!(gateway.status().await.in_flight("hello-0-g1"), 1);
    release.notify_one();
    assert_eq!(call.await.unwrap().text, "slow");
    assert!(gateway.ended().await.success());
    assert!(!gateway.dir.join("control.sock").exists());
}

#[tokio::test]
async fn shutting_down_cuts_after_the_grace_and_frees_the_folder() {
    let mut gateway = Gateway::start().await;
    let stuck = Instance::start(|_| std::future::pending()).await;
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", stuck.address)])])).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    let call = tokio::spawn(async move { caller.get("/hello").await });
    eventually("the request is there", async || stuck.requests() == 1).await;

    gateway.client().await.shut_down(Duration::from_millis(50)).await.unwrap();
    assert_eq!(holder(&gateway.dir).unwrap(), None);
    assert!(call.await.unwrap().is_err());
    assert!(gateway.ended().await.success());
}
