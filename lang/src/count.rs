//! How often nodes are in their block: what is there twice, what excludes each other, and what is missing.

use crate::{
    admit::Admit,
    block::Block,
    problem::{Code, Problem},
    schema::{Argument, Count, NodeSchema, Reuse, Type},
    source::Place,
    suggest::either,
    words::meant,
};
use std::collections::HashMap;

impl Admit<'_> {
    /// Reports what is there twice, and keeps the first of each.
    pub(crate) fn distinct(&mut self, mut blocks: Vec<Block>) -> Vec<Block> {
        // Nodes of few kinds are there once; of the others there may be many, so these are looked up by their key.
        let mut once: Vec<(&'static str, usize)> = Vec::with_capacity(blocks.len().min(64));
        let mut keyed: HashMap<(&'static str, String), usize> = HashMap::new();
        let mut repeated: Vec<(usize, usize)> = Vec::new();
        for (next, block) in blocks.iter().enumerate() {
            let kind = match block.row.count {
                Count::OneOf(choice) => choice,
                _ => block.row.path,
            };
            let first = match block.row.count {
                Count::List => None,
                // A file may be named as often as it likes: it is read once.
                _ if block.row.reuse == Some(Reuse::Include) => None,
                Count::Many | Count::Some => block.key().map(|key| *keyed.entry((kind, key)).or_insert(next)),
                _ => {
                    let first = once.iter().find(|(known, _)| *known == kind).map(|(_, first)| *first);
                    first.or_else(|| {
                        once.push((kind, next));
                        Some(next)
                    })
                }
            };
            repeated.extend(first.filter(|first| *first < next).map(|first| (first, next)));
        }
        if !repeated.is_empty() {
            repeated.iter().for_each(|(first, again)| self.repeated(&blocks[*first], &blocks[*again]));
            let mut surplus = repeated.iter().map(|(_, again)| *again).peekable();
            let mut index = 0..;
            blocks.retain(|_| surplus.next_if_eq(&index.next().unwrap_or_default()).is_none());
        }
        blocks
    }

    fn repeated(&mut self, first: &Block, again: &Block) {
        let (name, first_name) = (again.row.name(), first.row.name());
        let problem = match again.row.count {
            Count::Many | Count::Some => {
                let message = format!("{} is declared twice", again.title());
                Problem::error(Code::DuplicateName, message).at(again.title_at(), "again here")
            }
            Count::OneOf(_) if name != first_name => {
                let message = format!("`{first_name}` and `{name}` exclude each other");
                Problem::error(Code::OnlyOneOf, message).at(again.at, "the other here")
            }
            _ => Problem::error(Code::Repeated, format!("`{name}` is given twice")).at(again.at, "again here"),
        };
        let keyed = problem.code() == Code::DuplicateName;
        let first = if keyed { first.title_at() } else { first.at };
        self.problems.push(problem.and(first, "first here"));
    }

    /// Reports what must be there and is not. `words` are those that were found and are not known.
    pub(crate) fn count(
        &mut self,
        blocks: &[Block],
        words: &[&str],
        rows: &[&'static NodeSchema],
        title: &str,
        at: Option<Place>,
    ) {
        // What is misspelt, or written as a property, has been reported; that it is missing follows from that.
        let meanings: Vec<_> = words.iter().map(|word| meant(word, rows)).collect();
        let spelt = |name: &str| words.contains(&name) || meanings.contains(&Some(name));
        let there = |name: &str| blocks.iter().any(|block| block.row.name() == name) || spelt(name);
        let mut choices: Vec<&str> = Vec::new();
        for row in rows {
            let (missing, names) = match row.count {
                Count::Once | Count::Some => (!there(row.name()), vec![row.name()]),
                Count::OneOf(choice) if !choices.contains(&choice) => {
                    choices.push(choice);
                    let names = || rows.iter().filter(|row| row.count == Count::OneOf(choice)).map(|row| row.name());
                    // Where nothing is known, what is not known is meant for it.
                    let strange = blocks.is_empty() && meanings.contains(&None);
                    (!strange && !names().any(there), names().collect())
                }
                Count::Optional | Count::Many | Count::List | Count::OneOf(_) => (false, vec![]),
            };
            if missing {
                self.missing(title, &names, rows, at);
            }
        }
    }

    fn missing(&mut self, title: &str, names: &[&str], rows: &[&NodeSchema], at: Option<Place>) {
        let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("{} is missing in {title}", either(&quoted));
        let example = |row: &&NodeSchema| format!("`{}`", example(row));
        let shown: Vec<_> = rows.iter().filter(|row| names.contains(&row.name())).map(example).collect();
        let help = format!("add {}", either(&shown));
        self.problems.push(Problem::error(Code::MissingNode, message).at(at, "incomplete").help(help));
    }
}

/// Whether anything that must be there is not.
pub(crate) fn lacks(blocks: &[Block], rows: &[&'static NodeSchema]) -> bool {
    let there = |wanted: &dyn Fn(&NodeSchema) -> bool| blocks.iter().any(|block| wanted(block.row));
    rows.iter().any(|row| match row.count {
        Count::Once | Count::Some => !there(&|found| found.name() == row.name()),
        Count::OneOf(_) => !there(&|found| found.count == row.count),
        Count::Optional | Count::Many | Count::List => false,
    })
}

/// What a node looks like in a file.
pub(crate) fn example(row: &NodeSchema) -> String {
    let value = |argument: &Argument| match argument.ty {
        Type::Integer { .. } if argument.name == "port" => " 8000".to_owned(),
        Type::Integer { .. } => " 1".to_owned(),
        Type::Secret => " (secret)\"name\"".to_owned(),
        Type::Boolean => " #true".to_owned(),
        Type::Word([first, ..]) => format!(" \"{first}\""),
        Type::Duration { .. } => " \"30s\"".to_owned(),
        Type::Size => " \"4GiB\"".to_owned(),
        Type::Decimal => " 2".to_owned(),
        Type::Share | Type::Percent | Type::Sample => " \"25%\"".to_owned(),
        Type::MountPath => " \"/mnt/data\"".to_owned(),
        Type::UrlPath { .. } => " \"/health\"".to_owned(),
        Type::Requirement => " \"flask==2.3.3\"".to_owned(),
        Type::Cidr => " \"10.0.0.0/8\"".to_owned(),
        Type::Bucket => " \"bucket/dir/\"".to_owned(),
        Type::HttpsUrl => " \"https://…\"".to_owned(),
        Type::Warning => " \"no_readiness\"".to_owned(),
        _ => format!(" \"{}\"", argument.name),
    };
    let values: String = row.arguments.iter().map(value).collect();
    let required = row.properties.iter().filter(|property| property.required);
    let properties: String = required.map(|property| format!(" {}=…", property.name)).collect();
    let block = if row.entries.is_some() { " { NAME … }" } else { "" };
    format!("{}{values}{}{properties}{block}", row.name(), if row.repeats { " …" } else { "" })
}
