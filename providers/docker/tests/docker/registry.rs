//! Images from a registry with a login: what comes, what does not, and why.

use crate::{
    place::{Place, launch, script, start},
    support::registry::{PASSWORD, Registry},
};
use secrecy::SecretString;
use std::net::TcpListener;
use wharf_model::{Pull, RegistrySpec, SourceRef};
use wharf_provider::ProviderError;

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
