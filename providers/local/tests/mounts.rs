//! What instances see of the file system.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on should stop")]

mod support;

use std::{fs, path::Path, time::Instant};
use support::*;
use wharf_model::{
    Access, Address, Call, ContentRef, Exit, FolderPath, Mount, Operation, Phase, Pins, SourcePin, SourceRef, Template,
};
use wharf_provider::{Observe as _, ProviderError, Scope};

fn mount(folder: &str, access: Access) -> Mount {
    Mount::folder(FolderPath(folder.into()), access)
}

async fn source(place: &Place, folder: &str) -> SourcePin {
    let source = SourceRef::Folder(FolderPath(folder.into()));
    let scope = Scope { sources: [source.clone()].into(), ..Scope::default() };
    place.provider().observe(&scope).await.unwrap().sources.remove(&source).unwrap().unwrap()
}

fn prepare(content: ContentRef, folder: &str) -> Operation {
    Operation {
        address: Address::Content(content),
        call: Call::PrepareFolder { content, folder: FolderPath(folder.into()) },
    }
}

/// Runs a template to its end, and returns what it said.
async fn run(place: &Place, template: Template, pins: Pins) -> Vec<String> {
    let launch = launch_pinned(template, pins);
    place.start(&launch).await;
    assert_eq!(place.end(&launch.instance).await, Exit::Code(0), "{:?}", place.log().await);
    place.log().await
}

#[tokio::test]
async fn a_snapshot_is_seen_and_cannot_be_written_and_the_host_knows_nothing_of_it() {
    let place = Place::new();
    fs::create_dir(place.project().join("code")).unwrap();
    fs::write(place.project().join("code/app.txt"), "first").unwrap();
    let pin = source(&place, "code").await;
    let content = ContentRef::Folder(pin.content);
    place.run(&prepare(content, "code")).await.unwrap();
    place.run(&prepare(content, "code")).await.unwrap();
    assert_eq!(place.look().await.contents, [content].into());
    let labels = fs::read_to_string(place.state().join(format!("content/{content}.json"))).unwrap();
    assert!(labels.contains(r#""project":"chat","environment":"dev","address":"content.folder-"#), "{labels}");
    fs::write(place.project().join("code/app.txt"), "second").unwrap();
    let target = format!("/mnt/wharf-{}/data", std::process::id());
    let text = format!(
        "cat {target}/app.txt; echo; touch {target}/x 2>/dev/null && echo written; ls -d / /usr/bin /etc/passwd; \
         test -d /mnt && echo $$; ls /proc | grep -cx 1"
    );
    let template = with_mount(script(&text), &target, mount("code", Access::Snapshot));
    let log = run(&place, template, pins(&target, pin.content)).await;
    assert_eq!(log[..4], ["first", "/", "/etc/passwd", "/usr/bin"]);
    assert!(!Path::new(&target).exists());
    place.stop(&name("hello-0-g1")).await;
    place.run(&drop_content(content)).await.unwrap();
    place.run(&drop_content(content)).await.unwrap();
    assert!(place.look().await.contents.is_empty());
    assert!(place.provider().clean_up().await.unwrap());
}

#[tokio::test]
async fn a_folder_that_changed_since_the_plan_is_refused() {
    let place = Place::new();
    fs::create_dir(place.project().join("code")).unwrap();
    let content = ContentRef::Folder(source(&place, "code").await.content);
    fs::write(place.project().join("code/new"), "x").unwrap();
    let error = place.run(&prepare(content, "code")).await.unwrap_err();
    assert_eq!(error.to_string(), "the folder code was changed after the plan was made");
    assert!(matches!(error, ProviderError::Rejected { .. }));
    assert!(place.look().await.contents.is_empty());
    assert_eq!(fs::read_dir(place.state().join("content")).unwrap().count(), 0);
}

#[tokio::test]
async fn live_folders_are_seen_as_they_change() {
    let place = Place::new();
    for folder in ["read", "write"] {
        fs::create_dir(place.project().join(folder)).unwrap();
    }
    fs::write(place.project().join("read/in"), "before").unwrap();
    let text = "until grep -q after /wharf-test/read/in; do sleep 0.02; done; echo out > /wharf-test/write/out; \
                echo x > /wharf-test/read/x && echo written; echo read; exec sleep 600";
    let template = with_mount(script(text), "/wharf-test/read", mount("read", Access::LiveReadOnly));
    let template = with_mount(template, "/wharf-test/write", mount("write", Access::LiveReadWrite));
    let launch = launch(template);
    place.start(&launch).await;
    fs::write(place.project().join("read/in"), "after").unwrap();
    place.line("read").await;
    assert_eq!(fs::read_to_string(place.project().join("write/out")).unwrap(), "out\n");
    assert!(!place.project().join("read/x").exists() && !place.log().await.contains(&"written".to_owned()));
    assert!(!Path::new("/wharf-test").exists());
}

#[tokio::test]
async fn what_stands_beside_a_mount_is_seen_and_can_be_written() {
    let place = Place::new();
    fs::create_dir_all(place.project().join("data/deep")).unwrap();
    let beside = place.root.path().join("beside");
    fs::create_dir(&beside).unwrap();
    let target = place.root.path().join("over/it");
    let (at, beside) = (target.display(), beside.display());
    let text = format!("ls {at}; echo kept > {beside}/file; readlink /proc/self >/dev/null && echo proc");
    let template = with_mount(script(&text), &at.to_string(), mount("data", Access::LiveReadOnly));
    let log = run(&place, template, Pins::default()).await;
    assert_eq!(log, ["deep", "proc"]);
    assert_eq!(fs::read_to_string(place.root.path().join("beside/file")).unwrap(), "kept\n");
    assert!(!target.exists());
}

#[tokio::test]
async fn processes_are_seen_under_their_own_numbers() {
    let place = Place::new();
    let log = run(&place, script("readlink /proc/self; echo $$; ls -d /proc/$$"), Pins::default()).await;
    let numbers: Vec<u32> = log[..2].iter().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.iter().all(|number| *number < 20), "{log:?}");
}

#[tokio::test]
async fn a_live_folder_that_is_not_there_is_missing() {
    let place = Place::new();
    let launch = launch(with_mount(script("true"), "/mnt/data", mount("gone", Access::LiveReadOnly)));
    let error = place.run(&start(&launch)).await.unwrap_err();
    assert!(error.to_string().contains("there is no folder"), "{error}");
    assert!(!place.instance("hello-0-g1").exists());
}

#[tokio::test]
async fn a_source_that_cannot_be_taken_says_so() {
    let place = Place::new();
    std::os::unix::fs::symlink("/etc", place.project().join("out")).unwrap();
    let sources = ["nowhere", "."].map(|folder| SourceRef::Folder(FolderPath(folder.into())));
    let scope = Scope { sources: sources.clone().into(), ..Scope::default() };
    let found = place.provider().observe(&scope).await.unwrap().sources;
    let words = |source: &SourceRef| found[source].clone().unwrap_err().attempt;
    assert!(words(&sources[0]).starts_with("there is no folder "), "{found:?}");
    assert!(words(&sources[1]).contains("leads out of the folder, to /etc"), "{found:?}");
    assert!(!place.state().exists());
}

#[tokio::test]
async fn a_running_instance_keeps_its_snapshot() {
    let place = Place::new();
    fs::create_dir(place.project().join("code")).unwrap();
    fs::write(place.project().join("code/app"), "x").unwrap();
    let pin = source(&place, "code").await;
    place.run(&prepare(ContentRef::Folder(pin.content), "code")).await.unwrap();
    let text = "echo up; while cat /wharf-keep/app > /dev/null; do sleep 0.02; done; exit 9";
    let template = with_mount(script(text), "/wharf-keep", mount("code", Access::Snapshot));
    let launch = launch_pinned(template, pins("/wharf-keep", pin.content));
    place.start(&launch).await;
    place.line("up").await;
    fs::remove_dir_all(place.project().join("code")).unwrap();
    let begin = Instant::now();
    while begin.elapsed().as_millis() < 200 {
        assert!(matches!(place.see(&launch.instance).await.phase, Phase::Running { .. }));
        pause().await;
    }
}
