//! Mounts that are copies of what is somewhere else: repositories and folders of images; and file servers, of which none
//! is at hand, so that the engine's refusal shows what it was asked for.

use crate::{
    place::{self, Place, drop_content, launch_pinned, pins, script, with_mount},
    support::{self, image},
};
use bollard::query_parameters::InspectContainerOptions;
use std::{path::Path, process::Command};
use wharf_model::{
    Address, Call, ContentRef, GitMount, ImageMount, Mount, MountSource, NfsMount, Operation, SecretName, SourceRef,
    Template,
};

const AT: &str = "/mnt/code";

/// Runs git in a folder, and answers what it prints.
fn git(at: &Path, words: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(at).args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(words);
    let done = git.output().unwrap();
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// A repository with one commit on its branch.
fn repository(at: &Path) -> GitMount {
    git(at, &["init", "--quiet", "--initial-branch=main"]);
    commit(at, "one");
    GitMount {
        url: format!("file://{}", at.display()).into(),
        branch: Some("main".into()),
        commit: None,
        username: None,
        password: None,
    }
}

fn commit(at: &Path, word: &str) -> String {
    std::fs::write(at.join("word"), word).unwrap();
    git(at, &["add", "."]);
    git(at, &["commit", "--quiet", "-m", word]);
    git(at, &["rev-parse", "HEAD"])
}

fn prepare(call: Call) -> Operation {
    Operation { address: Address::Mount("hello".parse().unwrap(), AT.parse().unwrap()), call }
}

fn prepare_git(content: ContentRef, mount: &GitMount) -> Operation {
    prepare(Call::PrepareGit { content, git: mount.clone() })
}

fn prepare_part(content: ContentRef, mount: &ImageMount) -> Operation {
    prepare(Call::PreparePart { content, part: mount.clone() })
}

fn mounting(source: MountSource, text: &str) -> Template {
    with_mount(script(text), AT, Mount::of(source))
}

/// Says what is in the mount, and whether anything can be written there.
const SHOW: &str = "echo word: $(cat /mnt/code/word) $(touch /mnt/code/x 2>/dev/null || echo read-only); exec sleep 60";

#[tokio::test]
async fn a_repository_is_mounted_as_it_is_at_one_commit() {
    let place = Place::new();
    let home = tempfile::tempdir().unwrap();
    let mount = repository(home.path());
    let first = place.pin(SourceRef::Git(mount.clone())).await.unwrap();
    assert_eq!(first.content.to_string(), git(home.path(), &["rev-parse", "HEAD"])[..32]);
    let content = ContentRef::Git(first.content);

    // The branch goes on after the plan was made: what was planned is what is mounted.
    let second = commit(home.path(), "two");
    place.run(&prepare_git(content, &mount)).await.unwrap();
    place.run(&prepare_git(content, &mount)).await.unwrap();
    assert!(place.look().await.contents.contains(&content));
    let launch = launch_pinned(mounting(MountSource::Git(mount.clone()), SHOW), pins(AT, first.content));
    place.start(&launch).await;
    assert_eq!(place.line("word: ").await, "one read-only");

    // A branch that moved is another content, and so is a commit that is named.
    let moved = place.pin(SourceRef::Git(mount.clone())).await.unwrap();
    assert_eq!(moved.content.to_string(), second[..32]);
    let named = GitMount { branch: None, commit: Some(second.as_str().into()), ..mount.clone() };
    assert_eq!(place.pin(SourceRef::Git(named.clone())).await.unwrap(), moved);
    place.run(&prepare_git(ContentRef::Git(moved.content), &named)).await.unwrap();

    // Nothing of git's own is mounted.
    let listed = "echo names: $(ls -a /mnt/code); exec sleep 60";
    let again = launch_pinned(mounting(MountSource::Git(named), listed), pins(AT, moved.content));
    place.run(&place::stop(&launch.instance)).await.unwrap();
    place.start(&again).await;
    assert_eq!(place.line("names: ").await, ". .. word");
    place.run(&place::stop(&again.instance)).await.unwrap();
    for content in [first.content, moved.content] {
        place.run(&drop_content(ContentRef::Git(content))).await.unwrap();
    }
    assert!(place.look().await.contents.is_empty());
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_says_why() {
    let place = Place::new();
    let home = tempfile::tempdir().unwrap();
    let mount = repository(home.path());
    let why = async |mount: GitMount| {
        let error = place.pin(SourceRef::Git(mount)).await.unwrap_err();
        assert!(!error.help.is_empty());
        error.attempt
    };
    let missing = why(GitMount { branch: Some("release".into()), ..mount.clone() }).await;
    assert!(missing.contains("has no branch and no tag `release`"), "{missing}");
    let nowhere = why(GitMount { url: format!("{}-not", mount.url).into(), ..mount.clone() }).await;
    assert!(nowhere.contains("there is no such repository"), "{nowhere}");

    // A history that was rewritten: the commit of the plan is not there any more.
    let content = ContentRef::Git("ffffffffffffffffffffffffffffffff".parse().unwrap());
    let gone = place.run(&prepare_git(content, &mount)).await.unwrap_err();
    assert!(gone.to_string().contains("leads to commit ffff"), "{gone}");
    assert!(place.look().await.contents.is_empty());
}

#[tokio::test]
async fn a_password_goes_to_the_repository_and_into_nobodys_words() {
    let mut place = Place::new();
    let name: SecretName = "code".parse().unwrap();
    place.secrets.insert(name.clone(), "open-sesame".to_owned().into());
    // A host that lets nobody in and notes what it is told.
    let host = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/team/code", host.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let mut told = String::new();
        for _ in 0..2 {
            let (mut caller, _) = host.accept().unwrap();
            let mut head = [0; 4096];
            let read = caller.read(&mut head).unwrap();
            told.push_str(&String::from_utf8_lossy(&head[..read]));
            let refusal = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\
                           Connection: close\r\n\r\n";
            caller.write_all(refusal.as_bytes()).unwrap();
        }
        told
    });
    let mount = GitMount {
        url: url.into(),
        branch: Some("main".into()),
        commit: None,
        username: Some("ci".into()),
        password: Some(name),
    };
    let error = place.pin(SourceRef::Git(mount)).await.unwrap_err();
    assert!(error.attempt.contains("its host does not let us"), "{}", error.attempt);
    assert!(!format!("{error:?}").contains("open-sesame"), "{error:?}");
    // `ci:open-sesame`, as HTTP writes it.
    assert!(heard.join().unwrap().contains("Basic Y2k6b3Blbi1zZXNhbWU="));
}

#[tokio::test]
async fn a_folder_of_an_image_is_mounted() {
    let place = Place::new();
    let archive = image::busybox_with(&[("models/word", "one"), ("models/deep/er", "two")]);
    image::import(&support::engine(), "test/models:1", archive, &[]).await;
    let part = |path: &str| ImageMount { image: "test/models:1".into(), path: path.into() };
    let pin = place.pin(SourceRef::Part(part("/models"))).await.unwrap();
    assert_ne!(pin, place.pin(SourceRef::Part(part("/bin"))).await.unwrap());
    let content = ContentRef::Part(pin.content);
    place.run(&prepare_part(content, &part("/models"))).await.unwrap();
    place.run(&prepare_part(content, &part("/models"))).await.unwrap();
    assert!(place.look().await.contents.contains(&content));
    let show = "echo deep: $(cat /mnt/code/deep/er); ".to_owned() + SHOW;
    let launch = launch_pinned(mounting(MountSource::Image(part("/models")), &show), pins(AT, pin.content));
    place.start(&launch).await;
    assert_eq!(place.line("word: ").await, "one read-only");
    assert_eq!(place.line("deep: ").await, "two");

    // A folder that the image lacks, a file, and an image that was changed meanwhile.
    for (path, expected) in [("/nowhere", "there is no such folder"), ("/models/word", "that is no folder")] {
        let pin = place.pin(SourceRef::Part(part(path))).await.unwrap();
        let refused = place.run(&prepare_part(ContentRef::Part(pin.content), &part(path))).await.unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
    let pin = place.pin(SourceRef::Part(part("/models/deep"))).await.unwrap();
    let archive = image::busybox_with(&[("models/deep/er", "three")]);
    image::import(&support::engine(), "test/models:1", archive, &[]).await;
    let refused = place.run(&prepare_part(ContentRef::Part(pin.content), &part("/models/deep"))).await.unwrap_err();
    assert!(refused.to_string().contains("test/models:1"), "{refused}");
    assert_eq!(place.look().await.contents.len(), 1);
}

#[tokio::test]
async fn a_file_server_is_asked_for_the_folder_by_the_engine() {
    let place = Place::new();
    let nfs =
        NfsMount { server: "127.0.0.1".into(), path: "/export/models".into(), read_only: true, resource_group: None };
    let launch = place::launch(mounting(MountSource::Nfs(nfs), "exec sleep 60"));
    let refused = place.run(&place::start(&launch)).await.unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(cause.contains(":/export/models") && cause.contains("addr=127.0.0.1"), "{cause}");
    assert!(refused.help().unwrap().contains("file server"), "{refused:?}");
    // Nothing stays behind.
    let name = format!("{}{}", place.prefix(), launch.instance);
    let found = support::engine().inspect_container(&name, None::<InspectContainerOptions>).await;
    assert!(found.is_err(), "{found:?}");
}
