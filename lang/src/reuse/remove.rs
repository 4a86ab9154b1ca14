//! `remove`: its block looks like the block it stands in, and names what to take away. A name alone takes away the node;
//! values choose among several, or among variables; a block goes deeper.

use crate::{
    admit::Admit,
    block::Block,
    problem::{Code, Problem},
    schema::{Count, NodeSchema, Reuse, Type, children},
    suggest::did_you_mean,
    syntax::{Entry, Node, Scalar},
    value,
};

/// Something to take away: a key, and where it is named.
type Key<'a> = (String, &'a Entry);

impl Admit<'_> {
    /// Takes away what a `remove` node names.
    pub(super) fn remove(&mut self, base: &mut Block, removal: &Block) {
        let Some(node) = &removal.raw else { return };
        self.take_away(base, node, &removal.row.parent().replace('.', " → "));
    }

    fn take_away(&mut self, base: &mut Block, from: &Node, way: &str) {
        let rows = base.row.children();
        for node in from.block.iter().flatten() {
            match rows.iter().find(|row| row.name() == &*node.name.text && row.reuse.is_none()) {
                Some(row) => self.take_node(base, row, node),
                None => self.unknown_node(&node.name, rows, way),
            }
        }
    }

    fn take_node(&mut self, base: &mut Block, row: &'static NodeSchema, node: &Node) {
        let keyed = matches!(row.count, Count::Many | Count::Some);
        let keys = self.keys(row, node);
        let deeper = node.block.as_ref().is_some_and(|block| !block.is_empty());
        match (keyed, keys.is_empty()) {
            (true, true) => self.which(base, row, node),
            (true, false) => {
                for (key, entry) in &keys {
                    let matches = |child: &Block| child.row.path == row.path && child.key().as_deref() == Some(key);
                    let known = base.every(row.name()).filter_map(Block::key).collect();
                    self.take_first(base, matches, row, (key.clone(), entry), known);
                }
            }
            (false, _) => {
                let Some(index) = base.children.iter().position(|child| child.row.path == row.path) else {
                    return self.nothing(base, row, node);
                };
                if !keys.is_empty() {
                    self.take_entries(&mut base.children[index], &keys);
                } else if row.count == Count::List {
                    base.children.retain(|child| child.row.path != row.path);
                } else if deeper {
                    self.take_away(&mut base.children[index], node, &row.way());
                } else {
                    base.children.remove(index);
                }
            }
        }
    }

    fn take_first(
        &mut self,
        base: &mut Block,
        matches: impl Fn(&Block) -> bool,
        row: &NodeSchema,
        key: Key<'_>,
        known: Vec<String>,
    ) {
        match base.children.iter().position(matches) {
            Some(index) => drop(base.children.remove(index)),
            None => self.nothing_of(&format!("{} `{}`", row.name(), key.0), &key, &known),
        }
    }

    /// Variables, and whatever else has names of the user's choice.
    fn take_entries(&mut self, block: &mut Block, keys: &[Key<'_>]) {
        for key in keys {
            match block.entries.iter().position(|(name, _)| *name.text == *key.0) {
                Some(index) => drop(block.entries.remove(index)),
                None => {
                    let known: Vec<_> = block.entries.iter().map(|(name, _)| name.text.to_string()).collect();
                    self.nothing_of(&format!("`{}` in `{}`", key.0, block.row.name()), key, &known);
                }
            }
        }
    }

    /// The values of a node, each as the key it is; what cannot be one is reported.
    fn keys<'n>(&mut self, row: &'static NodeSchema, node: &'n Node) -> Vec<Key<'n>> {
        let takes = matches!(row.count, Count::Many | Count::Some) || row.entries.is_some();
        let mut keys = Vec::new();
        for entry in &node.entries {
            let key = Some(entry).filter(|entry| takes && entry.key.is_none()).and_then(|entry| key(row, entry));
            match key {
                Some(key) => keys.push((key, entry)),
                None => {
                    let message = format!("`{}` is taken away as a whole", row.name());
                    let problem = Problem::error(Code::Unexpected, message).at(entry.at, "does not belong here");
                    self.problems.push(problem);
                }
            }
        }
        keys
    }

    fn which(&mut self, base: &Block, row: &NodeSchema, node: &Node) {
        let known: Vec<_> = base.every(row.name()).filter_map(Block::key).collect();
        let problem = Problem::error(Code::MissingValue, format!("which `{}` is to be taken away?", row.name()));
        let first = known.first().map_or("…", String::as_str);
        let problem = problem.at(node.name.at, "nothing follows");
        self.problems.push(problem.help(format!("name it: `{} \"{first}\"`", row.name())));
    }

    fn nothing(&mut self, base: &Block, row: &NodeSchema, node: &Node) {
        let message = format!("there is no `{}` that could be taken away", row.name());
        let known = base.children.iter().map(|child| child.row.name());
        let help = did_you_mean(row.name(), known).unwrap_or_else(|| "nothing stands here yet".to_owned());
        self.problems.push(Problem::error(Code::NothingToRemove, message).at(node.name.at, "not there").help(help));
    }

    fn nothing_of(&mut self, what: &str, key: &Key<'_>, known: &[String]) {
        let help = did_you_mean(&key.0, known.iter().map(String::as_str));
        let help = help.unwrap_or_else(|| "there is none of this kind".to_owned());
        let problem = Problem::error(Code::NothingToRemove, format!("there is no {what} that could be taken away"));
        self.problems.push(problem.at(key.1.at, "not there").help(help));
    }

    /// Takes whole resources away that an environment does not want. What it changes it cannot remove as well.
    pub(crate) fn remove_resources(&mut self, blocks: &mut Vec<Block>, environment: &Block) {
        let removals = environment.children.iter().filter(|child| child.row.reuse == Some(Reuse::Remove));
        let Some(raw) = removals.filter_map(|removal| removal.raw.clone()).next() else { return };
        let rows: Vec<_> = children("").iter().copied().filter(|row| is_resource(row)).collect();
        for node in raw.block.iter().flatten() {
            let Some(row) = rows.iter().find(|row| row.name() == &*node.name.text) else {
                self.unknown_node(&node.name, &rows, "environment → remove");
                continue;
            };
            self.remove_resource(blocks, environment, row, node);
        }
    }

    fn remove_resource(&mut self, blocks: &mut Vec<Block>, over: &Block, row: &'static NodeSchema, node: &Node) {
        let keys = self.keys(row, node);
        if keys.is_empty() && node.entries.is_empty() {
            let problem = Problem::error(Code::MissingValue, format!("which {} is to be taken away?", row.name()));
            let help = format!("name it: `{} \"name\"`", row.name());
            self.problems.push(problem.at(node.name.at, "nothing follows").help(help));
        }
        for (key, entry) in keys {
            let is = |block: &Block, key: &str| block.row.name() == row.name() && block.key().as_deref() == Some(key);
            if let Some(change) = over.children.iter().find(|block| is(block, &key)) {
                let message = format!("{} `{key}` is changed and taken away", row.name());
                let problem = Problem::error(Code::OnlyOneOf, message).at(entry.at, "taken away here");
                self.problems.push(problem.and(change.title_at(), "changed here"));
            }
            match blocks.iter().position(|block| block.row.path == row.path && is(block, &key)) {
                Some(index) => drop(blocks.remove(index)),
                None if self.incomplete => {}
                None => {
                    let known: Vec<_> =
                        blocks.iter().filter(|block| block.row.path == row.path).filter_map(Block::key).collect();
                    self.nothing_of(&format!("{} `{key}`", row.name()), &(key, entry), &known);
                }
            }
        }
    }
}

/// Whether a top-level node stands for something that an environment may do without.
fn is_resource(row: &NodeSchema) -> bool {
    let language = ["project", "input", "environment"].contains(&row.name());
    matches!(row.count, Count::Many | Count::Some) && row.reuse.is_none() && !language
}

/// The key that a value stands for, in the form in which nodes are told apart.
fn key(row: &'static NodeSchema, entry: &Entry) -> Option<String> {
    if let (Some(_), Scalar::Text(text)) = (row.entries, &entry.value) {
        return Some(text.to_string());
    }
    let ty = row.arguments.first()?.ty;
    let secret = entry.annotation.as_ref().is_some_and(|word| &*word.text == "secret");
    let (name, scalar) = (row.name(), &entry.value);
    let read = if secret { value::read_secret(name, ty, scalar) } else { value::read(name, ty, scalar) };
    // A secret may be named without its type: there is nothing else that it could be.
    let read = read.or_else(|refusal| match ty {
        Type::Secret => value::read_secret(name, ty, scalar),
        _ => Err(refusal),
    });
    value::key(&read.ok()?)
}
