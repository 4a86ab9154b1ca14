//! Weights that instances share, held in memory by a real vmtouch.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::{error::Error as _, fs, os::unix::fs::PermissionsExt as _, time::Instant};
use support::*;
use wharf_local::{LocalProvider, LocalSettings};
use wharf_model::{Access, Address, Bytes, Call, ContentRef, FolderPath, Launch, Mount, Operation, SourceRef, Weights};
use wharf_provider::{Execute as _, Observe as _, OpContext, ProviderError, Scope};

/// Where instances see them.
const TARGET: &str = "/mnt/models";

/// A project with weights in a folder of which a copy was made, and beside them what is none.
struct Site {
    place: Place,
    launch: Launch,
}

impl Site {
    async fn new(below: &str, memory: u64) -> Self {
        let place = Place::new();
        let folder = place.project().join("models");
        fs::create_dir_all(folder.join("llama")).unwrap();
        fs::write(folder.join("llama/weights.bin"), [7; 24 << 10]).unwrap();
        fs::write(folder.join("card.md"), [7; 8 << 10]).unwrap();
        let source = SourceRef::Folder(FolderPath("models".into()));
        let scope = Scope { sources: [source.clone()].into(), ..Scope::default() };
        let content = place.provider().observe(&scope).await.unwrap().sources[&source].clone().unwrap().content;
        let content_ref = ContentRef::Folder(content);
        let prepare = Call::PrepareFolder { content: content_ref, folder: FolderPath("models".into()) };
        place.run(&Operation { address: Address::Content(content_ref), call: prepare }).await.unwrap();
        let mount = Mount::folder(FolderPath("models".into()), Access::Snapshot);
        let mut template = with_mount(script("exec sleep 600"), TARGET, mount);
        let path = format!("{TARGET}{below}").parse().unwrap();
        template.weights = Some(Weights { path, memory: Bytes(memory) });
        Self { launch: launch_pinned(template, pins(TARGET, content)), place }
    }

    /// Another instance of the same.
    fn second(&self) -> Launch {
        Launch { instance: name("hello-1-g1"), ..self.launch.clone() }
    }

    /// Who holds something for instances of this site.
    fn holders(&self) -> Vec<Pid> {
        let state = self.place.state().display().to_string();
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let holds = |number: &i32| {
            let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.split('\0').next().is_some_and(|program| program.ends_with("vmtouch")) && line.contains(&state)
        };
        numbers.filter(holds).filter_map(Pid::from_raw).collect()
    }

    async fn holders_are(&self, count: usize) {
        let begin = Instant::now();
        while self.holders().len() != count {
            assert!(begin.elapsed() < PATIENCE, "{:?} hold something, and not {count}", self.holders());
            pause().await;
        }
    }
}

/// How much memory a process holds, in KiB.
fn held(process: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_are_held_for_as_long_as_an_instance_wants_them() {
    let site = Site::new("", 32 << 10).await;
    let second = site.second();
    site.place.start(&site.launch).await;
    site.place.start(&second).await;
    let holders = site.holders();
    assert_eq!(holders.iter().map(|holder| held(*holder)).collect::<Vec<_>>(), [32, 32], "before the program starts");
    site.place.stop(&site.launch.instance).await;
    site.holders_are(1).await;
    // A supervisor that dies takes it along.
    let supervisor = fs::read_to_string(format!("/proc/{}/stat", site.holders()[0].as_raw_nonzero())).unwrap();
    let parent = supervisor.rsplit(") ").next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    kill_process(Pid::from_raw(parent).unwrap(), Signal::KILL).unwrap();
    site.holders_are(0).await;
    site.place.stop(&second.instance).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_is_held_and_nothing_beside_it() {
    let site = Site::new("/llama", 24 << 10).await;
    site.place.start(&site.launch).await;
    assert_eq!(held(site.holders()[0]), 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_is_started_again_and_the_program_goes_on() {
    let site = Site::new("", 32 << 10).await;
    site.place.start(&site.launch).await;
    let first = site.holders()[0];
    kill_process(first, Signal::KILL).unwrap();
    let said = site.place.line(&format!("vmtouch {TARGET}: ")).await;
    assert_eq!(said, "vmtouch ended without a word; what was held is not, and it is tried again in 1 s");
    site.holders_are(1).await;
    assert_ne!(site.holders()[0], first);
    assert!(site.place.runs(&site.launch.instance).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_held_is_told_before_anything_is_made() {
    for (below, memory, expected) in [
        ("", 31 << 10, "the weights at /mnt/models have 32KiB, and `memory=` gives them 31KiB"),
        ("/other", 1 << 20, "the weights at /mnt/models/other cannot be looked at: No such file or directory"),
    ] {
        let site = Site::new(below, memory).await;
        let error = site.place.run(&start(&site.launch)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!site.place.instance("hello-0-g1").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_lets_nobody_hold_memory_says_what_helps() {
    let site = Site::new("", 32 << 10).await;
    // Who may hold as much as they like cannot be refused, so this is what vmtouch says where it is.
    let programs = site.place.root.path().join("programs");
    fs::create_dir(&programs).unwrap();
    fs::write(
        programs.join("vmtouch"),
        "#!/bin/sh\necho 'vmtouch: FATAL: mlock: /x (Cannot allocate memory)' >&2; exit 1\n",
    )
    .unwrap();
    fs::set_permissions(programs.join("vmtouch"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut settings: LocalSettings = site.place.settings();
    settings.vmtouch = Some(programs.join("vmtouch"));
    let operation = start(&site.launch);
    let (progress, _) = tokio::sync::mpsc::unbounded_channel();
    let cx = OpContext { operation: operation.id(), secrets: Default::default(), progress };
    let error = LocalProvider::new(settings).execute(&operation, &cx).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot start hello-0-g1: cannot hold in memory what is mounted at /mnt/models");
    assert_eq!(error.source().unwrap().to_string(), "vmtouch: FATAL: mlock: /x (Cannot allocate memory)");
    assert!(matches!(&error, ProviderError::Denied { help, .. } if help.contains("ulimit -l")), "{error:?}");
    assert!(!site.place.instance("hello-0-g1").exists());
}
