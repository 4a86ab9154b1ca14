//! Which node a word means that no node here has for a name: a slip of the pen, what other tools call it, or a node that
//! belongs elsewhere.

use crate::{
    schema::{Count, NodeSchema, children, schema},
    suggest::{did_you_mean, fold, nearest},
};
use std::{cmp::Reverse, collections::HashMap, sync::LazyLock};

/// More names than that are no help.
const MANY: usize = 16;

/// Which of the nodes is meant by a word that none of them has for a name.
pub(crate) fn meant(word: &str, rows: &[&'static NodeSchema]) -> Option<&'static str> {
    foreign(word, rows).or_else(|| nearest(word, rows.iter().map(|row| row.name())))
}

/// The node that is called so in another manner, or by other tools.
fn foreign(word: &str, rows: &[&'static NodeSchema]) -> Option<&'static str> {
    let called = CALLED.get(&fold(word))?;
    called.iter().find(|row| rows.iter().any(|here| here.path == row.path)).map(|row| row.name())
}

/// The way out for a word that none of these nodes has for a name.
pub(crate) fn help(word: &str, rows: &[&'static NodeSchema]) -> Option<String> {
    if let Some(bare) = word.strip_suffix(':').filter(|bare| !bare.is_empty()) {
        return Some(format!("a name stands without `:`, and its values behind it: `{bare} …`"));
    }
    let near = || nearest(word, rows.iter().map(|row| row.name()));
    let known =
        foreign(word, rows).or_else(|| if children("").iter().any(|row| row.name() == word) { None } else { near() });
    match known {
        Some(known) => Some(format!("did you mean `{known}`?")),
        None => deeper(word, rows).or_else(|| known_here(word, rows)),
    }
}

/// The rows by the words for them, as they would be written here; names before what other tools say.
static CALLED: LazyLock<HashMap<String, Vec<&'static NodeSchema>>> = LazyLock::new(|| {
    let mut called: HashMap<_, Vec<_>> = HashMap::new();
    for row in schema() {
        called.entry(fold(row.name())).or_default().push(*row);
    }
    for row in schema() {
        row.elsewhere.iter().for_each(|word| called.entry(fold(word)).or_default().push(*row));
    }
    called
});

/// A node somewhere in the blocks of these, else the nearest elsewhere.
fn deeper(word: &str, rows: &[&'static NodeSchema]) -> Option<String> {
    let here = rows.iter().map(|row| row.parent()).min_by_key(|path| path.len())?;
    let is_top = here.is_empty();
    let common = |path: &str| path.split('.').zip(here.split('.')).take_while(|(one, other)| one == other).count();
    // What is one of several kinds is less often meant than what stands for itself.
    let distance = |row: &&&NodeSchema| {
        let depth = row.path.matches('.').count();
        (Reverse(common(row.path)), row.name() != word, matches!(row.count, Count::OneOf(_)), depth)
    };
    let called = CALLED.get(&fold(word))?.iter().filter(|row| !is_top || !row.parent().is_empty());
    called.min_by_key(distance).map(|row| there(word, row))
}

fn there(word: &str, row: &NodeSchema) -> String {
    let (name, place) = (row.name(), row.parent().replace('.', " → "));
    match (name == word, place.is_empty()) {
        (true, true) => format!("`{name}` stands at the top level"),
        (true, false) => format!("`{name}` belongs in `{place}`"),
        (false, true) => format!("did you mean `{name}` at the top level?"),
        (false, false) => format!("did you mean `{name}` in `{place}`?"),
    }
}

fn known_here(word: &str, rows: &[&'static NodeSchema]) -> Option<String> {
    if rows.len() > MANY {
        return Some("`wharf schema` lists what may stand here".to_owned());
    }
    did_you_mean(word, rows.iter().map(|row| row.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, path: &str, expected: &str) {
        assert_eq!(help(word, children(path)).as_deref(), Some(expected), "{word} in {path}");
    }

    #[test]
    fn words_lead_to_the_node_that_is_meant() {
        check("prot", "service", "did you mean `port`?");
        check("replicas", "service", "did you mean `instances`?");
        check("cpus", "service", "did you mean `cpu` in `service → resources`?");
        check("maxSurge", "service", "did you mean `max-surge` in `service → rollout`?");
        check("grace", "service", "`grace` belongs in `service → shutdown`");
        check("listen", "", "`listen` belongs in `gateway`");
        check("volumes", "", "did you mean `mount` in `service`?");
        check("secret", "service", "`secret` stands at the top level");
        check("memory", "service", "`memory` belongs in `service → resources`");
        check("env", "service.resources", "`env` belongs in `service`");
        check("service", "service", "`service` stands at the top level");
        check("elephant", "service", "`wharf schema` lists what may stand here");
    }
}
