//! Lays what an environment says about a service or a gateway over what the project says.
//!
//! Nodes are matched by name, and by their first argument where there may be many; nodes that exclude each other take
//! each other's place. How deep a patch goes is a column of the schema.

use crate::{
    block::Block,
    layer::follow,
    schema::{Count, NodeSchema, Overlay},
};
use std::{mem, sync::Arc};

/// Changes `base` by what `over` names, and returns copies of the blocks that only the overlay has: these must be
/// complete by themselves.
pub(crate) fn patch(base: &mut Block, over: &Block) -> Vec<Block> {
    let mut added = Vec::new();
    let lists = |row: &NodeSchema| over.children.iter().any(|child| child.row.path == row.path);
    base.children.retain(|child| child.row.count != Count::List || !lists(child.row));
    for child in over.children.iter().filter(|child| child.row.reuse.is_none()) {
        let Some(present) = base.children.iter_mut().find(|present| child.takes_place_of(present)) else {
            base.children.push(child.clone());
            added.push(child.clone());
            continue;
        };
        let deeper = child.row.overlay == Overlay::Patches && child.row.path == present.row.path;
        if deeper {
            added.append(&mut patch(present, child));
            restate(present, child);
        } else {
            let old = mem::replace(present, child.clone());
            present.follow(old);
        }
    }
    patch_values(base, over);
    added
}

/// Properties and variables are changed one by one.
fn patch_values(base: &mut Block, over: &Block) {
    base.refused.extend(&over.refused);
    for (name, value) in &over.entries {
        match base.entries.iter_mut().find(|(present, _)| present.text == name.text) {
            Some(present) => {
                let old = mem::replace(present, (name.clone(), value.clone()));
                follow(&mut present.1.written, old.1.written);
            }
            None => base.entries.push((name.clone(), value.clone())),
        }
    }
    for (name, value) in over.properties.iter() {
        if let Some(old) = base.properties.insert(name, value.clone())
            && let Some(present) = base.properties.get_mut(name)
        {
            follow(&mut present.written, old.written);
        }
    }
}

/// A node that was patched stands where it was said last, with the values that were said last.
fn restate(present: &mut Block, over: &Block) {
    let before = Block {
        at: present.at,
        arguments: present.arguments.clone(),
        by: present.by.take(),
        before: present.before.take(),
        ..Block::absent(present.row)
    };
    if !over.is_keyed() && !over.arguments.is_empty() {
        present.arguments = over.arguments.clone();
    }
    (present.at, present.by) = (over.at, over.by.clone());
    present.before = Some(Arc::new(before));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        SourceFile, admit::Admit, block::Block, interpolate::Scope, problem::Problems, reuse::Templates,
        source::Sources, syntax, threads::Threads,
    };

    /// Lays the second node over the first and prints what comes out.
    fn check(base: &str, over: &str, expected: &str) {
        let text = format!("service \"s\" {{ {base} }}\nenvironment \"e\" {{ service \"s\" {{ {over} }} }}");
        let files = [SourceFile { name: "a.kdl".into(), text: text.into() }];
        let sources = Sources::new(&files);
        let tree = syntax::parse(&files, 0..1, Threads::Cores);
        let (scope, templates, mut problems) = (Scope::default(), Templates::default(), Problems::default());
        let mut admit = Admit {
            sources: &sources,
            scope: &scope,
            templates: &templates,
            problems: &mut problems,
            incomplete: true,
            by: None,
            spent: 0,
            threads: Threads::Cores,
        };
        let mut blocks = admit.top(tree.nodes);
        let over = blocks[1].child("service").unwrap().clone();
        patch(&mut blocks[0], &over);
        assert_eq!(print(&blocks[0], &sources), expected);
    }

    fn print(block: &Block, sources: &Sources<'_>) -> String {
        let text = |at: Option<crate::source::Place>| at.map_or("", |at| sources.text(at));
        let children = block.children.iter().map(|child| match child.children.is_empty() && child.entries.is_empty() {
            true => format!("{} {}", child.row.name(), text(child.title_at())),
            false => format!("{} {{ {} }}", child.row.name(), print(child, sources)),
        });
        let entries = block.entries.iter().map(|(name, value)| format!("{} {}", name.text, text(value.at)));
        children.chain(entries).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_is_named_is_changed_and_the_rest_stays() {
        check("port 1; instances 1", "instances 2", "port 1; instances 2");
        check("port 1", "timeout \"1s\"", "port 1; timeout \"1s\"");
        check("env { A 1; B 2 }", "env { B 3; C 4 }", "env { A 1; B 3; C 4 }");
        check(
            "rollout { max-surge 1; deadline \"1m\" }",
            "rollout { max-surge 2 }",
            "rollout { max-surge 2; deadline \"1m\" }",
        );
    }

    #[test]
    fn alternatives_take_each_others_place() {
        check("command \"a\"", "script \"b\"", "script \"b\"");
        check(
            "health { readiness { http \"/\"; failures 2 } }",
            "health { readiness { tcp } }",
            "health { readiness { tcp tcp; failures 2 } }",
        );
    }

    #[test]
    fn what_there_may_be_many_of_is_told_apart_by_its_key() {
        check(
            "expose \"a\"; expose \"b\"",
            "expose \"b\" path=\"/b\"; expose \"c\"",
            "expose \"a\"; expose \"b\"; expose \"c\"",
        );
        check("auth { token (secret)\"a\" }", "auth { token (secret)\"b\" }", "auth { token \"b\" }");
    }
}
