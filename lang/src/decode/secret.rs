//! Secrets: where their values come from, and whether those that are used can be read. A value never comes this way.

use super::{Decode, name};
use crate::{
    SecretCheck,
    block::Block,
    problem::{Code, Problem},
};
use std::{collections::BTreeMap, sync::Arc};
use wharf_model::{SecretName, SecretSource};

impl Decode<'_> {
    pub(super) fn secret(&mut self, block: &Block) -> Option<(SecretName, SecretSource)> {
        let (_, secret) = name(block)?;
        let source = block.children.first()?;
        let words = source.all::<Arc<str>>()?;
        if words.first().is_some_and(|word| word.is_empty()) {
            let message = format!("{} comes from nowhere", block.title());
            self.report(Problem::error(Code::InvalidValue, message).at(source.title_at(), "empty"));
            return None;
        }
        let one = || words.first().cloned();
        let source = match source.row.name() {
            "env" => SecretSource::Env(one()?),
            "file" => SecretSource::File(one()?),
            _ => SecretSource::Command(words),
        };
        Some((secret, source))
    }

    /// Reports each secret that is used and cannot be read, once.
    pub(super) fn check_secrets(
        &mut self,
        blocks: &[&Block],
        secrets: &BTreeMap<SecretName, SecretSource>,
        check: SecretCheck<'_>,
    ) {
        let places: BTreeMap<_, _> =
            blocks.iter().filter_map(|block| Some((block.key()?, block.children.first()?.title_at()))).collect();
        for (secret, used) in std::mem::take(&mut self.notes.used) {
            let Some(source) = secrets.get(&secret) else { continue };
            let Err(why) = check(source) else { continue };
            let at = places.get(secret.as_str()).copied().flatten();
            let problem = Problem::error(Code::SecretNotSet, format!("secret `{secret}` is not set"));
            self.report(problem.at(at, why).and(used, "used here").help(way_out(source)));
        }
    }
}

fn way_out(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(variable) => format!("set it before wharf runs: export {variable}=…"),
        SecretSource::File(path) => format!("write the value into `{path}`, readable for you alone"),
        SecretSource::Command(words) => format!("run it by hand to see why: {}", words.join(" ")),
    }
}
