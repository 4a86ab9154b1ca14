//! KDL files in, a checked and resolved deployment out.
//!
//! [`load`] takes the texts of a project and says what they ask for in one environment, or everything that is wrong with
//! them. It reads no file, no clock and no environment: what lies outside is in the [`Request`]. It knows no provider;
//! whether a runtime can honour a field is judged where the plan is made.
//!
//! A text goes through four steps. `syntax` turns it into a tree; `admit` holds the tree against the one table
//! of the language in `schema`; `overlay` lays the chosen environment over it; `decode` makes the values of `wharf-model`
//! and checks what they mean together. Each step reports all it finds and hands on the rest, so one run tells everything.

mod admit;
mod block;
mod characters;
mod count;
mod decode;
mod explain;
mod format;
mod interpolate;
mod overlay;
mod print;
mod problem;
mod schema;
mod source;
#[cfg(test)]
mod specification;
mod suggest;
mod syntax;
mod value;
mod version;

pub use explain::{
    Example, Explanation, Given, explain, explanation_text, explanations, explanations_text, nearest_code,
};
pub use format::format;
pub use print::{problems_github, problems_json, problems_sarif};
pub use problem::{Code, Problem, Problems, Region, Severity, Spot};
pub use schema::{
    Argument, Count, NodeSchema, Overlay, Property, Type, schema, schema_json, schema_kdl, schema_markdown, schema_text,
};

use admit::Admit;
use block::Block;
use decode::{Decode, Project, choose};
use interpolate::Inputs;
use source::Sources;
use std::{collections::BTreeMap, sync::Arc};
use suggest::did_you_mean;
use syntax::{Node, Scalar};
use version::Versions;
use wharf_model::{Deployment, SecretSource};

/// A file of a project.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its path, relative to the project's folder.
    pub name: Arc<str>,
    /// What it holds.
    pub text: Arc<str>,
}

/// Says whether a secret's value can be read, and if not, why.
pub type SecretCheck<'a> = &'a dyn Fn(&SecretSource) -> Result<(), String>;

/// A project, and what the caller adds to it.
pub struct Request<'a> {
    /// The files, in name order.
    pub files: &'a [SourceFile],
    /// The environment that is asked for; the only one when none is.
    pub environment: Option<&'a str>,
    /// The values of inputs that the caller sets.
    pub inputs: &'a BTreeMap<String, String>,
    /// The version of wharf, for projects that ask for one.
    pub wharf_version: &'a str,
    /// Asked about each secret that the environment uses; none when nobody wants to know.
    pub secrets: Option<SecretCheck<'a>>,
}

/// What a project came to.
#[derive(Debug)]
pub struct Loaded {
    /// What it asks for, when there is no error.
    pub deployment: Option<Deployment>,
    /// What is wrong with it, by file and place.
    pub problems: Problems,
}

/// Reads a project. Reports every problem that can be seen; never panics, whatever the texts hold.
pub fn load(request: &Request<'_>) -> Loaded {
    let sources = Sources::new(request.files);
    let mut problems = Problems::default();
    let tree = syntax::parse(&sources);
    let incomplete = !tree.problems.is_empty();
    tree.problems.into_iter().for_each(|problem| problems.push(problem));

    let inputs = gather_inputs(&tree.nodes, request.inputs);
    let mut admit = Admit { sources: &sources, inputs: &inputs, problems: &mut problems, incomplete };
    let mut blocks = admit.top(&tree.nodes);
    // The blocks hold all that is still needed.
    drop(tree.nodes);
    let environment = choose(&mut admit, &mut blocks, request.environment);
    check_inputs(&mut problems, &blocks, &inputs, request.inputs, incomplete);
    check_version(&mut problems, &blocks, request.wharf_version);

    let decode = Decode::new(&sources, &mut problems, &blocks, incomplete);
    let deployment = decode.deployment(&Project { blocks: &blocks, environment }, request.secrets);
    let deployment = deployment.filter(|_| !problems.has_errors());
    Loaded { deployment, problems: problems.finish(&sources) }
}

/// The inputs must be known before any other value can be read, so they are taken from the tree as it is.
fn gather_inputs(nodes: &[Node], given: &BTreeMap<String, String>) -> Inputs {
    let text = |scalar: &Scalar| match scalar {
        Scalar::Text(text) => Some(Arc::clone(text)),
        Scalar::Integer(number) => Some(number.to_string().into()),
        Scalar::Float(number) => Some(number.to_string().into()),
        Scalar::Boolean(value) => Some(value.to_string().into()),
        Scalar::Null => None,
    };
    let mut inputs = Inputs::new();
    for node in nodes.iter().filter(|node| &*node.name.text == "input") {
        let name = node.entries.iter().find(|entry| entry.key.is_none()).and_then(|entry| text(&entry.value));
        let is_default = |key: &syntax::Word| &*key.text == "default";
        let default = node.entries.iter().find(|entry| entry.key.as_ref().is_some_and(is_default));
        let Some(name) = name else { continue };
        let value = given.get(&*name).map(|value| value.as_str().into());
        inputs.insert(name, value.or_else(|| text(&default?.value)));
    }
    inputs
}

fn check_inputs(
    problems: &mut Problems,
    blocks: &[Block],
    inputs: &Inputs,
    given: &BTreeMap<String, String>,
    incomplete: bool,
) {
    for block in blocks.iter().filter(|block| block.row.path == "input") {
        let Some(name) = block.key() else { continue };
        let value = inputs.get(&*name).cloned().flatten();
        if value.is_none() && !block.properties.contains_key("default") {
            let problem = Problem::error(Code::MissingInput, format!("input `{name}` has no value"));
            let help = format!("set it with `--input {name}=…`, or give it a default");
            problems.push(problem.at(block.title_at(), "no default").help(help));
        }
    }
    for name in given.keys().filter(|name| !inputs.contains_key(&***name) && !incomplete) {
        let known = did_you_mean(name, inputs.keys().map(|name| &**name));
        let help = known.unwrap_or_else(|| "the project declares no inputs".to_owned());
        problems.push(Problem::error(Code::UnknownInput, format!("there is no input `{name}`")).help(help));
    }
}

fn check_version(problems: &mut Problems, blocks: &[Block], wharf: &str) {
    let wanted = blocks.iter().find(|block| block.row.path == "project");
    let Some(wanted) = wanted.and_then(|block| block.property::<Versions>("requires-wharf")) else { return };
    if !wanted.value.hold(wharf) {
        let message = format!("the project asks for wharf {}, and this is {wharf}", wanted.value);
        let problem = Problem::error(Code::WharfVersion, message).at(wanted.at, "not this one");
        problems.push(problem.help("use a version of wharf that it asks for".to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_model::{Bytes, Probe, RolloutPolicy, Shutdown};

    /// Loads one file, without secrets, and returns the codes of what is wrong.
    fn check(text: &str) -> (Option<Deployment>, Vec<&'static str>) {
        let files = [SourceFile { name: "wharf.kdl".into(), text: text.into() }];
        let inputs = BTreeMap::new();
        let request =
            Request { files: &files, environment: None, inputs: &inputs, wharf_version: "0.1.0", secrets: None };
        let loaded = load(&request);
        let codes = loaded.problems.iter().map(|problem| problem.code().as_str()).collect();
        (loaded.deployment, codes)
    }

    const SMALL: &str = "project \"p\"\ngateway \"g\" { listen 8600 }\n\
        service \"s\" { command \"x\"; port 8000; health { readiness { tcp } } }";

    #[test]
    fn the_defaults_of_the_schema_are_those_of_the_model() {
        let deployment = check(SMALL).0.unwrap();
        let service = deployment.services.values().next().unwrap();
        assert_eq!(service.rollout, RolloutPolicy::default());
        assert_eq!(service.shutdown, Shutdown::default());
        assert_eq!(service.template.readiness, Some(Probe::fallback()));
        let gateway = deployment.gateways.values().next().unwrap();
        assert!(gateway.address.is_loopback());
        assert_eq!(gateway.max_body, Some(Bytes(1 << 20)));
    }

    #[test]
    fn a_warning_stops_nothing_and_an_error_does() {
        let (deployment, codes) = check(&SMALL.replace("health { readiness { tcp } }", ""));
        assert!(deployment.is_some());
        assert_eq!(codes, ["wharf::lang::no_readiness"]);
        let (deployment, codes) = check(&SMALL.replace("8000", "9090"));
        assert!(deployment.is_none());
        assert_eq!(codes, ["wharf::lang::reserved_port"]);
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_missing() {
        let (_, codes) = check("service \"s\" { command \"x\"; port true; health { readiness { tcp } } }\n");
        assert_eq!(codes, ["wharf::lang::syntax"]);
        let text = "oops true\nservice \"s\" { command \"x${input.there}\"; port 1; expose \"g\"; health { readiness { tcp } } }";
        assert_eq!(check(text).1, ["wharf::lang::syntax"]);
    }

    #[test]
    fn line_ends_and_byte_order_marks_of_other_systems_are_read() {
        assert_eq!(check(&SMALL.replace('\n', "\r\n")).1, [""; 0]);
        assert_eq!(check(&SMALL.replace('\n', "\r")).1, [""; 0]);
        assert_eq!(check(&format!("\u{feff}{SMALL}")).1, [""; 0]);
        assert_eq!(check(&format!("// none\n/- kdl-version 2\n{SMALL} // end")).1, [""; 0]);
    }

    #[test]
    fn what_is_commented_out_does_not_count() {
        let text = format!("/-\nservice \"s\" {{\n port 1\n}}\n{SMALL}\n/- service \"s\" {{\n}}\n");
        assert_eq!(check(&text).1, [""; 0]);
        assert_eq!(check(&SMALL.replace("port 8000;", "port /- 8080 8000\n/-port 1\n")).1, [""; 0]);
    }

    #[test]
    fn no_files_are_no_project() {
        let inputs = BTreeMap::new();
        let request = Request { files: &[], environment: None, inputs: &inputs, wharf_version: "0.1.0", secrets: None };
        let loaded = load(&request);
        assert!(loaded.deployment.is_none());
        assert_eq!(loaded.problems.len(), 1);
    }
}
