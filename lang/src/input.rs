//! The values of a project's inputs: from `--input`, else from a file of values, else from the environment, else the
//! default. A value that does not fit is a problem that says who gave it.

use crate::{
    declared::Declared,
    interpolate::{Value, Values},
    layer::Setting,
    problem::{Code, Problem, Problems},
    source::{Place, Sources},
    suggest::did_you_mean,
    syntax::{Entry, Node, Scalar},
};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Says what a variable of the environment holds.
pub type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What the variables that set inputs begin with.
const VARIABLE: &str = "WHARF_INPUT_";

/// What the caller sets.
pub(crate) struct Asked<'a> {
    pub(crate) arguments: &'a BTreeMap<String, String>,
    pub(crate) files: Vec<FileValue>,
    pub(crate) variable: Option<Variable<'a>>,
}

/// A value of a file of values.
#[derive(Debug)]
pub(crate) struct FileValue {
    name: Arc<str>,
    value: Scalar,
    at: Place,
}

/// The value of every input that is declared. `incomplete` says that some text could not be read, so that an input that
/// seems not to be declared may be.
pub(crate) fn settle(declared: &[Declared], given: &Asked<'_>, problems: &mut Problems, incomplete: bool) -> Values {
    let mut values = Values::new();
    let files: HashMap<&str, &FileValue> = given.files.iter().map(|value| (&*value.name, value)).collect();
    for input in declared {
        input.check(problems);
        let value = match given.arguments.get(&*input.name) {
            Some(text) => Some(argument(input, text, problems)),
            None => match files.get(&*input.name) {
                Some(value) => Some(file_value(input, value, problems)),
                None => variable(input, given.variable, problems),
            },
        };
        if let Some(value) = value {
            values.insert(Arc::clone(&input.name), value);
        } else if input.is_needed() {
            missing(input, problems);
        }
    }
    Declared::fill(declared, &mut values);
    if !incomplete {
        unknown(declared, given, problems);
    }
    values
}

fn argument(input: &Declared, text: &str, problems: &mut Problems) -> Option<Value> {
    let read = input.read_text(text, Setting::Argument);
    read.unwrap_or_else(|why| {
        let message = format!("input `{}` {why}, and `--input` sets it to `{text}`", input.name);
        problems.push(Problem::error(Code::InputValue, message).at(input.at, "declared here"));
        None
    })
}

fn file_value(input: &Declared, given: &FileValue, problems: &mut Problems) -> Option<Value> {
    let by = Setting::File(given.at);
    let read = match &given.value {
        Scalar::Text(text) => input.read_text(text, by),
        other => input.read_scalar(other, by),
    };
    read.unwrap_or_else(|why| {
        let problem = Problem::error(Code::InputValue, format!("input `{}` {why}", input.name));
        problems.push(problem.at(given.at, "does not fit").and(input.at, "declared here"));
        None
    })
}

/// The outer option says whether the variable is set, the inner one whether it fits.
fn variable(input: &Declared, variable: Option<Variable<'_>>, problems: &mut Problems) -> Option<Option<Value>> {
    let name: Arc<str> = format!("{VARIABLE}{}", input.name.replace('-', "_")).into();
    let text = variable?(&name)?;
    let read = input.read_text(&text, Setting::Variable(Arc::clone(&name)));
    Some(read.unwrap_or_else(|why| {
        let message = format!("input `{}` {why}, and the variable {name} sets it to `{text}`", input.name);
        problems.push(Problem::error(Code::InputValue, message).at(input.at, "declared here"));
        None
    }))
}

fn missing(input: &Declared, problems: &mut Problems) {
    let problem = Problem::error(Code::MissingInput, format!("input `{}` has no value", input.name));
    let help = format!("set it with `--input {}=…`, or give it a default", input.name);
    problems.push(problem.at(input.at, "no default").help(help));
}

fn unknown(declared: &[Declared], given: &Asked<'_>, problems: &mut Problems) {
    let arguments = given.arguments.keys().map(|name| (&**name, None));
    let files = given.files.iter().map(|value| (&*value.name, Some(value.at)));
    for (name, at) in arguments.chain(files) {
        if declared.iter().any(|input| &*input.name == name) {
            continue;
        }
        let known = did_you_mean(name, declared.iter().map(|input| &*input.name));
        let help = known.unwrap_or_else(|| "the project declares no inputs".to_owned());
        let problem = Problem::error(Code::UnknownInput, format!("there is no input `{name}`"));
        problems.push(problem.at(at, "not declared").help(help));
    }
}

/// The values of a file in KDL: a node for each, with one value.
pub(crate) fn read_kdl(nodes: &[Node], problems: &mut Problems) -> Vec<FileValue> {
    let mut values = Vec::new();
    for node in nodes {
        match (&node.entries[..], &node.block) {
            ([Entry { key: None, annotation: None, value, at }], None) if *value != Scalar::Null => {
                values.push(FileValue { name: Arc::clone(&node.name.text), value: value.clone(), at: *at });
            }
            _ => {
                let message = format!("`{}` is not the value of an input", node.name.text);
                let problem = Problem::error(Code::InputFile, message).at(node.name.at, "not understood");
                problems.push(problem.help("write one value after the name: `tag \"1.4.2\"`".to_owned()));
            }
        }
    }
    values
}

/// The values of a file in JSON: an object of texts, numbers and booleans. `file` is its number among the sources.
pub(crate) fn read_json(sources: &Sources<'_>, file: usize, problems: &mut Problems) -> Vec<FileValue> {
    let text = &sources.file(file).text;
    let refuse = |message: &str, at: Place| {
        let problem = Problem::error(Code::InputFile, message.to_owned()).at(at, "not understood");
        problem.help("write an object: `{ \"tag\": \"1.4.2\", \"replicas\": 4 }`".to_owned())
    };
    let object = match serde_json::from_str::<BTreeMap<String, Json>>(text) {
        Ok(object) => object,
        Err(error) => {
            let at = sources.place_of_line(file, error.line());
            problems.push(refuse("this file is not a JSON object with the values of inputs", at));
            return vec![];
        }
    };
    let mut values = Vec::new();
    for (name, value) in object {
        let at = place_of_key(text, &name).map_or(Place::new(file, 0, 0), |(start, len)| Place::new(file, start, len));
        match scalar(&value) {
            Some(value) => values.push(FileValue { name: name.into(), value, at }),
            None => problems.push(refuse(&format!("`{name}` is not a text, a number or a boolean"), at)),
        }
    }
    values
}

fn scalar(value: &Json) -> Option<Scalar> {
    match value {
        Json::String(text) => Some(Scalar::Text(text.as_str().into())),
        Json::Bool(value) => Some(Scalar::Boolean(*value)),
        Json::Number(number) => number.as_i128().map(Scalar::Integer).or_else(|| number.as_f64().map(Scalar::Float)),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Where a key of a JSON object stands. Inside of a text its closing quote would be escaped, so this finds no other.
fn place_of_key(text: &str, name: &str) -> Option<(usize, usize)> {
    let quoted = Json::from(name).to_string();
    let is_key = |start: &usize| text[start + quoted.len()..].trim_start().starts_with(':');
    let start = text.match_indices(&quoted).map(|(start, _)| start).find(is_key)?;
    Some((start, quoted.len()))
}
