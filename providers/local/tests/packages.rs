//! Third-party libraries, from a wheel that the test makes: no network is needed.

#![allow(clippy::disallowed_methods, reason = "what is tested is files, processes and time")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on should stop")]

mod support;

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path, process::Command, sync::Arc};
use support::*;
use wharf_local::{LocalProvider, LocalSettings};
use wharf_model::{Address, Call, ContentRef, Exit, Libraries, Operation, Pins, SourceError, SourcePin, SourceRef};
use wharf_provider::{Execute as _, Observe as _, OpContext, ProviderError, Scope};

const WHEEL: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + '/greet-1.0-py3-none-any.whl', 'w') as wheel:
    info = 'greet-1.0.dist-info/'
    wheel.writestr('greet.py', 'def main():\\n    print(\"greetings\")\\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: greet\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'entry_points.txt', '[console_scripts]\\ngreet = greet:main\\n')
    wheel.writestr(info + 'RECORD', 'greet.py,,\\n' + ''.join(info + n + ',,\\n' for n in
        ['METADATA', 'WHEEL', 'entry_points.txt', 'RECORD']))
";

const REQUIREMENT: &str = "./greet-1.0-py3-none-any.whl";

fn make_wheel(folder: &Path) {
    assert!(Command::new("python3").args(["-c", WHEEL]).arg(folder).status().unwrap().success());
}

fn libraries(requirements: &[Arc<str>]) -> Libraries {
    Libraries { image: None, requirements: requirements.to_vec() }
}

async fn source(provider: &LocalProvider, list: &[Arc<str>]) -> Result<SourcePin, SourceError> {
    let source = SourceRef::Packages(libraries(list));
    let scope = Scope { sources: [source.clone()].into(), ..Scope::default() };
    provider.observe(&scope).await.unwrap().sources.remove(&source).unwrap()
}

fn prepare(content: ContentRef, requirements: &[Arc<str>]) -> Operation {
    let call = Call::PreparePackages { content, libraries: libraries(requirements) };
    Operation { address: Address::Content(content), call }
}

#[tokio::test]
async fn libraries_are_installed_once_and_found() {
    let place = Place::new();
    make_wheel(&place.project());
    let list: [Arc<str>; 1] = [REQUIREMENT.into()];
    let pin = source(&place.provider(), &list).await.unwrap();
    let content = ContentRef::Packages(pin.content);
    let (progress, mut words) = tokio::sync::mpsc::unbounded_channel();
    let operation = prepare(content, &list);
    let cx = OpContext { operation: operation.id(), secrets: Arc::default(), progress };
    place.provider().execute(&operation, &cx).await.unwrap();
    assert!(words.try_recv().is_ok());
    place.run(&operation).await.unwrap();
    let text = "python -c 'import greet; greet.main()'; greet; python -c 'import sys; print(sys.flags.dont_write_bytecode)'; \
                folder=${PYTHONPATH%%:*}; touch $folder/x 2>/dev/null && echo written; exit 0";
    let mut template = script(text);
    template.packages = list.to_vec();
    let launch = launch_pinned(template, Pins { packages: Some(pin.content), ..Pins::default() });
    place.start(&launch).await;
    assert_eq!(place.end(&launch.instance).await, Exit::Code(0));
    assert_eq!(place.log().await, ["greetings", "greetings", "1"]);
    place.stop(&launch.instance).await;
    place.run(&drop_content(content)).await.unwrap();
    assert!(place.provider().clean_up().await.unwrap());
}

#[tokio::test]
async fn another_list_is_another_content() {
    let place = Place::new();
    let one = source(&place.provider(), &["flask==2.3.3".into()]).await.unwrap();
    let two = source(&place.provider(), &["flask==2.3.2".into()]).await.unwrap();
    assert_ne!(one, two);
    assert_eq!(source(&place.provider(), &["flask==2.3.3".into()]).await.unwrap(), one);
    let error = place.run(&prepare(ContentRef::Packages(one.content), &["other".into()])).await.unwrap_err();
    assert_eq!(error.to_string(), "the Python interpreter was changed after the plan was made");
}

#[tokio::test]
async fn what_pip_cannot_install_is_told_in_its_words() {
    let place = Place::new();
    let list: [Arc<str>; 1] = ["./nowhere-1.0-py3-none-any.whl".into()];
    let pin = source(&place.provider(), &list).await.unwrap();
    let error = place.run(&prepare(ContentRef::Packages(pin.content), &list)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Rejected { .. }));
    let words = error.to_string();
    assert!(words.starts_with("cannot install ./nowhere-1.0-py3-none-any.whl; pip says:\n"), "{words}");
    assert!(words.contains("nowhere"), "{words}");
    assert_eq!(fs::read_dir(place.state().join("content")).unwrap().count(), 0);
}

#[tokio::test]
async fn without_an_interpreter_the_command_that_helps_is_named() {
    let place = Place::new();
    let environment = BTreeMap::from([(OsString::from("PATH"), place.root.path().into())]);
    let provider = LocalProvider::new(LocalSettings { environment, ..place.settings() });
    let error = source(&provider, &["flask".into()]).await.unwrap_err();
    assert_eq!(error.help, "apt-get install python3 python3-pip");
}

#[tokio::test]
async fn a_start_without_its_libraries_is_missing_them() {
    let place = Place::new();
    let pin = source(&place.provider(), &["flask".into()]).await.unwrap();
    let launch = launch_pinned(script("true"), Pins { packages: Some(pin.content), ..Pins::default() });
    let error = place.run(&start(&launch)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Missing { .. }), "{error:?}");
}
