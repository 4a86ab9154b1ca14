use super::*;
use crate::{IncludeError, Problems, Request, SourceFile, format, load};
use std::{collections::BTreeMap, sync::Arc};
use wharf_model::SecretSource;

/// The codes that an example yields.
fn codes(example: &Example) -> Vec<&'static str> {
    problems(example).iter().map(|problem| problem.code().as_str()).collect()
}

fn problems(example: &Example) -> Problems {
    let (mut inputs, mut environment, mut unset) = (BTreeMap::new(), None, Vec::new());
    let (mut others, mut values) = (Vec::new(), Vec::new());
    for given in example.given {
        match *given {
            Given::Input(name, value) => drop(inputs.insert(name.to_owned(), value.to_owned())),
            Given::Environment(name) => environment = Some(name),
            Given::Unset(variable) => unset.push(variable),
            Given::File(path, text) => others.push((path, text)),
            Given::Values(path, text) => values.push(SourceFile { name: path.into(), text: text.into() }),
        }
    }
    let check = |source: &SecretSource| match source {
        SecretSource::Env(name) if unset.contains(&&**name) => Err("not set".to_owned()),
        _ => Ok(()),
    };
    let files = [SourceFile { name: "wharf.kdl".into(), text: example.project().into() }];
    let include = |wanted: &str| {
        let other = others.iter().find(|(path, _)| *path == wanted);
        other.map(|(_, text)| Arc::from(*text)).ok_or_else(|| IncludeError::Unreadable("no such file".to_owned()))
    };
    load(&Request {
        files: &files,
        include: Some(&include),
        environment,
        inputs: &inputs,
        input_files: &values,
        wharf_version: "0.1.0",
        secrets: Some(&check),
        ..Request::default()
    })
    .problems
}

#[test]
fn every_code_is_explained_once() {
    let explained: Vec<_> = explanations().map(|known| known.code).collect();
    let lang: Vec<_> = explained.iter().copied().filter(|code| code.starts_with("wharf::lang::")).collect();
    for code in Code::ALL {
        assert_eq!(lang.iter().filter(|known| **known == code.as_str()).count(), 1, "{}", code.as_str());
    }
    assert_eq!(lang.len(), Code::ALL.len());
}

#[test]
fn wrong_examples_are_wrong_and_right_ones_are_right() {
    for known in explanations() {
        let (wrong, right) = (codes(&known.wrong), codes(&known.right));
        let by_plan = known.code.starts_with("wharf::plan::");
        assert!(by_plan || wrong.contains(&known.code), "{} yields {wrong:?}", known.code);
        assert!(!right.contains(&known.code), "{}", known.code);
        assert!(!problems(&known.right).has_errors(), "{}: {right:?}", known.code);
        let file = SourceFile { name: "wharf.kdl".into(), text: known.right.text.into() };
        assert_eq!(format(&file).ok().as_deref(), Some(known.right.text), "{}", known.code);
    }
}

#[test]
fn texts_keep_their_form() {
    for known in explanations() {
        assert!(!known.brief.ends_with('.') && known.brief.len() < 90, "{}", known.code);
        assert!(known.text.ends_with(['.', '`']), "{}", known.code);
    }
}

#[test]
fn codes_are_found_by_whatever_they_are_called() {
    for name in ["wharf::lang::unknown_node", "lang::unknown_node", "unknown_node", "Unknown-Node"] {
        assert_eq!(explain(name).map(|known| known.code), Some("wharf::lang::unknown_node"), "{name}");
    }
    assert!(explain("service.chat.instances").is_none());
    assert_eq!(nearest_code("wharf::lang::unknwon_node"), Some("wharf::lang::unknown_node"));
    assert_eq!(nearest_code("elephant"), None);
}
