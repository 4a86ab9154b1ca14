//! Holds nodes against the schema: names, values, types. It knows the table and nothing about any one field; what the
//! values mean together is decided in `decode`.

use crate::{
    block::{Block, Found},
    count::lacks,
    interpolate::{Kind, Resolved, Scope, Trouble, interpolate},
    layer::{Annotation, By, Filled, Layer, Written},
    problem::{Code, Problem, Problems},
    reuse::Templates,
    schema::{self, NodeSchema, Overlay, Reuse, Type},
    source::{Place, Sources},
    stray::{Strays, as_property},
    suggest::{did_you_mean, nearest},
    syntax::{Entry, Node, Scalar, Word},
    threads::{Threads, cut, side_by_side},
    value::{self, Refusal, Typed},
    words,
};
use std::{collections::HashMap, mem, sync::Arc};

/// Whether what must be there must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    /// In an overlay the base has the rest.
    Part,
}

/// The work of holding nodes against the schema.
pub(crate) struct Admit<'a> {
    pub(crate) sources: &'a Sources<'a>,
    pub(crate) scope: &'a Scope,
    pub(crate) templates: &'a Templates,
    pub(crate) problems: &'a mut Problems,
    /// Some text could not be read, so what seems to be missing may be there.
    pub(crate) incomplete: bool,
    /// Who says what is admitted now.
    pub(crate) by: By,
    /// How many templates stand behind the `use` that is worked on.
    pub(crate) spent: usize,
    pub(crate) threads: Threads,
}

/// Fewer nodes than this are not worth a thread.
const SHARE: usize = 2_000;

impl Admit<'_> {
    /// The same work, with another list of problems.
    fn telling<'p>(&'p self, problems: &'p mut Problems) -> Admit<'p> {
        let Self { sources, scope, templates, incomplete, spent, threads, .. } = *self;
        Admit { sources, scope, templates, problems, incomplete, by: self.by.clone(), spent, threads }
    }

    /// Does the work for each part on a thread of its own. What is wrong is told in the order of the parts.
    fn side_by_side<P: Send, T: Send>(
        &mut self,
        parts: Vec<P>,
        work: impl Fn(&mut Admit<'_>, P) -> T + Sync,
    ) -> Vec<T> {
        let this = &*self;
        let done = side_by_side(parts, |part| {
            let mut problems = Problems::default();
            let done = work(&mut this.telling(&mut problems), part);
            (done, problems)
        });
        let told = done.into_iter().map(|(done, problems)| {
            self.problems.absorb(problems, None);
            done
        });
        told.collect()
    }

    /// Puts templates into the blocks that use some.
    pub(crate) fn expand_all(&mut self, blocks: &mut [Block]) {
        let costs: Vec<_> = blocks.iter().map(|block| block.children.len()).collect();
        let runs = self.threads.runs(&costs, SHARE);
        let (mut parts, mut rest) = (Vec::with_capacity(runs.len()), blocks);
        for run in runs {
            let (part, others) = rest.split_at_mut(run.len());
            parts.push(part);
            rest = others;
        }
        self.side_by_side(parts, |admit, part| part.iter_mut().for_each(|block| admit.expand(block)));
    }

    /// The top-level nodes.
    pub(crate) fn top(&mut self, nodes: Vec<Node>) -> Vec<Block> {
        let rows = schema::children("");
        let words: Vec<_> = nodes.iter().map(|node| Arc::clone(&node.name.text)).collect();
        // Each node goes when its block is there, so that not all of both are held at once.
        let costs: Vec<_> = nodes.iter().map(|node| node.block.as_ref().map_or(0, Vec::len)).collect();
        let runs = self.threads.runs(&costs, SHARE);
        let admitted = self.side_by_side(cut(nodes, &runs), |admit, nodes| -> Vec<Block> {
            nodes.into_iter().filter_map(|node| admit.known(&node, rows, "", Extent::Whole)).collect()
        });
        let blocks = self.distinct(admitted.into_iter().flatten().collect());
        if !self.incomplete {
            let start = (!self.sources.files().is_empty()).then_some(Place::new(0, 0, 0));
            let words = words.iter().map(|word| &**word);
            let words: Vec<_> = words.filter(|word| rows.iter().all(|row| row.name() != *word)).collect();
            self.count(&blocks, &words, rows, "these files", start);
        }
        blocks
    }

    /// The nodes of one block.
    pub(crate) fn nodes(
        &mut self,
        nodes: &[Node],
        rows: &'static [&'static NodeSchema],
        way: &str,
        extent: Extent,
    ) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::with_capacity(nodes.len());
        blocks.extend(nodes.iter().filter_map(|node| self.known(node, rows, way, extent)));
        self.distinct(blocks)
    }

    fn known(&mut self, node: &Node, rows: &'static [&'static NodeSchema], way: &str, extent: Extent) -> Option<Block> {
        match rows.iter().find(|row| row.name() == &*node.name.text) {
            Some(row) => Some(self.node(node, row, extent)),
            None => {
                self.unknown_node(&node.name, rows, way);
                None
            }
        }
    }

    /// Reports what a block still lacks that an overlay brought and the base does not have.
    pub(crate) fn complete(&mut self, block: &Block) {
        if block.row.overlay == Overlay::Patches && block.row.entries.is_none() && !block.lost {
            self.count(&block.children, &[], block.row.children(), &block.title(), block.title_at());
            block.children.iter().for_each(|child| self.complete(child));
        }
    }

    pub(crate) fn unknown_node(&mut self, name: &Word, rows: &[&'static NodeSchema], way: &str) {
        let place = if way.is_empty() { "at the top level".to_owned() } else { format!("in `{way}`") };
        let help = as_property(&name.text, rows).or_else(|| words::help(&name.text, rows));
        let message = format!("there is no `{}` {place}", name.text);
        self.problems.push(Problem::error(Code::UnknownNode, message).at(name.at, "unknown node").help(help));
    }

    fn node(&mut self, node: &Node, row: &'static NodeSchema, extent: Extent) -> Block {
        let lost = node.values_lost || node.nodes_lost;
        let mut block = Block { at: Some(node.name.at), lost, by: self.by.clone(), ..Block::absent(row) };
        if let Some(word) = &node.annotation {
            self.unknown_annotation(word, "a node has no type");
        }
        let strays = Strays::of(row, node);
        self.arguments(&mut block, node, &strays);
        let environment = block.key().filter(|_| row.path == "environment");
        let own = environment.map(|name| Some(Arc::new(Layer::Environment(name.into()))));
        let outer = own.map(|own| mem::replace(&mut self.by, own));
        match row.reuse {
            Some(Reuse::Use) => self.parameters(&mut block, node),
            Some(Reuse::Template | Reuse::Remove) => self.properties(&mut block, node, &strays),
            Some(Reuse::Include) | None => {
                self.properties(&mut block, node, &strays);
                self.block(&mut block, node, extent);
            }
        }
        if let Some(outer) = outer {
            self.by = outer;
        }
        block.raw = row.reuse.map(|_| Arc::new(node.clone()));
        block
    }

    /// What a `use` hands to its template; which parameters there are is known to the template alone.
    fn parameters(&mut self, block: &mut Block, node: &Node) {
        let row = block.row;
        if let Some(first) = node.block.as_ref().and_then(|nodes| nodes.first()) {
            let problem =
                Problem::error(Code::Unexpected, "`use` takes no block").at(first.name.at, "does not belong here");
            self.problems.push(problem.help("write what has the last word beside it".to_owned()));
        }
        for entry in &node.entries {
            let Some(key) = &entry.key else { continue };
            if let Some((first, _)) = block.entries.iter().find(|(known, _)| known.text == key.text) {
                let problem = Problem::error(Code::Repeated, format!("`{}` is given twice", key.text));
                self.problems.push(problem.at(key.at, "again here").and(first.at, "first here"));
            } else if let Some(found) = self.value(row.name(), Type::Parameter, entry) {
                block.entries.push((key.clone(), found));
            }
        }
    }

    fn arguments(&mut self, block: &mut Block, node: &Node, strays: &Strays<'_>) {
        let row: &'static NodeSchema = block.row;
        let entries = || node.entries.iter().filter(|entry| entry.key.is_none());
        block.arguments.reserve_exact(entries().count());
        for (index, entry) in entries().enumerate() {
            let argument = row.arguments.get(index).or(if row.repeats { row.arguments.last() } else { None });
            match argument {
                Some(argument) => block.arguments.push(self.value(row.name(), argument.ty, entry)),
                None => self.surplus(row, entry, strays),
            }
        }
        let missing = row.arguments.get(entries().count());
        if missing.is_some_and(|argument| argument.ty == Type::Flag) {
            // A bare switch is on: its name is where that is written.
            let (scalar, by, at) = (Scalar::Boolean(true), self.by.clone(), node.name.at);
            let written = Written { scalar, annotation: None, filled: Box::default(), by, at, before: None };
            let on = Found { value: Typed::Boolean(true), at: block.at, written: Some(Arc::new(written)) };
            return block.arguments.push(Some(on));
        }
        // A value with a name that nobody knows is reported as such.
        if let Some(missing) = missing.filter(|_| !node.values_lost && strays.unnamed.is_none()) {
            self.missing_value(row, missing, node.name.at);
        }
    }

    fn properties(&mut self, block: &mut Block, node: &Node, strays: &Strays<'_>) {
        let row = block.row;
        for (index, entry) in node.entries.iter().enumerate() {
            let Some(key) = &entry.key else { continue };
            let Some(property) = row.property(&key.text) else {
                self.unknown_property(row, key, strays);
                block.refused.extend(nearest(&key.text, row.properties.iter().map(|property| property.name)));
                continue;
            };
            let keys = node.entries[..index].iter().rev().filter_map(|entry| entry.key.as_ref());
            if let Some(first) = keys.filter(|known| known.text == key.text).map(|known| known.at).next() {
                let message = format!("`{}` is given twice", property.name);
                let problem = Problem::error(Code::Repeated, message).at(key.at, "again here");
                self.problems.push(problem.and(first, "first here"));
            }
            match self.value(property.name, property.ty, entry) {
                Some(found) => drop(block.properties.insert(property.name, found)),
                None => block.refused.push(property.name),
            }
        }
        self.unsaid(block, node, strays);
    }

    pub(crate) fn unknown_annotation(&mut self, word: &Word, why: &'static str) {
        let message = format!("`({})` means nothing here", word.text);
        self.problems.push(Problem::error(Code::UnknownAnnotation, message).at(word.at, why));
    }

    fn block(&mut self, block: &mut Block, node: &Node, extent: Extent) {
        let row = block.row;
        let nodes = node.block.as_deref().unwrap_or_default();
        let rows = row.children();
        if let Some(ty) = row.entries {
            block.entries = self.entries(nodes, ty);
            return;
        }
        if rows.is_empty() {
            if let Some(first) = nodes.first() {
                let property = row.properties.iter().find(|property| property.name == &*first.name.text);
                let help = property.map(|property| {
                    format!("it is a property: write `{} … {}=…`, without a block", row.name(), property.name)
                });
                let message = format!("`{}` takes no block", row.name());
                let problem = Problem::error(Code::Unexpected, message).at(first.name.at, "does not belong here");
                self.problems.push(problem.help(help));
            }
            return;
        }
        // Inside what an overlay replaces as a whole, nothing comes from the base.
        // Where a template is used, it may have the rest.
        let row_of = |node: &Node| rows.iter().find(|row| row.name() == &*node.name.text);
        let known: Vec<_> = nodes.iter().map(row_of).collect();
        let uses = known.iter().flatten().any(|row| row.reuse == Some(Reuse::Use));
        let part = row.like.is_some() || uses || (extent == Extent::Part && row.overlay == Overlay::Patches);
        let extent = if part { Extent::Part } else { Extent::Whole };
        let mut children: Vec<Block> = Vec::with_capacity(nodes.len());
        for (node, known) in nodes.iter().zip(known) {
            match known {
                Some(known) => children.push(self.node(node, known, extent)),
                None => self.unknown_node(&node.name, rows, &row.way()),
            }
        }
        block.children = self.distinct(children);
        let strange = nodes.iter().filter(|node| row_of(node).is_none());
        block.refused.extend(strange.filter_map(|node| words::meant(&node.name.text, rows)));
        if extent == Extent::Whole && !node.nodes_lost && lacks(&block.children, rows) {
            let (title, at) = (block.title(), block.title_at());
            let keys = node.entries.iter().filter_map(|entry| Some(&*entry.key.as_ref()?.text));
            let words: Vec<_> = unknown(nodes, rows).into_iter().chain(keys).collect();
            self.count(&block.children, &words, rows, &title, at);
        }
    }

    /// The nodes of a block whose names are the user's.
    fn entries(&mut self, nodes: &[Node], ty: Type) -> Vec<(Word, Found<Typed>)> {
        let mut entries: Vec<(Word, Found<Typed>)> = Vec::with_capacity(nodes.len());
        let mut written: HashMap<&str, Place> = HashMap::with_capacity(nodes.len());
        for node in nodes {
            if let Some(first) = written.insert(&node.name.text, node.name.at) {
                let problem = Problem::error(Code::Repeated, format!("`{}` is given twice", node.name.text));
                self.problems.push(problem.at(node.name.at, "again here").and(first, "first here"));
            }
            if let Some(found) = self.entry(node, ty) {
                entries.push((node.name.clone(), found));
            }
        }
        entries
    }

    fn entry(&mut self, node: &Node, ty: Type) -> Option<Found<Typed>> {
        let name = &node.name;
        if let Some(first) = node.block.as_ref().and_then(|block| block.first()) {
            let message = format!("`{}` takes no block", name.text);
            self.problems.push(Problem::error(Code::Unexpected, message).at(first.name.at, "does not belong here"));
        }
        let (properties, values): (Vec<_>, Vec<_>) = node.entries.iter().partition(|entry| entry.key.is_some());
        for key in properties.iter().filter_map(|entry| entry.key.as_ref()) {
            let problem =
                Problem::error(Code::UnknownProperty, format!("`{}` takes no properties: `{}`", name.text, key.text));
            let help = format!("write `{0} …` for a variable `{0}`", key.text);
            self.problems.push(problem.at(key.at, "unknown property").help(help));
        }
        let Some((first, more)) = values.split_first() else {
            let nested = node.block.as_ref().is_some_and(|block| !block.is_empty());
            if !properties.is_empty() || node.values_lost || nested {
                return None;
            }
            let message = format!("`{}` needs a value", name.text);
            let help = format!("it takes {}", ty.describe());
            self.problems.push(Problem::error(Code::MissingValue, message).at(name.at, "nothing follows").help(help));
            return None;
        };
        for entry in more {
            let message = format!("`{}` takes one value", name.text);
            self.problems.push(Problem::error(Code::Unexpected, message).at(entry.at, "one too many"));
        }
        self.value(&name.text, ty, first)
    }

    fn value(&mut self, what: &str, ty: Type, entry: &Entry) -> Option<Found<Typed>> {
        let secret = match &entry.annotation {
            None => false,
            Some(word) if &*word.text == "secret" && matches!(ty, Type::Secret | Type::Variable) => true,
            Some(word) if &*word.text == "json" && ty == Type::Json => false,
            Some(word) => {
                let why = if &*word.text == "secret" { "no secret belongs here" } else { "unknown type" };
                self.unknown_annotation(word, why);
                return None;
            }
        };
        let Resolved { mut scalar, text, filled } = self.resolve(ty, entry)?;
        let read = |scalar: &Scalar| match &entry.annotation {
            Some(_) if secret => value::read_secret(what, ty, scalar),
            Some(_) => value::read_json(what, scalar),
            None => value::read(what, ty, scalar),
        };
        let mut admitted = read(&scalar);
        // A number where only text fits is taken as text.
        if let (Err(_), Some(text)) = (&admitted, text)
            && let Ok(value) = read(&Scalar::Text(Arc::clone(&text)))
        {
            (scalar, admitted) = (Scalar::Text(text), Ok(value));
        }
        match admitted {
            Ok(value) => {
                let annotation =
                    entry.annotation.as_ref().map(|_| if secret { Annotation::Secret } else { Annotation::Json });
                let filled = filled.into_boxed_slice();
                let by = self.by.clone();
                let written = Written { scalar, annotation, filled, by, at: entry.at, before: None };
                Some(Found { value, at: Some(entry.at), written: Some(Arc::new(written)) })
            }
            Err(refusal) => {
                let help = untyped(ty, &scalar, &filled);
                self.refuse(entry, refusal, help, &filled);
                None
            }
        }
    }

    fn refuse(&mut self, entry: &Entry, refusal: Refusal, better: Option<String>, filled: &[Filled]) {
        let Refusal { code, message, label, help } = refusal;
        self.problems.hide((code == Code::SecretExpected).then_some(entry.at));
        let set = filled.first().and_then(|filled| filled.by.place());
        let problem = Problem::error(code, message).at(entry.at, label).and(set, "filled in from here");
        self.problems.push(problem.help(better.or(help)));
    }

    fn resolve(&mut self, ty: Type, entry: &Entry) -> Option<Resolved> {
        match &entry.value {
            Scalar::Text(text) if ty != Type::Literal => match interpolate(text, self.scope) {
                Ok(resolved) => Some(resolved),
                Err(troubles) => {
                    for (count, trouble) in troubles {
                        self.interpolation(entry, count, trouble);
                    }
                    None
                }
            },
            Scalar::Text(text) if text.contains("${input.") || text.contains("${param.") => {
                let problem = Problem::error(Code::Interpolation, "inputs are not filled in here");
                self.problems.push(problem.at(entry.at, "taken as it is"));
                None
            }
            other => Some(Resolved::plain(other.clone())),
        }
    }

    fn interpolation(&mut self, entry: &Entry, count: usize, trouble: Trouble) {
        let written = self.sources.text(entry.at);
        let at = written.match_indices("${").nth(count).map_or(entry.at, |(start, _)| {
            let len = written[start..].find('}').map_or(2, |end| end + 1);
            entry.at.part(start, len)
        });
        let problem = match trouble {
            // Told where the input is declared.
            Trouble::NoValue => return,
            // A file that cannot be read may declare it.
            Trouble::Unknown(Kind::Input, _) if self.incomplete => return,
            Trouble::Unknown(Kind::Input, name) => {
                let help = did_you_mean(&name, self.scope.inputs.keys().map(|name| &**name));
                let help = help.or_else(|| Some(format!("declare it: `input \"{name}\"`")));
                let problem = Problem::error(Code::UnknownInput, format!("there is no input `{name}`"));
                problem.at(at, "not declared").help(help)
            }
            Trouble::Unknown(Kind::Parameter, name) => {
                let known = self.scope.parameters.iter().flat_map(|values| values.keys());
                let help = did_you_mean(&name, known.map(|name| &**name));
                let help = help.or_else(|| Some(format!("declare it in the template: `param \"{name}\"`")));
                let problem = Problem::error(Code::UnknownParameter, format!("there is no parameter `{name}`"));
                problem.at(at, "not declared").help(help)
            }
            Trouble::Outside(inner) => {
                Problem::error(Code::Interpolation, format!("`${{{inner}}}` is filled in only in a template"))
                    .at(at, "in no template")
                    .help("write `${input.name}` for an input of the project".to_owned())
            }
            Trouble::Foreign(inner) => Problem::error(Code::Interpolation, format!("`${{{inner}}}` is no input"))
                .at(at, "only inputs are filled in")
                .help(format!("write `${{input.name}}` for an input, or `$${{{inner}}}` for the text itself")),
            Trouble::Open => Problem::error(Code::Interpolation, "this `${` is never closed")
                .at(at, "no `}` follows")
                .help("write `${input.name}` for an input, or `$${` for the text itself".to_owned()),
        };
        self.problems.push(problem);
    }
}

/// The way out for a text that was filled in where a number or a boolean belongs.
fn untyped(ty: Type, scalar: &Scalar, filled: &[Filled]) -> Option<String> {
    let ([filled], Scalar::Text(_)) = (filled, scalar) else { return None };
    let ty = match ty {
        Type::Integer { .. } => "integer",
        Type::Boolean => "boolean",
        _ => return None,
    };
    let (kind, name) = filled.name.split_once('.')?;
    Some(format!("`{}` is text; declare it as `{kind} \"{name}\" type=\"{ty}\"`", filled.name))
}

/// The names of nodes that no row knows.
fn unknown<'n>(nodes: &'n [Node], rows: &[&NodeSchema]) -> Vec<&'n str> {
    let names = nodes.iter().map(|node| &*node.name.text);
    names.filter(|name| rows.iter().all(|row| row.name() != *name)).collect()
}
