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
mod circle;
mod count;
mod cron;
mod declared;
mod decode;
mod edit;
mod explain;
mod format;
mod guess;
mod include;
mod input;
mod interpolate;
mod layer;
mod overlay;
mod print;
mod problem;
mod resolved;
mod reuse;
mod schema;
mod source;
#[cfg(test)]
mod specification;
mod stray;
mod suggest;
mod syntax;
mod threads;
mod value;
mod version;
mod words;

pub use edit::edited;
pub use explain::{
    Example, Explanation, Given, explain, explanation_text, explanations, explanations_text, nearest_code,
};
pub use format::format;
pub use include::{Include, IncludeError, with_included};
pub use input::Variable;
pub use print::{problems_github, problems_json, problems_sarif};
pub use problem::{Code, Problem, Problems, Region, Severity, Spot};
pub use resolved::{Defaults, FilledIn, Resolved, ResolvedField, Said, SetBy, Speaker};
pub use schema::{
    Argument, Count, Feature, NodeSchema, Overlay, Property, Reuse, Type, features, schema, schema_json, schema_kdl,
    schema_markdown, schema_text,
};
pub use suggest::did_you_mean;

use admit::Admit;
use block::Block;
use declared::Declared;
use decode::{Decode, Project, choose};
use input::{Asked, FileValue, read_json, read_kdl};
use interpolate::Scope;
use reuse::Templates;
use source::Sources;
use std::{collections::BTreeMap, num::NonZero, sync::Arc};
use threads::Threads;
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
    /// Reads the files that those include; none when there are no more.
    pub include: Option<Include<'a>>,
    /// The environment that is asked for; the only one when none is.
    pub environment: Option<&'a str>,
    /// The values of inputs that the caller sets.
    pub inputs: &'a BTreeMap<String, String>,
    /// Files with values of inputs, for those that the caller does not set. In JSON by their name, else in KDL; later
    /// files have the last word.
    pub input_files: &'a [SourceFile],
    /// Says what variables hold, for inputs that nothing else sets.
    pub variable: Option<Variable<'a>>,
    /// The version of wharf, for projects that ask for one.
    pub wharf_version: &'a str,
    /// Asked about each secret that the environment uses; none when nobody wants to know.
    pub secrets: Option<SecretCheck<'a>>,
    /// How many threads share the work, however little it is. When it is not said, one for each core, where that is worth
    /// it. What comes out is the same.
    pub threads: Option<NonZero<usize>>,
    /// Told as each step begins, for those who want to know how long each takes.
    pub watch: Option<&'a dyn Fn(Step)>,
}

/// A step of reading a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Texts are turned into trees, and files that they include are read.
    Parse,
    /// Trees are held against the schema.
    Admit,
    /// Templates are put in, and overlays of the environment are laid over.
    Expand,
    /// Values of the model are made, and it is checked what they mean together.
    Decode,
    /// Everything is there.
    Done,
}

impl Default for Request<'_> {
    fn default() -> Self {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        Self {
            files: &[],
            include: None,
            environment: None,
            inputs: &NONE,
            input_files: &[],
            variable: None,
            wharf_version: "",
            secrets: None,
            threads: None,
            watch: None,
        }
    }
}

/// What a project came to.
#[derive(Debug)]
pub struct Loaded {
    /// What it asks for, when there is no error.
    pub deployment: Option<Deployment>,
    /// The same with everything laid together, and where each value comes from.
    pub resolved: Option<Resolved>,
    /// What is wrong with it, by file and place.
    pub problems: Problems,
    /// Every file that was read: those of the request, those that they include, and those with values of inputs.
    pub files: Vec<SourceFile>,
}

/// Reads a project. Reports every problem that can be seen; never panics, whatever the texts hold.
pub fn load(request: &Request<'_>) -> Loaded {
    let threads = request.threads.map_or(Threads::Cores, Threads::Exactly);
    let begin = |step| request.watch.iter().for_each(|watch| watch(step));
    begin(Step::Parse);
    let include::Files { mut files, tree, problems: refused, .. } =
        include::gather(request.files, request.include, threads);
    begin(Step::Admit);
    let own = files.len();
    files.extend(request.input_files.iter().cloned());
    let sources = Sources::new(&files);
    let incomplete = !tree.problems.is_empty() || !refused.is_empty();
    let mut problems = Problems::default();
    tree.problems.into_iter().chain(refused).for_each(|problem| problems.push(problem));

    let declared = Declared::gather(&tree.nodes, "input");
    let given = Asked {
        arguments: request.inputs,
        files: input_values(&sources, own, &mut problems),
        variable: request.variable,
    };
    let inputs = input::settle(&declared, &given, &mut problems, incomplete);
    let scope = Scope { inputs: inputs.into(), parameters: None };
    let templates = Templates::gather(&tree.nodes, &mut problems);

    let mut admit = Admit {
        sources: &sources,
        scope: &scope,
        templates: &templates,
        problems: &mut problems,
        incomplete,
        by: None,
        spent: 0,
        threads,
    };
    let mut blocks = admit.top(tree.nodes);
    begin(Step::Expand);
    admit.check_templates();
    admit.expand_all(&mut blocks);
    let environment = choose(&mut admit, &mut blocks, request.environment);
    check_version(&mut problems, &blocks, request.wharf_version);

    begin(Step::Decode);
    let project = Project { blocks: &blocks, environment };
    let decode = Decode::new(&sources, &mut problems, &project, incomplete, threads);
    let deployment = decode.deployment(&project, request.secrets);
    let deployment = deployment.filter(|_| !problems.has_errors());
    let problems = problems.finish(&sources);
    let resolved = deployment.as_ref().map(|deployment| Resolved {
        blocks,
        files: files.clone(),
        environment: deployment.environment.clone(),
    });
    begin(Step::Done);
    Loaded { deployment, resolved, problems, files }
}

/// The values in the files after the first `own`.
fn input_values(sources: &Sources<'_>, own: usize, problems: &mut Problems) -> Vec<FileValue> {
    let mut values = Vec::new();
    for index in own..sources.files().len() {
        if sources.file(index).name.ends_with(".json") {
            values.append(&mut read_json(sources, index, problems));
        } else {
            let tree = syntax::parse(sources.files(), index..index + 1, Threads::Cores);
            tree.problems.into_iter().for_each(|problem| problems.push(problem));
            values.append(&mut read_kdl(&tree.nodes, problems));
        }
    }
    values
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
        let request = Request { files: &files, wharf_version: "0.1.0", ..Request::default() };
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
        let request = Request { wharf_version: "0.1.0", ..Request::default() };
        let loaded = load(&request);
        assert!(loaded.deployment.is_none());
        assert_eq!(loaded.problems.len(), 1);
    }
}
