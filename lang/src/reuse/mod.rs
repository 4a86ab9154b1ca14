//! Templates and what uses them: lays the nodes of a template, what is taken away, and a block's own nodes over each
//! other. Which nodes there are is the table's to say; whatever a service may hold, a template may hold.

mod parameters;
mod remove;
mod template;

pub(crate) use template::Templates;

use crate::{
    admit::{Admit, Extent},
    block::Block,
    interpolate::{Scope, Values},
    layer::{By, Layer},
    overlay::patch,
    problem::{Code, Problem, Problems},
    schema::{self, Overlay, Reuse},
    source::Place,
    suggest::did_you_mean,
};
use std::sync::Arc;
use template::Template;

/// So many templates may stand behind one `use`: more are a mistake, and would take for ever.
const MOST: usize = 250;

/// What came of laying a block over another.
pub(crate) struct Laid {
    /// Copies of the blocks that the other did not have.
    pub(crate) added: Vec<Block>,
    /// Every template was there; else more may be missing than is.
    pub(crate) is_sure: bool,
}

impl Admit<'_> {
    /// Looks into every template, also those that nobody uses. What depends on a parameter without a default is left.
    pub(crate) fn check_templates(&mut self) {
        for template in self.templates.iter() {
            let by = self.template_layer(template, template.at);
            self.spent = 0;
            let (_, problems) = self.body(template, template.defaults(), by);
            self.problems.absorb(problems, None);
        }
    }

    /// Puts the nodes of templates into a block that uses some; then nothing it needs may be missing.
    pub(crate) fn expand(&mut self, block: &mut Block) {
        let reuses = block.children.iter().any(|child| child.row.reuse.is_some());
        // What an environment removes is not its own.
        if !reuses || block.row.overlay != Overlay::Patches {
            return;
        }
        let mut given = std::mem::replace(block, Block::absent(block.row));
        let (children, entries) = (std::mem::take(&mut given.children), std::mem::take(&mut given.entries));
        *block = Block { raw: None, ..given.clone() };
        (given.children, given.entries) = (children, entries);
        if self.lay(block, &given).is_sure {
            self.complete(block);
        }
    }

    /// Lays `over` over `base`: first the templates it uses, then it takes away what it removes, and its own nodes have
    /// the last word.
    pub(crate) fn lay(&mut self, base: &mut Block, over: &Block) -> Laid {
        let mut laid = Laid { added: vec![], is_sure: true };
        for used in over.children.iter().filter(|child| child.row.reuse == Some(Reuse::Use)) {
            match self.used(used) {
                Some(body) => laid.added.append(&mut patch(base, &body)),
                None => laid.is_sure = false,
            }
        }
        let removals = over.children.iter().filter(|child| child.row.reuse == Some(Reuse::Remove));
        for removal in removals.filter(|_| laid.is_sure) {
            self.remove(base, removal);
        }
        laid.added.append(&mut patch(base, over));
        laid
    }

    /// The nodes of the template that a `use` names, with its parameters filled in.
    fn used(&mut self, used: &Block) -> Option<Block> {
        let (name, at) = (used.key()?, used.title_at()?);
        let templates = self.templates;
        let Some(template) = templates.get(&name) else {
            self.unknown_template(&name, at);
            return None;
        };
        let parameters = self.bind(used, template, at);
        if !matches!(self.by.as_deref(), Some(Layer::Template { .. })) {
            self.spent = 0;
        }
        // A template that uses itself is reported where the templates are gathered.
        if self.is_inside(&name) || self.is_too_much(at) {
            return None;
        }
        let by = self.template_layer(template, at);
        let (body, problems) = self.body(template, parameters, by);
        self.problems.absorb(problems, Some((at, "used here")));
        Some(body)
    }

    fn body(&mut self, template: &Template, parameters: Values, by: By) -> (Block, Problems) {
        let scope = Scope { inputs: Arc::clone(&self.scope.inputs), parameters: Some(parameters) };
        let mut problems = Problems::default();
        let mut inner = Admit {
            sources: self.sources,
            scope: &scope,
            templates: self.templates,
            problems: &mut problems,
            incomplete: self.incomplete,
            by,
            spent: self.spent,
            threads: self.threads,
        };
        let row = template.row;
        let mut given = Block::absent(row);
        given.children = inner.nodes(&template.nodes, row.children(), &row.way(), Extent::Part);
        // Its parameters are the template's own, and no part of what it stands for.
        given.children.retain(|child| child.row.parent() != row.path);
        let mut body = Block::absent(row);
        inner.lay(&mut body, &given);
        self.spent = inner.spent;
        (body, problems)
    }

    fn template_layer(&self, template: &Template, used: Place) -> By {
        Some(Arc::new(Layer::Template { name: Arc::clone(&template.name), used, within: self.by.clone() }))
    }

    fn is_inside(&self, name: &str) -> bool {
        let mut layer = self.by.as_deref();
        while let Some(Layer::Template { name: known, within, .. }) = layer {
            if &**known == name {
                return true;
            }
            layer = within.as_deref();
        }
        false
    }

    fn is_too_much(&mut self, at: Place) -> bool {
        self.spent += 1;
        if self.spent == MOST {
            let problem = Problem::error(Code::TooDeep, format!("more than {MOST} templates stand behind one `use`"));
            self.problems.push(problem.at(at, "too many"));
        }
        self.spent >= MOST
    }

    fn unknown_template(&mut self, name: &str, at: Place) {
        if self.incomplete {
            return;
        }
        let help = did_you_mean(name, self.templates.names())
            .unwrap_or_else(|| format!("declare it at the top level: `template \"{name}\" {{ … }}`"));
        let problem = Problem::error(Code::UnknownTemplate, format!("there is no template `{name}`"));
        self.problems.push(problem.at(at, "not declared").help(help));
    }
}

/// The row of templates.
fn template_row() -> Option<&'static schema::NodeSchema> {
    schema::children("").iter().copied().find(|row| row.reuse == Some(Reuse::Template))
}
