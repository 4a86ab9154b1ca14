//! Folders of buckets: copies of them lie in the host's store, and instances see those.

use crate::{
    copied::bucket,
    networks::run,
    place::{Place, drop_content, launch_pinned, pins, script, start, stop, with_mount},
    support::engine,
};
use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf};
use wharf_bucket_server::{Habit, Server};
use wharf_docker::{DockerReader, DockerSettings};
use wharf_model::{
    Address, BucketMount, Call, ContentDigest, ContentRef, Cost, Exit, Field, Intent, IntentId, Mount, MountSource,
    Operation, SourceRef,
};
use wharf_provider::{Execute as _, Observe as _, ProviderError, Resolution};

/// A server with a folder of files, that folder, and a place that may read it.
fn place_with(files: &[(&str, &str)]) -> (Server, BucketMount, Place) {
    let server = Server::start(Habit::Honours);
    for (name, text) in files {
        let path = server.bucket("examplebucket").join("dir").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mount = bucket(server.address());
    (server, mount, Place::new())
}

fn prepare(content: ContentRef, bucket: &BucketMount) -> Operation {
    Operation { address: Address::Content(content), call: Call::PrepareBucket { content, bucket: bucket.clone() } }
}

#[tokio::test]
async fn an_instance_sees_the_copy_of_this_host_and_cannot_write_to_it() {
    let (_server, bucket, place) = place_with(&[("app.txt", "from a bucket"), ("deep/in/it", "x")]);
    let pin = place.pin(SourceRef::Bucket(bucket.clone())).await.unwrap();
    assert_eq!((pin.files, pin.fetch.as_ref().unwrap().bytes), (2, 14));
    let content = ContentRef::Bucket(pin.content);
    assert!(place.look().await.contents.is_empty());
    place.run(&prepare(content, &bucket)).await.unwrap();
    place.run(&prepare(content, &bucket)).await.unwrap();
    assert_eq!(place.look().await.contents, [content].into());
    assert_eq!(place.pin(SourceRef::Bucket(bucket.clone())).await.unwrap().fetch.unwrap().bytes, 0);

    let text = "cat /mnt/data/app.txt; echo; ls /mnt/data/deep/in; touch /mnt/data/x 2>/dev/null && echo written; \
                ls -i /mnt/data/app.txt; exit 3";
    let template = with_mount(script(text), "/mnt/data", Mount::of(MountSource::Bucket(bucket.clone())));
    let launch = launch_pinned(template, pins("/mnt/data", pin.content));
    place.start(&launch).await;
    assert_eq!(place.end(&launch.instance).await, Exit::Code(3));
    place.line("from a bucket").await;
    place.line("it").await;
    let inode = fs::metadata(copy(&place, pin.content).join("app.txt")).unwrap().ino();
    place.line(&format!("{inode} ")).await;
    place.run(&stop(&launch.instance)).await.unwrap();

    place.run(&drop_content(content)).await.unwrap();
    place.run(&drop_content(content)).await.unwrap();
    assert!(place.look().await.contents.is_empty());
    assert!(place.provider().clean_up().await.unwrap());
}

/// Where the host keeps the files of a copy.
fn copy(place: &Place, content: ContentDigest) -> PathBuf {
    place.settings().content_dir.join("snapshots").join(content.to_string())
}

#[tokio::test]
async fn a_copy_that_somebody_removed_is_not_there_and_comes_again() {
    let (_server, bucket, place) = place_with(&[("a", "1")]);
    let pin = place.pin(SourceRef::Bucket(bucket.clone())).await.unwrap();
    let content = ContentRef::Bucket(pin.content);
    place.run(&prepare(content, &bucket)).await.unwrap();
    fs::remove_dir_all(place.settings().content_dir).unwrap();
    assert!(place.look().await.contents.is_empty());
    let template = with_mount(script("true"), "/mnt/data", Mount::of(MountSource::Bucket(bucket.clone())));
    let launch = launch_pinned(template, pins("/mnt/data", pin.content));
    let error = place.run(&start(&launch)).await.unwrap_err();
    assert!(error.to_string().contains("the copy of examplebucket/dir/"), "{error}");
    assert!(matches!(error, ProviderError::Missing { .. }));
    place.run(&prepare(content, &bucket)).await.unwrap();
    assert_eq!(place.look().await.contents, [content].into());
}

#[tokio::test]
async fn a_folder_that_holds_something_else_by_now_is_refused() {
    let (server, bucket, place) = place_with(&[("a", "1")]);
    let content = ContentRef::Bucket(place.pin(SourceRef::Bucket(bucket.clone())).await.unwrap().content);
    fs::write(server.bucket("examplebucket").join("dir/b"), "2").unwrap();
    let error = place.run(&prepare(content, &bucket)).await.unwrap_err();
    assert!(error.to_string().contains("was changed after the plan was made"), "{error}");
    assert!(place.look().await.contents.is_empty());
}

#[tokio::test]
async fn what_was_cut_off_is_found_out() {
    let (_server, bucket, place) = place_with(&[("a", "1")]);
    let content = ContentRef::Bucket(place.pin(SourceRef::Bucket(bucket.clone())).await.unwrap().content);
    let (preparing, dropping) = (prepare(content, &bucket), drop_content(content));
    let became = async |operation: &Operation| {
        let intent = Intent::of(IntentId(1), operation);
        matches!(place.provider().resolve(&intent).await.unwrap(), Resolution::Applied(_))
    };
    assert!(!became(&preparing).await, "before it began");
    place.run(&preparing).await.unwrap();
    assert!(became(&preparing).await && !became(&dropping).await);
    place.run(&dropping).await.unwrap();
    assert!(became(&dropping).await && !became(&preparing).await);
}

#[tokio::test]
async fn an_engine_elsewhere_gets_no_plan_for_a_bucket() {
    let place = Place::new();
    let settings = DockerSettings { host: Some("tcp://127.0.0.1:1".to_owned()), ..place.settings() };
    let elsewhere = DockerReader::new(settings).unwrap();
    for field in [Field::MountOss, Field::MountS3, Field::MountWritable] {
        let Cost::Unsupported { why, help } = elsewhere.capabilities().cost(field) else { panic!("{field:?}") };
        assert!(
            why.contains("the engine is on another") && help.contains("run wharf on the engine's machine"),
            "{why}"
        );
        assert_eq!(*place.provider().capabilities().cost(field), Cost::Roll);
    }
}

/// A copy that an instance writes to, prepared, and what it is pinned to.
async fn writable(files: &[(&str, &str)], text: &str) -> (Server, Place, wharf_model::Launch) {
    let (server, bucket, place) = place_with(files);
    let bucket = BucketMount { read_only: false, ..bucket };
    let pin = place.pin(SourceRef::Bucket(bucket.clone())).await.unwrap();
    place.run(&prepare(ContentRef::Bucket(pin.content), &bucket)).await.unwrap();
    let template = with_mount(script(text), "/mnt/out", Mount::of(MountSource::Bucket(bucket)));
    let launch = launch_pinned(template, pins("/mnt/out", pin.content));
    (server, place, launch)
}

#[tokio::test]
async fn what_an_instance_wrote_goes_back_when_it_ends() {
    let files = [("kept", "as it was"), ("deep/changed", "before"), ("gone", "x")];
    let text = "cd /mnt/out; cat kept; echo; echo after >deep/changed; rm gone; mkdir -p made/by; echo one >made/by/it; \
                ln made/by/it twice; ln kept again; cp kept same; ln -s kept link; chmod 600 made/by/it; exit 3";
    let (server, place, launch) = writable(&files, text).await;
    let there = server.bucket("examplebucket").join("dir");
    place.start(&launch).await;
    assert_eq!(place.end(&launch.instance).await, Exit::Code(3));
    place.line("as it was").await;
    assert_eq!(fs::read_to_string(there.join("deep/changed")).unwrap(), "before", "it goes when the instance ends");
    place.run(&stop(&launch.instance)).await.unwrap();
    place.run(&stop(&launch.instance)).await.unwrap();
    let read = |name: &str| fs::read_to_string(there.join(name)).ok();
    assert_eq!(read("deep/changed").unwrap(), "after\n");
    assert_eq!((read("made/by/it").unwrap(), read("twice").unwrap()), ("one\n".to_owned(), "one\n".to_owned()));
    assert_eq!(read("again").unwrap(), "as it was");
    assert_eq!(read("same").unwrap(), "as it was");
    assert_eq!((read("gone").unwrap(), read("link")), ("x".to_owned(), None));
    assert!(place.look().await.instances.is_empty());
}

#[tokio::test]
async fn an_instance_stays_until_what_it_wrote_is_in_nobodys_way() {
    let (server, place, launch) =
        writable(&[("a", "1")], "echo mine >/mnt/out/a; echo mine >/mnt/out/b; echo done; sleep 600").await;
    let there = server.bucket("examplebucket").join("dir");
    place.start(&launch).await;
    let container = format!("{}{}", place.prefix(), launch.instance);
    place.line("done").await;
    fs::write(there.join("b"), "theirs").unwrap();
    let error = place.run(&stop(&launch.instance)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Conflict { .. }), "{error}");
    assert!(error.to_string().contains("b was made there meanwhile"), "{error}");
    assert!(error.help().unwrap().contains(&container), "{:?}", error.help());
    assert_eq!(fs::read_to_string(there.join("b")).unwrap(), "theirs");
    assert_eq!(fs::read_to_string(there.join("a")).unwrap(), "mine\n");
    assert_eq!(place.look().await.instances.len(), 1);
    fs::remove_file(there.join("b")).unwrap();
    place.run(&stop(&launch.instance)).await.unwrap();
    assert_eq!(fs::read_to_string(there.join("b")).unwrap(), "mine\n");
    assert!(place.look().await.instances.is_empty());
}

#[tokio::test]
async fn what_an_instance_goes_on_writing_goes_back_whenever_somebody_asks() {
    let text =
        "cd /mnt/out; echo 1 >a; echo one; while [ ! -e /go ]; do sleep 0.1; done; echo 2 >a; echo two; sleep 600";
    let (server, place, launch) = writable(&[("a", "0")], text).await;
    let there = server.bucket("examplebucket").join("dir");
    let read = || fs::read_to_string(there.join("a")).unwrap();
    place.start(&launch).await;
    place.line("one").await;
    let (went, failed) = place.provider().write_back().await.unwrap();
    assert!(failed.is_empty() && went.len() == 1 && went[0].contains("1 file written at /mnt/out"), "{went:?}");
    assert_eq!(read(), "1\n");
    assert_eq!(place.provider().write_back().await.unwrap().0, Vec::<String>::new());
    run(&engine(), &place, &launch.instance, &["touch", "/go"]).await;
    place.line("two").await;
    place.run(&stop(&launch.instance)).await.unwrap();
    assert_eq!(read(), "2\n");
}
