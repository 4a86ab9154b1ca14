//! What every code means, why wharf insists, and how it looks wrong and right.
//!
//! One table, next to the codes: `wharf explain` prints it, and machine-readable reports take their rules from it. The
//! tests hold that every code has an entry, that each wrong example yields its code, and that each right one is fine.

mod names;
mod plan;
mod reuse;
mod runtimes;
mod syntax;
mod text;
mod together;
mod values;

pub use text::{explanation_text, explanations_text};

use crate::{characters, problem::Code, suggest};

/// What is to be known about a code.
#[derive(Debug)]
pub struct Explanation {
    /// The code, in full.
    pub code: &'static str,
    /// What it means, in one line.
    pub brief: &'static str,
    /// What it means and why wharf insists, in a paragraph.
    pub text: &'static str,
    /// A project that has the problem.
    pub wrong: Example,
    /// The same project without it.
    pub right: Example,
}

/// A project made up to show something. The line `project "shop"` is left out where it does not matter.
#[derive(Debug)]
pub struct Example {
    /// The file.
    pub text: &'static str,
    /// What is added to the file.
    pub given: &'static [Given],
}

/// What an example needs beside its file.
#[derive(Debug, Clone, Copy)]
pub enum Given {
    /// An input is set on the command line.
    Input(&'static str, &'static str),
    /// An environment is chosen.
    Environment(&'static str),
    /// A variable of the environment is not set.
    Unset(&'static str),
    /// There is a second file, with this text.
    File(&'static str, &'static str),
    /// There is a file with the values of inputs.
    Values(&'static str, &'static str),
}

const fn example(text: &'static str) -> Example {
    Example { text, given: &[] }
}

impl Example {
    const fn given(mut self, given: &'static [Given]) -> Self {
        self.given = given;
        self
    }

    /// The file as it can be shown: what nobody would see is made visible.
    pub fn shown(&self) -> String {
        characters::tamed(self.text).unwrap_or_else(|| self.text.to_owned())
    }

    /// The file as wharf would read it.
    pub fn project(&self) -> String {
        let whole = self.text.lines().any(|line| line.starts_with("project"));
        if whole { self.text.to_owned() } else { format!("project \"shop\"\n\n{}", self.text) }
    }
}

/// Every explanation, grouped by what the codes are about.
pub fn explanations() -> impl Iterator<Item = &'static Explanation> + Clone {
    let groups: [&'static [Explanation]; 7] =
        [syntax::TABLE, values::TABLE, names::TABLE, together::TABLE, runtimes::TABLE, reuse::TABLE, plan::TABLE];
    groups.into_iter().flatten()
}

/// The explanation of a code, in full or by its last word.
pub fn explain(code: &str) -> Option<&'static Explanation> {
    let folded = code.to_lowercase().replace('-', "_");
    explanations().find(|known| {
        known.code == folded || known.short() == folded || known.code.strip_prefix("wharf::") == Some(&*folded)
    })
}

/// The code that was probably meant.
pub fn nearest_code(code: &str) -> Option<&'static str> {
    let last = code.rsplit("::").next().unwrap_or_default();
    let short = suggest::nearest(last, explanations().map(Explanation::short))?;
    explanations().find(|known| known.short() == short).map(|known| known.code)
}

impl Explanation {
    /// The last word of the code.
    pub fn short(&self) -> &'static str {
        self.code.rsplit("::").next().unwrap_or(self.code)
    }

    /// How a file lets it pass, where it may; nothing for an error.
    pub fn allowing(&self) -> Option<String> {
        Code::of_word(self.code).filter(|code| code.is_warning())?;
        Some(format!(
            "This is a warning, which stops nothing. Where it is meant to be so, `allow-warning \"{}\" reason=\"…\"` lets it \
             pass: in the service or gateway that it is about, in an environment, or at the top level for the whole project.",
            self.short()
        ))
    }
}

#[cfg(test)]
mod tests;
