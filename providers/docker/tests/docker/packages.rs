//! Third-party libraries, from a wheel that lies in the image: no network is needed.

use crate::{
    place::{Place, launch_pinned, script},
    support::{engine, image},
};
use std::sync::Arc;
use wharf_model::{Address, Call, ContentRef, Libraries, Operation, Pins, Program, SourceRef};
use wharf_provider::ProviderError;

const WHEEL: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    info = 'greet-1.0.dist-info/'
    wheel.writestr('greet.py', 'def main():\\n    print(\"greetings\", flush=True)\\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: greet\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'entry_points.txt', '[console_scripts]\\ngreet = greet:main\\n')
    wheel.writestr(info + 'RECORD', 'greet.py,,\\n' + ''.join(info + n + ',,\\n' for n in
        ['METADATA', 'WHEEL', 'entry_points.txt', 'RECORD']))
";

/// An image with Python, and the wheel in its folder of temporary files.
async fn image_with_wheel() -> String {
    let name = "test/python-with-wheel:1".to_owned();
    let program = Program::Command(["python3", "-c", WHEEL, "/greet-1.0-py3-none-any.whl"].map(Arc::from).to_vec());
    let Program::Command(words) = program else { unreachable!() };
    let body = bollard::models::ContainerCreateBody {
        image: Some(image::PYTHON.to_owned()),
        cmd: Some(words.iter().map(ToString::to_string).collect()),
        ..Default::default()
    };
    let made = engine().create_container(None, body).await.unwrap().id;
    engine().start_container(&made, None).await.unwrap();
    let begin = std::time::Instant::now();
    while engine().inspect_container(&made, None).await.unwrap().state.unwrap().running == Some(true) {
        assert!(begin.elapsed() < crate::support::PATIENCE);
        crate::support::pause().await;
    }
    let options = bollard::query_parameters::CommitContainerOptionsBuilder::default().container(&made);
    let options = options.repo("test/python-with-wheel").tag("1").build();
    engine().commit_container(options, bollard::models::ContainerConfig::default()).await.unwrap();
    engine().remove_container(&made, None).await.unwrap();
    name
}

fn prepare(content: ContentRef, libraries: &Libraries) -> Operation {
    let call = Call::PreparePackages { content, libraries: libraries.clone() };
    Operation { address: Address::Packages("hello".parse().unwrap()), call }
}

#[tokio::test]
async fn libraries_are_installed_once_by_the_images_python_and_found() {
    let place = Place::new();
    let image: Arc<str> = image_with_wheel().await.into();
    let requirements = vec!["/greet-1.0-py3-none-any.whl".into()];
    let libraries = Libraries { image: Some(image.clone()), requirements };
    let pin = place.pin(SourceRef::Packages(libraries.clone())).await.unwrap();
    let content = ContentRef::Packages(pin.content);
    let (outcome, said) = place.run_saying(&prepare(content, &libraries)).await;
    outcome.unwrap();
    assert!(said.iter().any(|words| words.starts_with("Processing /greet-1.0")), "{said:?}");
    assert!(place.look().await.contents.contains(&content));
    let (again, said) = place.run_saying(&prepare(content, &libraries)).await;
    again.unwrap();
    assert!(said.is_empty(), "{said:?}");

    let mut template = script("greet; python3 -c 'import greet; print(\"from\", greet.__file__)'; exec sleep 1000");
    template.image = Some(image);
    template.packages.clone_from(&libraries.requirements);
    let pins = Pins { packages: Some(pin.content), ..Pins::default() };
    place.start(&launch_pinned(template, pins)).await;
    assert_eq!(place.line("from ").await, "/opt/wharf/libraries/site/greet.py");
    place.line("greetings").await;
}

#[tokio::test]
async fn libraries_that_cannot_be_installed_say_why_and_leave_nothing() {
    let place = Place::new();
    let libraries = |image: &str, requirement: &str| Libraries {
        image: Some(image.into()),
        requirements: vec![requirement.into()],
    };
    let missing = libraries(image::PYTHON, "/nothing-1.0-py3-none-any.whl");
    let content = ContentRef::Packages(place.pin(SourceRef::Packages(missing.clone())).await.unwrap().content);
    let error = place.run(&prepare(content, &missing)).await.unwrap_err();
    let ProviderError::Rejected { source, .. } = &error else { panic!("{error:?}") };
    assert!(source.as_ref().unwrap().to_string().contains("nothing-1.0"), "{error:?}");
    assert!(place.look().await.contents.is_empty());

    let without = libraries(image::BUSYBOX, "flask");
    let content = ContentRef::Packages(place.pin(SourceRef::Packages(without.clone())).await.unwrap().content);
    let error = place.run(&prepare(content, &without)).await.unwrap_err();
    assert!(error.to_string().ends_with("has no python3"), "{error}");

    let changed = prepare(ContentRef::Packages(wharf_model::ContentDigest::of([b"other".as_slice()])), &without);
    let error = place.run(&changed).await.unwrap_err();
    assert!(error.to_string().contains("was changed after the plan was made"), "{error}");
}
