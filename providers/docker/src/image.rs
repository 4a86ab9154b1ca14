//! Images: which one a name means, how it gets to the engine, and why it does not.

use crate::{
    engine::{Eyes, Hands},
    error,
};
use bollard::{
    auth::DockerCredentials,
    errors::Error as EngineError,
    models::{CreateImageInfo, ImageInspect},
};
use futures_util::StreamExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use wharf_model::{Pull, RegistryHost, RegistrySpec, SourceError};
use wharf_provider::{OpContext, ProviderError, SecretValues};

/// How often a pull says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// The parts of an image's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// The registry, when the name says one.
    pub(crate) registry: Option<&'a str>,
    /// Registry and repository.
    pub(crate) repository: &'a str,
    /// A tag, or a digest.
    pub(crate) tag: &'a str,
}

impl<'a> Reference<'a> {
    pub(crate) fn of(image: &'a str) -> Self {
        let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
        let last = name.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match name[last..].split_once(':') {
            Some((own, tag)) => (&name[..last + own.len()], Some(tag)),
            None => (name, None),
        };
        let registry = repository.split_once('/').map(|(first, _)| first);
        let registry = registry.filter(|first| first.contains(['.', ':']) || *first == "localhost");
        Self { registry, repository, tag: digest.or(tag).unwrap_or("latest") }
    }
}

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// What exactly it is.
    pub(crate) id: String,
    /// The variables that it sets.
    pub(crate) env: BTreeMap<String, String>,
}

impl From<ImageInspect> for Image {
    fn from(found: ImageInspect) -> Self {
        let env = found.config.and_then(|config| config.env).unwrap_or_default();
        let pair = |line: String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { id: found.id.unwrap_or_default(), env: env.into_iter().filter_map(pair).collect() }
    }
}

/// The digests that the registry of the name knows an image by; none when it came from no registry.
fn digests(image: &str, found: &ImageInspect) -> Vec<String> {
    let repository = Reference::of(image).repository;
    let known = found.repo_digests.iter().flatten().filter_map(|known| known.split_once('@'));
    known.filter(|(name, _)| *name == repository).map(|(_, digest)| digest.to_owned()).collect()
}

/// What tells an image from every other, wherever it is: the digest that its registry knows it by now, or its own id if
/// it came from none. Where the registry does not answer, what the engine has is all there is to go by.
pub(crate) async fn identify(eyes: &Eyes, image: &str, logins: &Logins) -> Result<String, SourceError> {
    let attempt = |error: EngineError| {
        let error = refused(image, error);
        SourceError { attempt: chain(&error), help: error.help().unwrap_or_default().to_owned() }
    };
    let found = eyes.image(image).await.map_err(attempt)?;
    let known = found.as_ref().map(|found| digests(image, found));
    if let (Some(found), Some([])) = (&found, known.as_deref()) {
        return Ok(found.id.clone().unwrap_or_default());
    }
    match eyes.registry_image(image, logins.of(image)).await {
        Ok(described) => described.descriptor.digest.ok_or_else(|| SourceError {
            attempt: format!("the registry of {image} does not say which image that is"),
            help: "name the image by its digest".to_owned(),
        }),
        Err(error) => known.and_then(|known| known.into_iter().min()).ok_or_else(|| attempt(error)),
    }
}

/// Whether what the engine has under a name is the image that was identified.
pub(crate) fn is(image: &str, found: &ImageInspect, identity: &dyn Fn(&str) -> bool) -> bool {
    let known = digests(image, found);
    if known.is_empty() { found.id.as_deref().is_some_and(identity) } else { known.iter().any(|one| identity(one)) }
}

fn chain(error: &ProviderError) -> String {
    let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
    format!("{error}{cause}")
}

/// An image once it is there; whoever holds the lock has the turn to fetch it.
type Known = Arc<tokio::sync::Mutex<Option<Image>>>;

/// The images of the engine, as far as this process has made sure of them.
#[derive(Default)]
pub(crate) struct Images {
    known: Mutex<HashMap<Arc<str>, Known>>,
}

/// What opens registries.
#[derive(Debug, Clone, Default)]
pub struct Logins(BTreeMap<RegistryHost, (Arc<str>, SecretString)>);

impl Logins {
    /// The logins whose passwords are known.
    pub fn of_specs(specs: &BTreeMap<RegistryHost, RegistrySpec>, secrets: &SecretValues) -> Self {
        let known = specs.iter().filter_map(|(host, RegistrySpec { username, password })| {
            let password = secrets.expose(password)?.to_owned();
            Some((host.clone(), (username.clone(), SecretString::from(password))))
        });
        Self(known.collect())
    }

    /// What opens the registry of an image, if anything is known.
    fn of(&self, image: &str) -> Option<DockerCredentials> {
        let host = Reference::of(image).registry?;
        let (host, (username, password)) = self.0.iter().find(|(known, _)| known.as_str() == host)?;
        Some(DockerCredentials {
            username: Some(username.to_string()),
            password: Some(password.expose_secret().to_owned()),
            serveraddress: Some(host.to_string()),
            ..DockerCredentials::default()
        })
    }
}

impl Images {
    /// Makes sure that the engine has an image. Whoever needs the same one waits for the first.
    pub(crate) async fn ready(
        &self,
        hands: &Hands,
        image: &Arc<str>,
        pull: Option<Pull>,
        logins: &Logins,
        cx: &OpContext,
    ) -> Result<Image, ProviderError> {
        let turn = self.turn(image);
        let mut known = turn.lock().await;
        if let (Some(known), false) = (&*known, pull == Some(Pull::Always)) {
            return Ok(known.clone());
        }
        let look = async || {
            let found = hands.image(image).await;
            found.map_err(error::engine(format!("cannot look at image {image}")))
        };
        let found = match (pull.unwrap_or(Pull::Missing), look().await?) {
            (Pull::Missing | Pull::Never, Some(found)) => found,
            (Pull::Never, None) => {
                let attempt = format!("image {image} is not on the engine, and `pull \"never\"` says not to fetch it");
                let help = format!("`docker pull {image}` or `docker load` on the engine's machine, or another `pull`");
                return Err(ProviderError::Missing { attempt, help });
            }
            (Pull::Always | Pull::Missing, _) => {
                fetch(hands, image, logins.of(image), cx).await?;
                look().await?.ok_or_else(|| ProviderError::Missing {
                    attempt: format!("image {image} was fetched, and the engine does not have it"),
                    help: "see that nobody removes images from the engine at the same time".to_owned(),
                })?
            }
        };
        Ok(known.insert(found.into()).clone())
    }

    /// An image that was made ready before, by its id.
    pub(crate) async fn by_id(&self, hands: &Hands, id: &str) -> Result<Option<Image>, ProviderError> {
        let turn = self.turn(&id.into());
        let mut known = turn.lock().await;
        if known.is_none() {
            let found = hands.image(id).await.map_err(error::engine(format!("cannot look at image {id}")))?;
            *known = found.map(Image::from);
        }
        Ok(known.clone())
    }

    fn turn(&self, image: &Arc<str>) -> Known {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(image.clone()).or_default().clone()
    }
}

async fn fetch(
    hands: &Hands,
    image: &str,
    login: Option<DockerCredentials>,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let Reference { repository, tag, .. } = Reference::of(image);
    cx.say(format!("pulling {image}"));
    let mut steps = std::pin::pin!(hands.pull(repository, tag, login));
    let mut layers = Layers::default();
    let mut said = Instant::now();
    while let Some(step) = steps.next().await {
        layers.note(step.map_err(|error| refused(image, error))?);
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            cx.say(format!("pulling {image}: {layers}"));
        }
    }
    Ok(())
}

/// How far each layer of a pull is.
#[derive(Debug, Default)]
struct Layers(BTreeMap<String, Layer>);

#[derive(Debug, Default)]
struct Layer {
    done: bool,
    here: i64,
    size: i64,
}

impl Layers {
    fn note(&mut self, step: CreateImageInfo) {
        let (Some(id), Some(status)) = (step.id, step.status) else { return };
        if status.starts_with("Pulling from") {
            return;
        }
        let layer = self.0.entry(id).or_default();
        layer.done |= matches!(status.as_str(), "Pull complete" | "Already exists" | "Download complete");
        if let ("Downloading", Some(progress)) = (status.as_str(), step.progress_detail) {
            layer.here = progress.current.unwrap_or(layer.here);
            layer.size = progress.total.unwrap_or(layer.size);
        }
        if layer.done {
            layer.here = layer.size;
        }
    }
}

impl std::fmt::Display for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sum = |part: fn(&Layer) -> i64| self.0.values().map(part).sum::<i64>() / (1 << 20);
        let done = self.0.values().filter(|layer| layer.done).count();
        let (here, size) = (sum(|layer| layer.here), sum(|layer| layer.size));
        write!(f, "{done} of {} layers, {here} of {size} MiB", self.0.len())
    }
}

/// Why an image does not come: the causes that users meet, told apart.
fn refused(image: &str, error: EngineError) -> ProviderError {
    let words = error.to_string().to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let registry = Reference::of(image).registry.unwrap_or("docker.io");
    let attempt = format!("cannot fetch image {image}");
    let source = |error| Some(Box::new(error) as Box<dyn std::error::Error + Send + Sync>);
    if says(&["no such host", "server misbehaving", "temporary failure in name resolution"]) {
        let help = format!("correct the name of the registry, or see that the engine's machine finds {registry}");
        return ProviderError::Rejected {
            attempt: format!("{attempt}: nobody knows the host {registry}"),
            help,
            source: source(error),
        };
    }
    if says(&["unauthorized", "authentication required", "no basic auth", "access denied", "denied:"]) {
        let help = format!(
            "write `registry \"{registry}\" username=\"…\" password=(secret)\"…\"`, and see that this account may read the \
             repository; some registries say the same of a repository that does not exist"
        );
        return ProviderError::Denied {
            attempt: format!("{attempt}: {registry} does not let us"),
            help,
            source: source(error),
        };
    }
    if says(&["manifest unknown", "manifest for", "not found: manifest", "name unknown", "repository does not exist"]) {
        let help = "correct the tag or the repository, or push the image".to_owned();
        return ProviderError::Missing { attempt: format!("{attempt}: {registry} has no such image or tag"), help };
    }
    if says(&["http response to https client"]) {
        let help =
            format!("add {registry} to `insecure-registries` in the engine's daemon.json, or give the registry TLS");
        return ProviderError::Rejected {
            attempt: format!("{attempt}: {registry} speaks no TLS"),
            help,
            source: source(error),
        };
    }
    if says(&["connection refused", "i/o timeout", "no route to host", "network is unreachable"]) {
        let help = format!("see that {registry} runs, and that the engine's machine reaches it");
        return ProviderError::Rejected {
            attempt: format!("{attempt}: {registry} does not answer"),
            help,
            source: source(error),
        };
    }
    error::engine(attempt)(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_falls_into_its_parts() {
        let check = |image: &str, registry: Option<&str>, repository: &str, tag: &str| {
            assert_eq!(Reference::of(image), Reference { registry, repository, tag }, "{image}");
        };
        check("busybox", None, "busybox", "latest");
        check("team/app:1.2", None, "team/app", "1.2");
        check("registry.example.com/app", Some("registry.example.com"), "registry.example.com/app", "latest");
        check("127.0.0.1:5000/a/b:x", Some("127.0.0.1:5000"), "127.0.0.1:5000/a/b", "x");
        check("localhost/app:1@sha256:00", Some("localhost"), "localhost/app", "sha256:00");
    }

    #[test]
    fn a_pull_that_fails_says_which_cause_it_was() {
        let check = |message: &str, expected: &str| {
            let error = EngineError::DockerStreamError { error: message.to_owned() };
            let error = refused("registry.example.com/app:1", error);
            assert!(error.to_string().ends_with(expected), "{error}");
            assert!(error.help().is_some_and(|help| !help.is_empty()), "{error}");
        };
        check("dial tcp: lookup registry.example.com: no such host", "nobody knows the host registry.example.com");
        check("unauthorized: authentication required", "registry.example.com does not let us");
        check("manifest for app:1 not found: manifest unknown", "registry.example.com has no such image or tag");
        check("dial tcp 127.0.0.1:5000: connect: connection refused", "registry.example.com does not answer");
        check("http: server gave HTTP response to HTTPS client", "registry.example.com speaks no TLS");
        check("write /layer: no space left on device", "cannot fetch image registry.example.com/app:1");
    }

    #[test]
    fn progress_is_told_over_all_layers() {
        let step = |id: &str, status: &str, current: i64| CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: Some(bollard::models::ProgressDetail { current: Some(current), total: Some(4 << 20) }),
            ..CreateImageInfo::default()
        };
        let mut layers = Layers::default();
        layers.note(step("1.0", "Pulling from app", 0));
        layers.note(step("aa", "Downloading", 1 << 20));
        layers.note(step("bb", "Downloading", 4 << 20));
        layers.note(step("bb", "Pull complete", 0));
        assert_eq!(layers.to_string(), "1 of 2 layers, 5 of 8 MiB");
    }
}
