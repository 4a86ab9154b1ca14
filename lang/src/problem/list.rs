//! Every problem of a project: gathered in any order, told in the order of the files, each once, and without what must
//! not be seen.

use super::{Allowed, Code, Label, Problem, Severity};
use crate::{
    SourceFile, characters,
    source::{Place, Sources},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// Every problem of a project.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    list: Vec<Problem>,
    /// Once finished, the warnings that the files allow; until then they stand in the list.
    allowed: Vec<Problem>,
    hidden: Vec<Place>,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// Whether a problem of this kind has been found.
    pub(crate) fn has(&self, code: Code) -> bool {
        self.list.iter().any(|problem| problem.code == code)
    }

    /// Takes in what was found on the way of another place, which is named where there is no second place yet.
    pub(crate) fn absorb(&mut self, found: Self, way: Option<(Place, &'static str)>) {
        self.hidden.extend(found.hidden);
        for mut problem in found.list {
            if let (None, Some((place, text))) = (&problem.other, way) {
                problem = problem.and(place, text);
            }
            self.list.push(problem);
        }
    }

    /// Allows the warnings of a kind that were found after the first `known` problems, and says whether there are any.
    pub(crate) fn allow(&mut self, known: usize, code: Code, reason: &Arc<str>, at: Place) -> bool {
        let mut any = false;
        let warnings = self.list[known..].iter_mut().filter(|problem| problem.severity == Severity::Warning);
        for problem in warnings.filter(|problem| problem.code == code && problem.allowed.is_none()) {
            problem.allowed = Some(Allowed { reason: Arc::clone(reason), label: Label::new(at, "allowed here") });
            any = true;
        }
        any
    }

    /// Keeps a value out of every excerpt: it seems to be a secret, and excerpts end up in logs.
    pub(crate) fn hide(&mut self, place: impl Into<Option<Place>>) {
        self.hidden.extend(place.into());
    }

    /// Sorts by file and place, drops what is said twice, and gives every label its source, without what is hidden.
    pub(crate) fn finish(mut self, sources: &Sources<'_>) -> Self {
        self.list.sort_by(|one, two| {
            let place = |problem: &Problem| problem.label.as_ref().map(|label| label.place);
            // What one place allows and another does not is not allowed.
            let allowed = |problem: &Problem| problem.allowed.is_some();
            place(one).cmp(&place(two)).then(one.severity.cmp(&two.severity)).then(allowed(one).cmp(&allowed(two)))
        });
        let mut told = HashSet::new();
        self.list.retain(|problem| {
            told.insert((problem.code, problem.message.clone(), problem.label.as_ref().map(|label| label.place)))
        });
        if self.list.is_empty() {
            return self;
        }
        let texts = self.masked(sources);
        for problem in &mut self.list {
            problem.tame();
            let allowed = problem.allowed.iter_mut().filter_map(|allowed| allowed.label.as_mut());
            for label in problem.label.iter_mut().chain(&mut problem.other).chain(allowed) {
                label.attach(sources, &texts);
            }
        }
        (self.allowed, self.list) = self.list.into_iter().partition(|problem| problem.allowed.is_some());
        self
    }

    /// The texts of the files that hold something to hide, or what could steer a terminal, without it.
    fn masked(&self, sources: &Sources<'_>) -> BTreeMap<usize, Arc<str>> {
        let tamed = |(index, file): (usize, &SourceFile)| Some((index, characters::tamed(&file.text)?));
        let mut texts: BTreeMap<usize, String> = sources.files().iter().enumerate().filter_map(tamed).collect();
        for place in &self.hidden {
            let text = texts.entry(place.file()).or_insert_with(|| sources.file(place.file()).text.to_string());
            let stars = |letter: char| match letter {
                '\n' | '"' | '#' => letter.to_string(),
                _ => "*".repeat(letter.len_utf8()),
            };
            let mask: String = sources.text(*place).chars().map(stars).collect();
            text.replace_range(place.start()..place.start() + mask.len(), &mask);
        }
        texts.into_iter().map(|(file, text)| (file, text.into())).collect()
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// The errors.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// The warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|problem| problem.severity == Severity::Warning)
    }

    /// The warnings that the files allow, by file and place. They are counted nowhere else.
    pub fn allowed(&self) -> impl Iterator<Item = &Problem> {
        self.allowed.iter()
    }

    /// All that stand, by file and place; first those that are about no file.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
