//! What resources were called before.

use super::{Decode, name};
use crate::{
    block::Block,
    problem::{Code, Problem},
};
use std::str::FromStr;
use wharf_model::{Address, Field, FieldPath};

impl Decode<'_> {
    /// Takes in what a resource was called. `old` makes an address of that name.
    pub(super) fn was<N: FromStr>(&mut self, block: &Block, address: &Address, old: impl FnOnce(N) -> Address) {
        let Some(node) = block.child("was") else { return };
        let Some((at, before)) = name::<N>(node) else { return };
        let before = old(before);
        self.note(address, FieldPath::of(Field::Was), at);
        if self.known.named.contains(&before) {
            let message = format!("{before} is declared, so {address} cannot be what it was");
            let problem = Problem::error(Code::Contradiction, message).at(at, "goes on under its own name");
            self.report(problem.help("remove `was`, or the resource of the old name".to_owned()));
        } else if let Some((other, _)) = self.notes.renamed.iter().find(|(_, known)| **known == before) {
            let message = format!("both {other} and {address} say that they were {before}");
            let problem = Problem::error(Code::Contradiction, message).at(at, "taken already");
            self.report(problem.help("only one of them can go on in its place".to_owned()));
        } else {
            self.notes.renamed.insert(address.clone(), before);
        }
    }
}
