//! The templates of a project, as they are written.

use super::template_row;
use crate::{
    circle::circles,
    declared::Declared,
    interpolate::Values,
    problem::{Code, Problem, Problems},
    schema::{NodeSchema, Reuse},
    source::Place,
    syntax::{Node, Scalar},
};
use std::{collections::BTreeMap, sync::Arc};

/// A template: nodes in which parameters are not yet filled in.
#[derive(Debug)]
pub(crate) struct Template {
    pub(super) name: Arc<str>,
    pub(super) at: Place,
    pub(super) row: &'static NodeSchema,
    pub(super) parameters: Vec<Declared>,
    pub(super) nodes: Vec<Node>,
}

/// Every template of a project.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    by_name: BTreeMap<Arc<str>, Template>,
}

impl Templates {
    /// Takes the templates from the tree, and reports those that use themselves. What does not fit the schema is reported
    /// where the tree is held against it.
    pub(crate) fn gather(nodes: &[Node], problems: &mut Problems) -> Self {
        let mut templates = Self::default();
        let Some(row) = template_row() else { return templates };
        for node in nodes.iter().filter(|node| &*node.name.text == row.name()) {
            let Some((name, at)) = name(node) else { continue };
            let nodes = node.block.clone().unwrap_or_default();
            let parameters = Declared::gather(&nodes, "param");
            parameters.iter().for_each(|parameter| parameter.check(problems));
            let template = Template { name: Arc::clone(&name), at, row, parameters, nodes };
            templates.by_name.entry(name).or_insert(template);
        }
        templates.check_circles(problems);
        templates
    }

    pub(super) fn get(&self, name: &str) -> Option<&Template> {
        self.by_name.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Template> {
        self.by_name.values()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.by_name.keys().map(|name| &**name)
    }

    fn check_circles(&self, problems: &mut Problems) {
        let number: BTreeMap<&str, usize> = self.names().enumerate().map(|(number, name)| (name, number)).collect();
        let step = |used: (Arc<str>, Place)| Some((*number.get(&*used.0)?, used.1));
        let steps: Vec<Vec<_>> = self.iter().map(|template| template.uses().filter_map(step).collect()).collect();
        for circle in circles(&steps) {
            let Some(name) = self.names().nth(circle.first) else { continue };
            let problem = Problem::error(Code::TemplateCircle, format!("template `{name}` uses itself"));
            let begins = (circle.begins != circle.closes).then_some(circle.begins);
            let problem = problem.at(circle.closes, "leads back to it").and(begins, "the way begins here");
            problems.push(problem.help("remove one of these".to_owned()));
        }
    }
}

impl Template {
    /// The parameters when nobody sets any; nothing for those without a default.
    pub(super) fn defaults(&self) -> Values {
        let mut values = Values::new();
        Declared::fill(&self.parameters, &mut values);
        values
    }

    fn uses(&self) -> impl Iterator<Item = (Arc<str>, Place)> + '_ {
        let is_use = |node: &&Node| self.row.child(&node.name.text).is_some_and(|row| row.reuse == Some(Reuse::Use));
        self.nodes.iter().filter(is_use).filter_map(name)
    }
}

/// The first value of a node, when it is text.
fn name(node: &Node) -> Option<(Arc<str>, Place)> {
    let first = node.entries.iter().find(|entry| entry.key.is_none())?;
    match &first.value {
        Scalar::Text(name) => Some((Arc::clone(name), first.at)),
        _ => None,
    }
}
