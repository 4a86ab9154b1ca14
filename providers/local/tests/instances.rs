//! Instances as real processes: they outlive the one who starts them, die as one, and tell how they ended.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on should stop")]

mod support;

use secrecy::SecretString;
use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use support::*;
use wharf_model::{EnvValue, Exit, Intent, IntentId, Outcome, Phase, Shutdown};
use wharf_provider::{Execute as _, Observe as _, ProviderError, Resolution, Scope};

#[tokio::test]
async fn it_starts_is_seen_and_stops() {
    let place = Place::new();
    let launch = launch(script("echo hello from $WHARF_INSTANCE of $WHARF_SERVICE $WHARF_REVISION; exec sleep 600"));
    let endpoint = place.start(&launch).await;
    assert!(endpoint.ip().is_loopback() && (20_000..30_000).contains(&endpoint.port()), "{endpoint}");
    assert_eq!(place.line("hello from ").await, "hello-0-g1 of hello r1");
    let seen = place.see(&launch.instance).await;
    assert!(matches!(seen.phase, Phase::Running { .. }), "{seen:?}");
    assert_eq!((seen.endpoint, seen.operation), (endpoint, Some(start(&launch).id())));
    assert_eq!(fs::metadata(place.state()).unwrap().permissions().mode() & 0o777, 0o700);
    place.stop(&launch.instance).await;
    assert!(place.look().await.instances.is_empty());
    place.stop(&launch.instance).await;
    assert!(place.provider().clean_up().await.unwrap());
    assert!(!place.state().exists());
}

#[tokio::test]
async fn looking_writes_nothing() {
    let place = Place::new();
    assert!(place.look().await.instances.is_empty());
    assert!(place.log().await.is_empty());
    assert!(!place.state().exists());
}

#[tokio::test]
async fn two_starts_are_one() {
    let place = Place::new();
    let launch = launch(script("echo once; exec sleep 600"));
    let endpoint = place.start(&launch).await;
    place.line("once").await;
    assert_eq!(place.start(&launch).await, endpoint);
    assert_eq!(place.log().await.len(), 1);
}

#[tokio::test]
async fn the_port_is_told_and_differs() {
    let place = Place::new();
    let first = launch(script("echo PORT=$PORT; exec sleep 600"));
    let mut second = first.clone();
    second.instance = name("hello-1-g1");
    let (one, two) = (place.start(&first).await, place.start(&second).await);
    assert_ne!(one, two);
    place.line(&format!("PORT={}", one.port())).await;
    place.line(&format!("PORT={}", two.port())).await;
}

#[tokio::test]
async fn two_copies_of_a_project_get_different_ports() {
    let (one, two) = (Place::new(), Place::new());
    let launch = launch(script("exec sleep 600"));
    let (first, second) = tokio::join!(one.start(&launch), two.start(&launch));
    assert_ne!(first, second);
    one.stop(&launch.instance).await;
    assert_ne!(one.start(&launch).await, second);
}

/// Not a test: starts an instance where the variable says, and waits to be killed.
#[tokio::test]
#[ignore = "is started by another test"]
async fn starter() {
    let root = std::env::var_os("WHARF_TEST_ROOT").unwrap();
    let provider = wharf_local::LocalProvider::new(settings(Path::new(&root)));
    let text = std::env::var("WHARF_TEST_PROGRAM").unwrap_or_else(|_| "echo pid; exec sleep 600".to_owned());
    let operation = start(&launch(script(&text)));
    let (progress, _) = tokio::sync::mpsc::unbounded_channel();
    let cx = wharf_provider::OpContext { operation: operation.id(), secrets: Default::default(), progress };
    provider.execute(&operation, &cx).await.unwrap();
    println!("started");
    std::future::pending().await
}

#[tokio::test]
async fn it_survives_its_starter() {
    let place = Place::new();
    let mut starter = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "starter", "--ignored", "--nocapture"])
        .env("WHARF_TEST_ROOT", place.root.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut told, mut output) = (String::new(), starter.stdout.take().unwrap());
    while !told.contains("started") {
        let mut byte = [0];
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{told}");
        told.push(char::from(byte[0]));
    }
    starter.kill().unwrap();
    assert_eq!(starter.wait().unwrap().signal(), Some(9));
    // Nothing of the instance holds the starter's output open.
    output.read_to_end(&mut Vec::new()).unwrap();
    let launch = launch(script("echo pid; exec sleep 600"));
    assert!(place.runs(&launch.instance).await);
    let intent = Intent::of(IntentId(1), &start(&launch));
    let endpoint = place.see(&launch.instance).await.endpoint;
    let resolved = place.provider().resolve(&intent).await.unwrap();
    assert_eq!(resolved, Resolution::Applied(Outcome::Started { endpoint }));
}

/// Kills the one who starts an instance at any moment, and starts it again: there is one in the end, not two, not none.
#[tokio::test]
async fn a_start_that_is_cut_off_anywhere_is_mended_by_another() {
    for delay in (0..120).step_by(4) {
        let place = Place::new();
        let mark = format!("sleep {}{delay:03}", std::process::id());
        let mut starter = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "starter", "--ignored", "--nocapture"])
            .env("WHARF_TEST_ROOT", place.root.path())
            .env("WHARF_TEST_PROGRAM", format!("echo pid; exec {mark}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        starter.kill().unwrap();
        starter.wait().unwrap();
        let launch = launch(script(&format!("echo pid; exec {mark}")));
        place.provider().resolve(&Intent::of(IntentId(1), &start(&launch))).await.unwrap();
        place.start(&launch).await;
        place.line("pid").await;
        assert!(place.runs(&launch.instance).await);
        // The words stand in no other command line once the shell has become what it runs.
        let begin = Instant::now();
        while processes(&mark).len() != 1 {
            assert!(begin.elapsed() < PATIENCE, "after {delay} ms: {:?}", processes(&mark));
            pause().await;
        }
    }
}

#[tokio::test]
async fn it_has_a_session_of_its_own_and_starts_clean() {
    let place = Place::new();
    let text = "echo session $(cut -d' ' -f6 /proc/self/stat); echo mask $(grep SigBlk /proc/self/status);\
                echo caps $(grep CapEff /proc/self/status); env | sort | sed 's/^/var /'; pwd; exec sleep 600";
    let launch = launch(with_env(script(text), "LOG_LEVEL", EnvValue::Plain("info".into())));
    place.start(&launch).await;
    let own = fs::read_to_string("/proc/self/stat").unwrap();
    let own = own.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().to_owned();
    assert_ne!(place.line("session ").await, own);
    assert_eq!(place.line("mask SigBlk:").await.trim(), "0000000000000000");
    let mine = fs::read_to_string("/proc/self/status").unwrap();
    let mine = mine.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap().trim().to_owned();
    assert_eq!(place.line("caps CapEff:").await.trim(), mine);
    let work = place.line("var PWD=").await;
    assert_eq!(Path::new(&work), place.instance("hello-0-g1").join("work"));
    let log = place.log().await;
    let vars: BTreeMap<_, _> = log.iter().filter_map(|line| line.strip_prefix("var ")?.split_once('=')).collect();
    assert_eq!(vars["LOG_LEVEL"], "info");
    assert!(!vars.keys().any(|name| name.starts_with("CARGO") || *name == "WHARF_TEST_ROOT"), "{vars:?}");
}

#[tokio::test]
async fn what_it_says_is_kept() {
    let place = Place::new();
    let text = "echo out; echo err >&2; printf 'no end'; exit 0";
    let launch = launch(script(text));
    place.start(&launch).await;
    assert_eq!(place.end(&launch.instance).await, Exit::Code(0));
    let mut log = place.log().await;
    log.sort();
    assert_eq!(log, ["err", "no end", "out"]);
    let mut last = place.see(&launch.instance).await.last_lines;
    last.sort();
    assert_eq!(last, log);
}

#[tokio::test]
async fn a_flood_of_lines_is_taken_and_put_aside() {
    let place = Place::new();
    let launch = launch(script("yes 0123456789012345678901234567890123456789 | head -n 200000; echo end"));
    place.start(&launch).await;
    assert_eq!(place.end(&launch.instance).await, Exit::Code(0));
    let size = |name: &str| fs::metadata(place.instance("hello-0-g1").join(name)).unwrap().len();
    assert!(size("log") <= 10 << 20 && size("log.1") <= 10 << 20);
    assert_eq!(place.see(&launch.instance).await.last_lines.last().unwrap(), "end");
}

#[tokio::test]
async fn how_it_ended_is_told() {
    let check = async |text: &str, expected: Exit| {
        let place = Place::new();
        let launch = launch(script(text));
        place.start(&launch).await;
        assert_eq!(place.end(&launch.instance).await, expected, "{text}");
    };
    check("exit 3", Exit::Code(3)).await;
    check("kill -9 $$", Exit::Signal(9)).await;
    check("kill -15 $$; sleep 5", Exit::Signal(15)).await;
    check("kill -40 $$; sleep 5", Exit::Signal(40)).await;
    // What it leaves running ends with it.
    check("sleep 600 & exit 0", Exit::Code(0)).await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_instance_that_ended() {
    let check = async |words: &[&str], expected: &str| {
        let place = Place::new();
        let launch = launch(command(words));
        place.start(&launch).await;
        assert_eq!(place.end(&launch.instance).await, Exit::NotStarted(expected.to_owned()));
    };
    check(&["no-such-program"], "there is no `no-such-program` on PATH").await;
    check(&["/no/such/program"], "there is no `/no/such/program`").await;
    check(&["/etc/passwd"], "`/etc/passwd` may not be executed").await;
}

#[tokio::test]
async fn killing_the_supervisor_takes_everything_with_it() {
    let place = Place::new();
    let mark = format!("{}", 600_000 + std::process::id());
    let text = format!("setsid sh -c 'setsid sleep {mark} & exec sleep {mark}' & echo up; exec sleep {mark}");
    let launch = launch(script(&text));
    place.start(&launch).await;
    place.line("up").await;
    let begin = Instant::now();
    while processes(&format!("sleep {mark}")).iter().filter(|line| line.starts_with("sleep")).count() < 3 {
        assert!(begin.elapsed() < PATIENCE, "{:?}", processes(&mark));
        pause().await;
    }
    let supervisor = supervisor(&place.instance("hello-0-g1"));
    Command::new("kill").args(["-9", &supervisor]).status().unwrap();
    assert_eq!(place.end(&launch.instance).await, Exit::Unseen);
    while !processes(&format!("sleep {mark}")).is_empty() {
        assert!(begin.elapsed() < PATIENCE, "{:?}", processes(&mark));
        pause().await;
    }
}

/// The process that supervises the instance of this folder.
fn supervisor(folder: &Path) -> String {
    let wanted = format!("role\0supervise\0{}\0", folder.display());
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mut found = entries
        .filter(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(|line| line.ends_with(wanted.as_bytes())));
    found.next().unwrap().file_name().into_string().unwrap()
}

#[tokio::test]
async fn stopping_leaves_no_process() {
    let place = Place::new();
    let mark = format!("{}", 700_000 + std::process::id());
    let launch = launch(script(&format!("trap '' TERM; setsid sleep {mark} & echo up; while :; do sleep 1; done")));
    place.start(&launch).await;
    place.line("up").await;
    place.stop(&launch.instance).await;
    assert_eq!(processes(&format!("sleep {mark}")), Vec::<String>::new());
}

#[tokio::test]
async fn a_draining_instance_hears_of_it_once_if_it_wants_to() {
    let place = Place::new();
    let launch = launch(script("trap 'echo told' TERM; echo up; while :; do sleep 0.05; done"));
    place.start(&launch).await;
    place.line("up").await;
    let drain = |sigterm| wharf_model::Operation {
        address: start(&launch).address,
        call: wharf_model::Call::DrainInstance {
            instance: launch.instance.clone(),
            gateways: Vec::new(),
            shutdown: Shutdown { grace: Duration::from_secs(1), sigterm },
        },
    };
    place.run(&drain(true)).await.unwrap();
    place.line("told").await;
    place.run(&drain(true)).await.unwrap();
    place.run(&drain(false)).await.unwrap();
    assert_eq!(place.log().await, ["up", "told"]);
    assert!(place.runs(&launch.instance).await);
}

#[tokio::test]
async fn a_secret_is_in_no_command_line_and_in_no_file() {
    let mut place = Place::new();
    let value = format!("value-{}", std::process::id());
    place.secrets.insert("hf".parse().unwrap(), SecretString::from(value.clone()));
    let template = script("test -n \"$TOKEN\" && echo has one; exec sleep 600");
    let launch = launch(with_env(template, "TOKEN", EnvValue::Secret("hf".parse().unwrap())));
    place.start(&launch).await;
    place.line("has one").await;
    assert_eq!(processes(&value), Vec::<String>::new());
    let found = Command::new("grep").args(["-r", &value]).arg(place.state()).output().unwrap();
    assert_eq!(found.status.code(), Some(1), "{found:?}");
}

#[tokio::test]
async fn a_secret_that_is_not_known_is_missing_and_nothing_is_made() {
    let place = Place::new();
    let launch = launch(with_env(script("true"), "TOKEN", EnvValue::Secret("hf".parse().unwrap())));
    let error = place.run(&start(&launch)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Missing { .. }), "{error:?}");
    assert!(!place.state().exists());
}

#[tokio::test]
async fn a_start_that_never_was_is_found_out() {
    let place = Place::new();
    let launch = launch(script("exec sleep 600"));
    let intent = Intent::of(IntentId(1), &start(&launch));
    assert_eq!(place.provider().resolve(&intent).await.unwrap(), Resolution::NotApplied);
    // As if wharf had been killed between the labels and the start.
    place.start(&launch).await;
    let labels = fs::read(place.instance("hello-0-g1").join("labels.json")).unwrap();
    place.stop(&launch.instance).await;
    fs::create_dir_all(place.instance("hello-0-g1")).unwrap();
    fs::write(place.instance("hello-0-g1").join("labels.json"), labels).unwrap();
    assert_eq!(place.see(&launch.instance).await.phase, Phase::Ended(Exit::Unseen));
    assert_eq!(place.provider().resolve(&intent).await.unwrap(), Resolution::NotApplied);
    assert!(!place.instance("hello-0-g1").exists());
    place.start(&launch).await;
    let stopped = Intent::of(IntentId(2), &stop(&launch.instance, &[]));
    assert_eq!(place.provider().resolve(&stopped).await.unwrap(), Resolution::NotApplied);
    place.stop(&launch.instance).await;
    assert_eq!(place.provider().resolve(&stopped).await.unwrap(), Resolution::Applied(Outcome::Done));
}

#[tokio::test]
async fn a_supervisor_that_hears_nothing_starts_nothing() {
    let place = Place::new();
    let folder = place.instance("hello-0-g1");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("lock"), "").unwrap();
    let mut child = Command::new(program())
        .args(["role", "supervise"])
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "\"locked\"\n");
    assert_eq!(fs::read(folder.join("lock")).unwrap(), b"");
}

#[tokio::test]
async fn one_that_listens_elsewhere_gets_a_hint() {
    let place = Place::new();
    let launch = launch(command(&["python3", "-m", "http.server", "0", "--bind", "127.0.0.1"]));
    let endpoint = place.start(&launch).await;
    let begin = Instant::now();
    let answer = loop {
        let answer = place.see(&launch.instance).await.answer.unwrap();
        if answer.hint.as_ref().is_some_and(|hint| !hint.found.is_empty()) {
            break answer;
        }
        assert!(begin.elapsed() < PATIENCE, "{answer:?}");
        pause().await;
    };
    let hint = answer.hint.unwrap();
    assert_eq!((answer.passed, hint.expected, hint.found.len()), (false, endpoint.port(), 1));
    assert!(hint.found[0].ip().is_loopback() && hint.found[0].port() != endpoint.port());
}

#[tokio::test]
async fn one_that_listens_where_it_should_is_ready() {
    let place = Place::new();
    let launch = launch(script("exec python3 -m http.server $PORT --bind 127.0.0.1"));
    place.start(&launch).await;
    let begin = Instant::now();
    while !place.see(&launch.instance).await.is_ready() {
        assert!(begin.elapsed() < PATIENCE, "{:?}", place.see(&launch.instance).await);
        pause().await;
    }
    let unasked = place.provider().observe(&Scope::default()).await.unwrap();
    assert_eq!(unasked.instances[&launch.instance].answer, None);
}

/// Not a test: starts an instance where the kernel gives no process namespace.
#[tokio::test]
#[ignore = "is started by another test"]
async fn confined() {
    let place = Place::new();
    let error = place.run(&start(&launch(script("true")))).await.unwrap_err();
    assert!(matches!(error, ProviderError::Denied { .. }), "{error:?}");
    assert_eq!(error.to_string(), "cannot start hello-0-g1: the kernel refuses a process namespace");
    assert!(error.help().unwrap().contains("sysctl kernel.unprivileged_userns_clone=1"));
    assert!(!place.instance("hello-0-g1").exists());
}

#[test]
fn a_kernel_that_gives_no_namespace_is_named() {
    let inside = "echo 0 > /proc/sys/user/max_pid_namespaces && exec \"$0\" --exact confined --ignored";
    let output =
        Command::new("unshare").args(["-Ur", "sh", "-c", inside]).arg(std::env::current_exe().unwrap()).output();
    match output {
        Err(_) => eprintln!("skipped: needs unshare"),
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
    }
}
