//! Images from a registry with a login: what comes, what does not, and why.

use crate::{
    place::{Place, launch, launch_pinned, script, start},
    support::registry::{PASSWORD, Registry},
};
use secrecy::SecretString;
use std::{net::TcpListener, sync::Arc};
use wharf_model::{Address, Call, ContentRef, Operation, Pins, Pull, RegistrySpec, SourcePin, SourceRef};
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
    tells_of_a_pull(&said, &image);
    assert_eq!(place.line("word=").await, "one");

    // The tag moves: what is there is good enough, unless the file says otherwise.
    registry.push("team/app", "two").await;
    place.run(&crate::place::stop(&"hello-0-g1".parse().unwrap())).await.unwrap();
    place.start(&service("hello-1-g1", Some(Pull::Always))).await;
    assert_eq!(place.line("word=").await, "two");
}

#[tokio::test]
async fn a_revision_keeps_the_image_that_its_tag_stood_for() {
    let registry = Registry::start();
    let image: Arc<str> = registry.push("team/pinned", "four").await.into();
    let place = place_with_login(&registry);
    let source = SourceRef::Image(image.clone());
    let first = place.pin(source.clone()).await.unwrap();
    let prepare = |pin: &SourcePin| {
        let content = ContentRef::Image(pin.content);
        let call = Call::PrepareImage { content, image: image.clone() };
        Operation { address: Address::Image("hello".parse().unwrap()), call }
    };
    let (outcome, said) = place.run_saying(&prepare(&first)).await;
    outcome.unwrap();
    tells_of_a_pull(&said, &image);
    assert!(place.look().await.contents.contains(&ContentRef::Image(first.content)));
    assert_eq!(place.pin(source.clone()).await.unwrap(), first, "once it is here it is still the same");

    // The same content under the same tag is nothing new; other content is.
    registry.push_again("team/pinned", "four").await;
    assert_eq!(place.pin(source.clone()).await.unwrap(), first);
    registry.push("team/pinned", "five").await;
    let second = place.pin(source.clone()).await.unwrap();
    assert_ne!(second, first);
    place.run(&prepare(&second)).await.unwrap();
    let error = place
        .run(&prepare(&SourcePin { content: wharf_model::ContentDigest::of([b"x".as_slice()]), ..second.clone() }))
        .await;
    assert!(error.unwrap_err().to_string().contains("was changed after the plan was made"));

    // Instances get what their revision was pinned to, wherever the tag points now.
    let run = async |name: &str, pin: &SourcePin| {
        let mut template = script("echo word=$(cat /word); exec sleep 1000");
        template.image = Some(image.clone());
        let pins = Pins { image: Some(pin.content), ..Pins::default() };
        let launch = wharf_model::Launch { instance: name.parse().unwrap(), ..launch_pinned(template, pins) };
        place.start(&launch).await;
        let word = place.line("word=").await;
        place.run(&crate::place::stop(&launch.instance)).await.unwrap();
        word
    };
    assert_eq!(run("hello-0-g1", &first).await, "four");
    assert_eq!(run("hello-0-g2", &second).await, "five");
    // When the registry is gone, what is here is all there is to go by.
    drop(registry);
    assert!([first.content, second.content].contains(&place.pin(source).await.unwrap().content));
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

/// How far a pull is, is told only where it takes a while.
fn tells_of_a_pull(said: &[String], image: &str) {
    let whole = format!("pulling {image}");
    let how_far = format!("{whole}: ");
    assert_eq!(said.first(), Some(&whole), "{said:?}");
    assert!(said[1..].iter().all(|word| word.starts_with(&how_far)), "{said:?}");
}
