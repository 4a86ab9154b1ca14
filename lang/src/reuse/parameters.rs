//! The parameters of a template, as a `use` sets them.

use super::template::Template;
use crate::{
    admit::Admit,
    block::{Block, Found},
    declared::Declared,
    interpolate::{Value, Values},
    layer::Setting,
    problem::{Code, Problem},
    source::Place,
    suggest::did_you_mean,
    syntax::Word,
    value::Typed,
};
use std::sync::Arc;

impl Admit<'_> {
    /// The values of a template's parameters. What does not fit has no value, so that it is told once.
    pub(super) fn bind(&mut self, used: &Block, template: &Template, at: Place) -> Values {
        let mut values = Values::new();
        for (word, found) in &used.entries {
            match template.parameters.iter().find(|parameter| parameter.name == word.text) {
                Some(parameter) => {
                    let value = self.parameter(parameter, found);
                    values.insert(Arc::clone(&word.text), value);
                }
                None => self.unknown_parameter(word, template),
            }
        }
        // Those that could not be read were given all the same.
        let written = used.raw.iter().flat_map(|node| &node.entries).filter_map(|entry| entry.key.as_ref());
        for key in written {
            values.entry(Arc::clone(&key.text)).or_insert(None);
        }
        for parameter in template.parameters.iter().filter(|parameter| parameter.is_needed()) {
            if !values.contains_key(&parameter.name) {
                self.missing_parameter(parameter, template, at);
                values.insert(Arc::clone(&parameter.name), None);
            }
        }
        Declared::fill(&template.parameters, &mut values);
        values
    }

    fn parameter(&mut self, parameter: &Declared, found: &Found<Typed>) -> Option<Value> {
        let written = found.written.as_ref()?;
        let by = Setting::Use(written.at, written.filled.clone());
        parameter.read_scalar(&written.scalar, by).unwrap_or_else(|why| {
            let problem = Problem::error(Code::InputValue, format!("parameter `{}` {why}", parameter.name));
            let problem = problem.at(written.at, "does not fit").and(parameter.at, "declared here");
            self.problems.push(problem.help(parameter.way_out(&written.scalar, &written.filled)));
            None
        })
    }

    fn unknown_parameter(&mut self, word: &Word, template: &Template) {
        let known = template.parameters.iter().map(|parameter| &*parameter.name);
        let help = did_you_mean(&word.text, known).unwrap_or_else(|| "it has no parameters".to_owned());
        let message = format!("template `{}` has no parameter `{}`", template.name, word.text);
        let problem = Problem::error(Code::UnknownParameter, message).at(word.at, "not declared");
        self.problems.push(problem.and(template.at, "the template").help(help));
    }

    fn missing_parameter(&mut self, parameter: &Declared, template: &Template, at: Place) {
        let message = format!("template `{}` needs the parameter `{}`", template.name, parameter.name);
        let problem = Problem::error(Code::MissingParameter, message).at(at, "not set here");
        let help = format!("set it: `use \"{}\" {}=…`, or give it a default", template.name, parameter.name);
        self.problems.push(problem.and(parameter.at, "has no default").help(help));
    }
}
