//! A registry with a login, from which images come and to which they go.

use super::{engine, image};
use bollard::{
    auth::DockerCredentials,
    query_parameters::{PushImageOptionsBuilder, RemoveImageOptions, TagImageOptionsBuilder},
};
use futures_util::TryStreamExt as _;
use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The password of the user `ci`.
pub(crate) const PASSWORD: &str = "open-sesame";
const USERS: &str = "ci:$2b$04$vFu.9SXc.jDZ4AgoERqcN.GkXVfLekQfIZvOF99/9VZRwTIvYOl0u\n";

/// A registry of one's own, ended with the test.
pub(crate) struct Registry {
    process: Child,
    /// Where it answers.
    pub(crate) host: String,
    _root: tempfile::TempDir,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let root = tempfile::Builder::new().prefix("wharf-registry-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (at, host) = (root.path().display(), format!("127.0.0.1:{port}"));
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {at}/data}}}}\n\
             http: {{addr: '{host}'}}\nauth: {{htpasswd: {{realm: test, path: {at}/users}}}}\n"
        );
        fs::write(root.path().join("users"), USERS).unwrap();
        fs::write(root.path().join("config.yml"), config).unwrap();
        // Ends with the thread that began it, however that ends.
        let mut process = Command::new("setpriv");
        process.args(["--pdeathsig", "KILL", "docker-registry", "serve"]).arg(root.path().join("config.yml"));
        let process = process.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begin = Instant::now();
        while TcpStream::connect(&host).is_err() {
            assert!(begin.elapsed() < super::PATIENCE, "docker-registry does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, host, _root: root }
    }

    /// Makes a new image and pushes it under this name; answers the whole name.
    pub(crate) async fn push(&self, name: &str, word: &str) -> String {
        let local = format!("test/pushed-{word}:1");
        image::import(&engine(), &local, image::busybox_with(&[("word", word)]), &["ENV PATH=/bin"]).await;
        self.push_local(name, &local).await
    }

    /// Pushes what the engine has under this name once more.
    pub(crate) async fn push_again(&self, name: &str, word: &str) {
        let (here, local) = (format!("{}/{name}:1", self.host), format!("test/pushed-{word}:1"));
        let tag = TagImageOptionsBuilder::default().repo(&format!("test/pushed-{word}")).tag("1").build();
        engine().tag_image(&here, Some(tag)).await.unwrap();
        self.push_local(name, &local).await;
    }

    /// Pushes an image of the engine, and removes it there unless something is made from it.
    pub(crate) async fn push_local(&self, name: &str, local: &str) -> String {
        let repository = format!("{}/{name}", self.host);
        let tag = TagImageOptionsBuilder::default().repo(&repository).tag("1").build();
        engine().tag_image(local, Some(tag)).await.unwrap();
        let login = DockerCredentials {
            username: Some("ci".to_owned()),
            password: Some(PASSWORD.to_owned()),
            ..DockerCredentials::default()
        };
        let options = PushImageOptionsBuilder::default().tag("1").build();
        engine().push_image(&repository, Some(options), Some(login)).try_collect::<Vec<_>>().await.unwrap();
        for name in [format!("{repository}:1"), local.to_owned()] {
            // One that is in use stays.
            drop(engine().remove_image(&name, None::<RemoveImageOptions>, None).await);
        }
        format!("{repository}:1")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
