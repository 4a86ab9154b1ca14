//! Warnings that the files allow, each with a reason. A service and a gateway allow what is found about themselves; the
//! environment and the project, whatever is found. What is allowed and does not come up is worth a warning of its own.

use super::{Decode, Project, eas};
use crate::{
    block::Block,
    problem::{Code, Problem},
    source::Place,
};
use std::sync::Arc;

/// A warning that may come up, and why.
struct Allowance {
    code: Code,
    reason: Arc<str>,
    at: Place,
}

impl Decode<'_> {
    /// Decodes a noun, and lets pass what its block allows.
    pub(super) fn allowing<T>(&mut self, block: &Block, decode: impl FnOnce(&mut Self, &Block) -> T) -> T {
        let known = self.problems.len();
        let noun = decode(self, block);
        self.allow(block.every(NODE), known);
        noun
    }

    /// Lets pass what was found after the first `known` problems and is allowed by these nodes.
    fn allow<'b>(&mut self, nodes: impl Iterator<Item = &'b Block>, known: usize) {
        for Allowance { code, reason, at } in nodes.filter_map(allowance) {
            if self.problems.allow(known, code, &reason, at) {
                self.notes.allowing.insert(at);
            }
        }
    }

    /// Lets pass what the environment and the project allow, and reports what is allowed in vain. That cannot be told
    /// where something is wrong, since checks that depend on it were left out.
    pub(super) fn check_allowances(&mut self, project: &Project<'_>) {
        let chosen = project.environment.as_ref().map(|chosen| chosen.name.as_str());
        let environment = project
            .blocks
            .iter()
            .find(|block| block.row.path == "environment" && chosen.is_some() && block.key().as_deref() == chosen);
        let wide = || environment.into_iter().flat_map(|block| block.every(NODE)).chain(top(project.blocks));
        let nouns = || project.blocks.iter().filter(|block| ["service", "gateway"].contains(&block.row.path));
        wide().chain(nouns().flat_map(|block| block.every(NODE))).for_each(|node| self.check_reason(node));
        self.allow(wide(), 0);
        if self.problems.has_errors() {
            return;
        }
        for block in nouns() {
            let known = self.problems.len();
            self.check_use(block.every(NODE), |code| code != Code::UnusedAllowance);
            self.allow(block.every(NODE), known);
        }
        self.check_use(wide(), |code| code != Code::UnusedAllowance);
        self.allow(wide(), 0);
        self.check_use(wide().chain(nouns().flat_map(|block| block.every(NODE))), |code| code == Code::UnusedAllowance);
    }

    fn check_reason(&mut self, node: &Block) {
        let Some(reason) = node.property::<Arc<str>>("reason").filter(|reason| reason.value.trim().is_empty()) else {
            return;
        };
        let message = format!("{} gives no reason", node.title());
        let problem = Problem::error(Code::InvalidValue, message).at(reason.at, "empty");
        self.report(problem.help("say why it is meant to be so, for whoever reads this next".to_owned()));
    }

    /// Reports each that let nothing pass, unless only another runtime would have anything to say.
    fn check_use<'b>(&mut self, nodes: impl Iterator<Item = &'b Block>, wanted: fn(Code) -> bool) {
        for Allowance { code, at, .. } in nodes.filter_map(allowance).filter(|allowance| wanted(allowance.code)) {
            if self.notes.allowing.contains(&at) || (!self.known.eas && eas::LINTS.contains(&code)) {
                continue;
            }
            let message = format!("nothing warns of `{}` here", code.short());
            let problem = Problem::warning(Code::UnusedAllowance, message).at(at, "allowed in vain");
            self.report(problem.help("remove it, so that it does not let pass what comes later".to_owned()));
        }
    }
}

/// What it is called.
const NODE: &str = "allow-warning";

fn top(blocks: &[Block]) -> impl Iterator<Item = &Block> {
    blocks.iter().filter(|block| block.row.path == NODE)
}

fn allowance(node: &Block) -> Option<Allowance> {
    let code = node.argument::<Arc<str>>(0)?;
    Some(Allowance { code: Code::of_word(&code.value)?, reason: node.property("reason")?.value, at: code.at? })
}
