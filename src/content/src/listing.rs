//! What a folder holds, as its list tells: names, sizes and tags. That alone gives it a digest, so a plan needs no
//! download.

use crate::{
    name::{self, NameProblem},
    source::Object,
};
use std::collections::BTreeMap;
use wharf_model::ContentDigest;

/// A list whose names can be those of files, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    place: String,
    objects: Vec<Object>,
}

/// In what a folder differs from an earlier state of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turnover {
    /// Files that were not there before.
    pub added: Vec<String>,
    /// Files that hold something else.
    pub changed: Vec<String>,
    /// Files that are there no more.
    pub removed: Vec<String>,
}

impl Listing {
    /// The list of the folder at `place`.
    ///
    /// # Errors
    /// Every object whose name no file can have.
    pub fn of(place: &str, mut objects: Vec<Object>) -> Result<Self, Vec<NameProblem>> {
        let problems = name::problems(&objects);
        if !problems.is_empty() {
            return Err(problems);
        }
        objects.sort();
        objects.dedup();
        Ok(Self { place: place.to_owned(), objects })
    }

    /// Where it is from.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The files, in the order of their names.
    pub fn files(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(|object| !object.key.ends_with('/'))
    }

    /// The folders that the list names, beside those that files lie in.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().filter_map(|object| object.key.strip_suffix('/'))
    }

    /// How many bytes all files have.
    pub fn bytes(&self) -> u64 {
        self.files().map(|object| object.size).sum()
    }

    /// Stands for all that it tells. Two places never have the same, as a tag means nothing elsewhere.
    pub fn digest(&self) -> ContentDigest {
        let sizes: Vec<_> = self.objects.iter().map(|object| object.size.to_le_bytes()).collect();
        let parts = self.objects.iter().zip(&sizes);
        let parts = parts.flat_map(|(object, size)| [object.key.as_bytes(), size, object.tag.as_bytes()]);
        ContentDigest::of([b"bucket".as_slice(), self.place.as_bytes()].into_iter().chain(parts))
    }

    /// The files that are not as they were, by name.
    pub fn since<'a>(&self, earlier: impl IntoIterator<Item = &'a Object>) -> Turnover {
        let mut before: BTreeMap<&str, &Object> =
            earlier.into_iter().map(|object| (object.key.as_str(), object)).collect();
        let mut turnover = Turnover::default();
        for object in self.files() {
            match before.remove(object.key.as_str()) {
                None => turnover.added.push(object.key.clone()),
                Some(known) if known != object => turnover.changed.push(object.key.clone()),
                Some(_) => {}
            }
        }
        turnover.removed = before.into_keys().map(str::to_owned).collect();
        turnover
    }
}

/// Stands for one state of one object, wherever it is met again.
pub(crate) fn identity(place: &str, object: &Object) -> ContentDigest {
    let size = object.size.to_le_bytes();
    ContentDigest::of([place.as_bytes(), object.key.as_bytes(), &size, object.tag.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, tag: &str) -> Object {
        Object { key: key.to_owned(), size: 4, tag: tag.to_owned() }
    }

    #[test]
    fn what_a_list_tells_is_what_its_digest_stands_for() {
        let of = |place: &str, objects: Vec<Object>| Listing::of(place, objects).unwrap().digest();
        let one = of("s3://b/", vec![object("a", "1"), object("b", "2")]);
        assert_eq!(one, of("s3://b/", vec![object("b", "2"), object("a", "1"), object("a", "1")]));
        assert_ne!(one, of("s3://c/", vec![object("a", "1"), object("b", "2")]));
        assert_ne!(one, of("s3://b/", vec![object("a", "1"), object("b", "3")]));
    }

    #[test]
    fn a_turnover_names_what_came_changed_and_went() {
        let now = Listing::of("s3://b/", vec![object("a", "1"), object("b", "2"), object("c", "1")]).unwrap();
        let before = [object("b", "1"), object("c", "1"), object("d", "1")];
        let turnover = now.since(&before);
        let names = |names: &[String]| names.join(" ");
        assert_eq!(
            (names(&turnover.added), names(&turnover.changed), names(&turnover.removed)),
            ("a".to_owned(), "b".to_owned(), "d".to_owned())
        );
    }
}
