//! Folders of buckets that a client serves as file systems: real ones, of a real client, on this host.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on should stop")]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::{fs, path::PathBuf, time::Instant};
use support::*;
use wharf_bucket_server::{ACCESS_KEY, Habit, SECRET_KEY, Server};
use wharf_local::Fuse;
use wharf_model::{BucketMode, BucketMount, Launch, Mount, MountSource, Template};

const TARGET: &str = "/mnt/wharf-served";

/// A bucket with a folder, and a project that may read it; none where this host has no client.
struct Site {
    place: Place,
    server: Server,
}

impl Site {
    fn new() -> Option<Self> {
        let mut place = Place::new();
        if let Fuse::Unusable { why, .. } = place.settings().fuse {
            eprintln!("skipped: {why}");
            return None;
        }
        if let Err(error) = fs::OpenOptions::new().read(true).write(true).open("/dev/fuse") {
            eprintln!("skipped: /dev/fuse cannot be opened: {error}");
            return None;
        }
        for (name, value) in [("key-id", ACCESS_KEY), ("key", SECRET_KEY)] {
            place.secrets.insert(name.parse().unwrap(), value.into());
        }
        let site = Self { place, server: Server::start(Habit::Honours) };
        fs::create_dir(site.folder()).unwrap();
        fs::write(site.folder().join("model.txt"), "weights\n").unwrap();
        Some(site)
    }

    /// What the folder of the bucket holds.
    fn folder(&self) -> PathBuf {
        self.server.bucket("examplebucket").join("dir")
    }

    fn mount(&self) -> BucketMount {
        BucketMount { mode: Some(BucketMode::Fuse), ..copied::bucket(self.server.address()) }
    }

    fn launch(&self, text: &str) -> Launch {
        launch(with_bucket(script(text), self.mount()))
    }

    /// The client's process.
    fn client(&self) -> Option<Pid> {
        let served = self.place.instance("hello-0-g1").join("served-0");
        let words = format!("wharf:examplebucket/dir {}", served.display());
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let mut found = numbers.filter(|number| {
            let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.starts_with("rclone mount ") && line.contains(&words)
        });
        found.next().and_then(Pid::from_raw)
    }

    fn kill_client(&self) {
        kill_process(self.client().unwrap(), Signal::KILL).unwrap();
    }

    async fn client_is_gone(&self) {
        let begin = Instant::now();
        while self.client().is_some() {
            assert!(begin.elapsed() < PATIENCE, "the client does not end");
            pause().await;
        }
    }
}

fn with_bucket(template: Template, mount: BucketMount) -> Template {
    with_mount(template, TARGET, Mount::of(MountSource::Bucket(mount)))
}

/// What is mounted on the host below a folder, or at the path where instances see it.
fn mounted(place: &Place) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let root = place.root.path().display().to_string();
    table.lines().filter(|line| line.contains(&root) || line.contains(TARGET)).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_read_in_place_and_the_host_knows_nothing_of_it() {
    let Some(site) = Site::new() else { return };
    let text = format!("cat {TARGET}/model.txt; touch {TARGET}/x 2>/dev/null || echo refused; exec sleep 600");
    let launch = site.launch(&text);
    site.place.start(&launch).await;
    site.place.line("refused").await;
    assert_eq!(site.place.log().await, ["weights", "refused"]);
    assert_eq!(mounted(&site.place), Vec::<String>::new());
    let line = processes(&format!("rclone mount wharf:examplebucket/dir {}", site.place.root.path().display()));
    assert!(line.len() == 1 && !line[0].contains(SECRET_KEY) && !line[0].contains(ACCESS_KEY), "{line:?}");
    let grep = std::process::Command::new("grep").args(["-rlF", "-e", SECRET_KEY]).arg(site.place.root.path()).output();
    assert_eq!(String::from_utf8(grep.unwrap().stdout).unwrap(), "", "the key is in no file");
    site.place.stop(&launch.instance).await;
    site.client_is_gone().await;
    assert!(!site.place.instance("hello-0-g1").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bucket_holds_later_is_seen() {
    let Some(site) = Site::new() else { return };
    let text = format!("ls {TARGET}; until cat {TARGET}/new.txt 2>/dev/null; do sleep 0.1; done; exec sleep 600");
    site.place.start(&site.launch(&text)).await;
    site.place.line("model.txt").await;
    fs::write(site.folder().join("new.txt"), "came later\n").unwrap();
    site.place.line("came later").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_goes_on_when_its_client_was_killed() {
    let Some(site) = Site::new() else { return };
    let text = format!(
        "cat {TARGET}/model.txt; for life in 1 2; do while cat {TARGET}/model.txt >/dev/null 2>&1; do sleep 0.02; done; \
         ls {TARGET} >/dev/null 2>&1 || echo broken $life; until cat {TARGET}/model.txt 2>/dev/null; do sleep 0.02; done; \
         echo again $life; done; exec sleep 600"
    );
    let launch = site.launch(&text);
    site.place.start(&launch).await;
    site.place.line("weights").await;
    for life in 1..=2 {
        site.kill_client();
        site.place.line(&format!("again {life}")).await;
    }
    let log = site.place.log().await;
    let killed = format!("rclone {TARGET}: rclone ended with signal: 9 (SIGKILL); another is started in 0 s");
    assert!(log.contains(&killed), "{log:?}");
    assert_eq!(log.iter().filter(|line| *line == "weights").count(), 3, "{log:?}");
    assert!(site.place.runs(&launch.instance).await);
    assert_eq!(mounted(&site.place), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_ends_with_its_supervisor_however_that_dies() {
    let Some(site) = Site::new() else { return };
    let launch = site.launch("exec sleep 600");
    site.place.start(&launch).await;
    let folder = site.place.instance("hello-0-g1").display().to_string();
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_supervisor = |number: &i32| {
        let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(&format!("role supervise {folder}"))
    };
    let supervisor = numbers.into_iter().find(is_supervisor).and_then(Pid::from_raw).unwrap();
    assert!(site.client().is_some());
    kill_process(supervisor, Signal::KILL).unwrap();
    site.client_is_gone().await;
    assert_eq!(mounted(&site.place), Vec::<String>::new());
    site.place.stop(&launch.instance).await;
    assert!(!site.place.instance("hello-0-g1").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_started_again_sees_it_again() {
    let Some(site) = Site::new() else { return };
    let text = format!("cat {TARGET}/model.txt && echo up; sleep 0.5; exit 3");
    let launch = site.launch(&text);
    site.place.start(&launch).await;
    // What was sent requests is started again when it ends.
    fs::write(site.place.instance("hello-0-g1").join("routed.json"), "{}").unwrap();
    let begin = Instant::now();
    while site.place.log().await.iter().filter(|line| *line == "up").count() < 3 {
        assert!(begin.elapsed() < PATIENCE, "{:?}", site.place.log().await);
        pause().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_not_started_again_while_its_files_are_not_there() {
    let Some(site) = Site::new() else { return };
    let (end, state) = (site.place.project().join("end"), site.place.state());
    let text = format!(
        "test -e {TARGET}/model.txt && echo up || echo empty; until test -e {0}; do sleep 0.02; done; rm {0}; exit 3",
        end.display()
    );
    let launch = site.launch(&text);
    site.place.start(&launch).await;
    site.place.line("up").await;
    fs::write(site.place.instance("hello-0-g1").join("routed.json"), "{}").unwrap();
    // No other client finds anything to serve.
    let away = site.server.bucket("examplebucket").with_file_name("away");
    fs::rename(site.server.bucket("examplebucket"), &away).unwrap();
    site.kill_client();
    site.place.line(&format!("rclone {TARGET}: rclone ended")).await;
    fs::write(&end, "").unwrap();
    let begin = Instant::now();
    let told = || fs::read_to_string(state.join("healing.jsonl")).unwrap_or_default();
    while !told().contains("is not there") {
        assert!(begin.elapsed() < PATIENCE, "{}", told());
        pause().await;
    }
    fs::remove_dir(site.server.folder().with_file_name("examplebucket")).ok();
    fs::rename(&away, site.server.folder().with_file_name("examplebucket")).unwrap();
    let begin = Instant::now();
    while site.place.log().await.iter().filter(|line| *line == "up").count() < 2 {
        assert!(begin.elapsed() < PATIENCE * 2, "{:?}\n{}", site.place.log().await, told());
        pause().await;
    }
    assert!(!site.place.log().await.contains(&"empty".to_owned()), "{:?}", site.place.log().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_in_the_bucket_when_its_file_is_closed() {
    let Some(site) = Site::new() else { return };
    let mount = BucketMount { read_only: false, ..site.mount() };
    let text = format!("seq 1 100000 > {TARGET}/out.txt && echo closed; exec sleep 600");
    site.place.start(&launch(with_bucket(script(&text), mount))).await;
    site.place.line("closed").await;
    let written = fs::read_to_string(site.folder().join("out.txt")).unwrap();
    assert_eq!((written.lines().count(), written.lines().last()), (100_000, Some("100000")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_not_there_is_no_empty_one() {
    let Some(site) = Site::new() else { return };
    let mount = BucketMount { path: "examplebucket/other/".into(), ..site.mount() };
    let launch = launch(with_bucket(script("exec sleep 600"), mount));
    let error = site.place.run(&start(&launch)).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("there is nothing in it"), "{error}: {source}");
    assert!(!site.place.instance("hello-0-g1").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_lets_nobody_in_is_told_at_the_start() {
    let Some(mut site) = Site::new() else { return };
    site.place.secrets.insert("key".parse().unwrap(), "not the key".into());
    let error = site.place.run(&start(&site.launch("exec sleep 600"))).await.unwrap_err();
    let words = error.to_string();
    let place = format!("s3://examplebucket/dir/ at http://{}", site.server.address());
    assert!(words.contains(&format!("cannot mount at /mnt/wharf-served what is in {place}")), "{words}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("SignatureDoesNotMatch") || source.contains("403"), "{source}");
    assert!(!site.place.instance("hello-0-g1").exists());
    site.client_is_gone().await;
}
