//! Which names of objects can be names of files: those that stay below their folder, on any file system.

use crate::source::Object;
use std::collections::BTreeMap;

/// What a file system takes for one part of a path, in bytes.
const LONGEST_PART: usize = 255;
/// What it takes for a whole path, with room for where the folder is.
const LONGEST_PATH: usize = 3_000;

/// Why a folder of objects cannot be a folder of files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// It would lie elsewhere than below its folder.
    #[error("the object {key:?} leads out of its folder")]
    LeadsOut {
        /// Its name.
        key: String,
    },
    /// A part of it has no name: it begins with a slash, or has two in a row.
    #[error("the object {key:?} has an empty part in its name")]
    EmptyPart {
        /// Its name.
        key: String,
    },
    /// It holds a zero byte.
    #[error("the object {key:?} has a zero byte in its name")]
    ZeroByte {
        /// Its name.
        key: String,
    },
    /// It is longer than file systems take.
    #[error("the name of the object {key:?} is too long for a file")]
    TooLong {
        /// Its name.
        key: String,
    },
    /// It names a folder and has bytes.
    #[error("the object {key:?} is named like a folder and has bytes of its own")]
    FullFolder {
        /// Its name.
        key: String,
    },
    /// Something else would have to be in it.
    #[error("the object {key:?} is a file, and {inside:?} lies in it")]
    FileAndFolder {
        /// Its name.
        key: String,
        /// What lies in it.
        inside: String,
    },
    /// It is listed twice.
    #[error("the object {key:?} is listed twice, and differently")]
    Twice {
        /// Its name.
        key: String,
    },
}

/// Every reason why the objects cannot be a folder of files.
pub(crate) fn problems(objects: &[Object]) -> Vec<NameProblem> {
    let mut found: Vec<_> = objects.iter().filter_map(problem).collect();
    let mut files: BTreeMap<&str, &Object> = BTreeMap::new();
    for object in objects {
        if files.insert(&object.key, object).is_some_and(|known| known != object) {
            found.push(NameProblem::Twice { key: object.key.clone() });
        }
    }
    for inside in objects {
        let folders = inside.key.match_indices('/').map(|(end, _)| &inside.key[..end]);
        if let Some(key) = folders.into_iter().find(|folder| files.contains_key(folder)) {
            found.push(NameProblem::FileAndFolder { key: key.to_owned(), inside: inside.key.clone() });
        }
    }
    found
}

fn problem(object: &Object) -> Option<NameProblem> {
    let key = object.key.clone();
    let path = object.key.strip_suffix('/').unwrap_or(&object.key);
    if path.contains('\0') {
        return Some(NameProblem::ZeroByte { key });
    }
    if path.split('/').any(|part| matches!(part, "." | "..")) {
        return Some(NameProblem::LeadsOut { key });
    }
    if path.split('/').any(str::is_empty) {
        return Some(NameProblem::EmptyPart { key });
    }
    if path.len() > LONGEST_PATH || path.split('/').any(|part| part.len() > LONGEST_PART) {
        return Some(NameProblem::TooLong { key });
    }
    (path.len() < object.key.len() && object.size > 0).then_some(NameProblem::FullFolder { key })
}

impl NameProblem {
    /// The way out.
    pub fn help(&self) -> &'static str {
        "rename or remove that object, or mount a folder of the bucket that does not hold it"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, size: u64) -> Object {
        Object { key: key.to_owned(), size, tag: "t".to_owned() }
    }

    fn check(keys: &[&str]) -> Vec<String> {
        let objects: Vec<_> = keys.iter().map(|key| object(key, 1)).collect();
        problems(&objects).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_that_would_lie_elsewhere_are_refused_by_name() {
        assert!(check(&["app.py", "a/b/c", "..a", "a..b/c", "-", " ", "ä/\u{1f980}"]).is_empty());
        assert_eq!(check(&["../etc/passwd"]), [r#"the object "../etc/passwd" leads out of its folder"#]);
        assert_eq!(check(&["a/./b", "a/.."]).len(), 2);
        assert_eq!(check(&["/etc/passwd"]), [r#"the object "/etc/passwd" has an empty part in its name"#]);
        assert_eq!(check(&["a//b"]).len(), 1);
        assert_eq!(check(&["a\0b"]).len(), 1);
        assert_eq!(check(&[&"x".repeat(256)]).len(), 1);
        assert_eq!(check(&[&"x/".repeat(1_600)]).len(), 1);
        assert_eq!(check(&[""]).len(), 1);
    }

    #[test]
    fn a_file_is_no_folder() {
        assert_eq!(check(&["a", "a/b"]), [r#"the object "a" is a file, and "a/b" lies in it"#]);
        assert_eq!(check(&["a/"]), [r#"the object "a/" is named like a folder and has bytes of its own"#]);
        assert!(problems(&[object("a/", 0), object("a/b", 1)]).is_empty());
        let (one, two) = (object("a", 1), object("a", 2));
        assert_eq!(problems(&[one.clone(), two]), [NameProblem::Twice { key: "a".to_owned() }]);
        assert!(problems(&[one.clone(), one]).is_empty());
    }
}
