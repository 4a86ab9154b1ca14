//! Images from a registry with a login: what comes, what does not, and why.

use crate::{
    place::{Place, launch, script, start},
    support::{engine, image},
};
use bollard::{
    auth::DockerCredentials,
    query_parameters::{PushImageOptionsBuilder, RemoveImageOptions, TagImageOptionsBuilder},
};
use futures_util::TryStreamExt as _;
use secrecy::SecretString;
use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use wharf_model::{Pull, RegistrySpec, SourceRef};
use wharf_provider::ProviderError;

const PASSWORD: &str = "open-sesame";
const USERS: &str = "ci:$2b$04$vFu.9SXc.jDZ4AgoERqcN.GkXVfLekQfIZvOF99/9VZRwTIvYOl0u\n";

/// A registry of one's own, ended with the test.
struct Registry {
    process: Child,
    host: String,
    _root: tempfile::TempDir,
}

impl Registry {
    fn start() -> Self {
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
            assert!(begin.elapsed() < crate::support::PATIENCE, "docker-registry does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, host, _root: root }
    }

    /// Makes a new image and pushes it under this name.
    async fn push(&self, name: &str, word: &str) -> String {
        let local = format!("test/pushed-{word}:1");
        image::import(&engine(), &local, image::busybox_with(&[("word", word)]), &["ENV PATH=/bin"]).await;
        let repository = format!("{}/{name}", self.host);
        let tag = TagImageOptionsBuilder::default().repo(&repository).tag("1").build();
        engine().tag_image(&local, Some(tag)).await.unwrap();
        let login = DockerCredentials {
            username: Some("ci".to_owned()),
            password: Some(PASSWORD.to_owned()),
            ..DockerCredentials::default()
        };
        let options = PushImageOptionsBuilder::default().tag("1").build();
        engine().push_image(&repository, Some(options), Some(login)).try_collect::<Vec<_>>().await.unwrap();
        for name in [format!("{repository}:1"), local] {
            engine().remove_image(&name, None::<RemoveImageOptions>, None).await.unwrap();
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

fn place_with_login(registry: &Registry) -> Place {
    let mut place = Place::new();
    let spec = RegistrySpec { username: "ci".into(), password: "registry".parse().unwrap() };
    place.registries.insert(registry.host.parse().unwrap(), spec);
    place.secrets.insert("registry".parse().unwrap(), SecretString::from(PASSWORD.to_owned()));
    place
}

#[tokio::test]
async fn an_image_is_fetched_with_a_login_when_it_is_wanted() {
    let registry = Registry::start();
    let image = registry.push("team/app", "one").await;
    let place = place_with_login(&registry);
    let service = |name: &str, pull| {
        let mut template = script("echo word=$(cat /word); exec sleep 1000");
        template.image = Some(image.as_str().into());
        template.pull = pull;
        wharf_model::Launch { instance: name.parse().unwrap(), ..launch(template) }
    };
    let error = place.run(&start(&service("hello-0-g1", Some(Pull::Never)))).await.unwrap_err();
    assert!(matches!(error, ProviderError::Missing { .. }), "{error:?}");
    let (outcome, said) = place.run_saying(&start(&service("hello-0-g1", None))).await;
    outcome.unwrap();
    assert_eq!(said, [format!("pulling {image}")]);
    assert_eq!(place.line("word=").await, "one");

    // The tag moves: what is there is good enough, unless the file says otherwise.
    registry.push("team/app", "two").await;
    place.run(&crate::place::stop(&"hello-0-g1".parse().unwrap())).await.unwrap();
    place.start(&service("hello-1-g1", Some(Pull::Always))).await;
    assert_eq!(place.line("word=").await, "two");
}

#[tokio::test]
async fn an_image_that_does_not_come_says_which_cause_it_was() {
    let registry = Registry::start();
    let image = registry.push("team/app", "three").await;
    let place = place_with_login(&registry);
    let try_with = async |place: &Place, image: &str| {
        let mut template = script("");
        template.image = Some(image.into());
        place.run(&start(&launch(template))).await.unwrap_err()
    };
    let error = try_with(&place, &format!("{}/team/app:9", registry.host)).await;
    assert!(error.to_string().ends_with("has no such image or tag"), "{error}");
    let error = try_with(&Place::new(), &image).await;
    assert!(
        error.to_string().ends_with("does not let us") && error.help().unwrap().contains("registry \""),
        "{error:?}"
    );
    let error = try_with(&place, "registry.invalid/team/app:1").await;
    assert!(error.to_string().contains("nobody knows the host registry.invalid"), "{error}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = try_with(&place, &format!("{closed}/team/app:1")).await;
    assert!(error.to_string().ends_with("does not answer"), "{error}");
    // The same is told when only a plan is made.
    let source = SourceRef::Packages(wharf_model::Libraries {
        image: Some(format!("{}/team/app:9", registry.host).into()),
        requirements: vec!["x".into()],
    });
    let error = place.pin(source).await.unwrap_err();
    assert!(error.attempt.contains("cannot fetch image"), "{error:?}");
}
