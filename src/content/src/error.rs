//! Why a folder could not be brought here, or what was written to it not back.

use crate::{check::Checksum, name::NameProblem, source::Fault};
use std::{fmt, io, path::PathBuf};
use wharf_model::Bytes;

/// Why a folder could not be brought here. What was brought is kept, so that another try goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It holds something else than it did when the plan was made.
    #[error("{place} was changed after the plan was made{}", named(object.as_deref()))]
    Changed {
        /// The folder.
        place: String,
        /// What was found to be changed, if one object was.
        object: Option<String>,
    },
    /// Something that is listed cannot be had.
    #[error("{object} of {place} is listed, and not there")]
    Missing {
        /// The folder.
        place: String,
        /// Which.
        object: String,
    },
    /// Nothing more came, however often it was tried.
    #[error("{} cannot be read: {said}", what(place, object.as_deref()))]
    Unreachable {
        /// The folder.
        place: String,
        /// What was asked for, if it was an object.
        object: Option<String>,
        /// What came instead.
        said: String,
    },
    /// The source does not give it.
    #[error("{} cannot be read: {said}", what(place, object.as_deref()))]
    Refused {
        /// The folder.
        place: String,
        /// What was asked for, if it was an object.
        object: Option<String>,
        /// What was said.
        said: String,
        /// The way out.
        help: String,
    },
    /// Again and again, what arrives is not what is kept there.
    #[error("{object} of {place} arrived {times} times with {found}, and the store keeps it with {expected}")]
    Corrupt {
        /// The folder.
        place: String,
        /// Which.
        object: String,
        /// How often it was fetched.
        times: u32,
        /// What its sum is there.
        expected: Checksum,
        /// What it was here.
        found: Checksum,
    },
    /// The names of objects that no file can have.
    #[error("{place} cannot be a folder: {}{}", problems[0], more(problems.len() - 1))]
    Names {
        /// The folder.
        place: String,
        /// Every one; at least one.
        problems: Vec<NameProblem>,
    },
    /// The disk has no room for it.
    #[error("{place} takes {}, and the disk of {} has {} left", Bytes(*needed).about(), at.display(), Bytes(*free).about())]
    NoRoom {
        /// The folder.
        place: String,
        /// Where it would be kept.
        at: PathBuf,
        /// How many bytes are still to come.
        needed: u64,
        /// How many there is room for.
        free: u64,
    },
    /// This machine's disk does not let us.
    #[error("cannot {attempt}")]
    Disk {
        /// What was tried.
        attempt: String,
        /// Why it did not go.
        source: io::Error,
    },
}

/// Why what was written did not go back. What went is there; another try sends the rest.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Somebody else has written to the same files.
    #[error("{place} was written to by somebody else: {}{}", conflicts[0], more(conflicts.len() - 1))]
    Conflicts {
        /// The folder.
        place: String,
        /// Every one; at least one.
        conflicts: Vec<Conflict>,
    },
    /// Larger than stores take in one piece.
    #[error("{object} has {}, and {place} takes at most 5GiB in one piece", Bytes(*size).about())]
    TooLarge {
        /// The folder.
        place: String,
        /// Which.
        object: String,
        /// Its bytes.
        size: u64,
    },
    /// It was not taken, however often it was tried.
    #[error("{object} cannot be written to {place}: {said}")]
    Unreachable {
        /// The folder.
        place: String,
        /// Which.
        object: String,
        /// What came instead.
        said: String,
    },
    /// It is not taken.
    #[error("{object} cannot be written to {place}: {said}")]
    Refused {
        /// The folder.
        place: String,
        /// Which.
        object: String,
        /// What was said.
        said: String,
        /// The way out.
        help: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A file that was written here, and by somebody else there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The object's name below its folder.
    pub object: String,
    /// Whether it was there when the copy was made.
    pub was_there: bool,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.was_there { "was changed" } else { "was made" };
        write!(f, "{} {how} there meanwhile", self.object)
    }
}

impl SendError {
    /// The way out.
    pub fn help(&self) -> String {
        match self {
            Self::Conflicts { .. } => {
                "nothing was overwritten: move those objects away, or delete them, then apply again, and what the instance \
                 wrote takes their place; let each instance write files of its own, named by WHARF_INSTANCE, say"
                    .to_owned()
            }
            Self::TooLarge { .. } => "let the program write smaller files".to_owned(),
            Self::Unreachable { .. } => "apply again: the instance and what it wrote are still there".to_owned(),
            Self::Refused { help, .. } => help.clone(),
            Self::Disk { .. } => {
                "let the program write files that whoever runs wharf may read; then apply again".to_owned()
            }
        }
    }
}

fn named(object: Option<&str>) -> String {
    object.map(|object| format!(": {object}")).unwrap_or_default()
}

fn what(place: &str, object: Option<&str>) -> String {
    object.map_or_else(|| place.to_owned(), |object| format!("{object} of {place}"))
}

fn more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(", and {others} more like it") }
}

impl FetchError {
    /// What a fault of a source means for the folder.
    pub(crate) fn of(place: &str, object: Option<&str>, fault: Fault) -> Self {
        let (place, object) = (place.to_owned(), object.map(str::to_owned));
        match (fault, object) {
            (Fault::Missing, Some(object)) => Self::Missing { place, object },
            (Fault::Changed | Fault::Missing, object) => Self::Changed { place, object },
            (Fault::Passing(said), object) => Self::Unreachable { place, object, said },
            (Fault::Refused { said, help }, object) => Self::Refused { place, object, said, help },
        }
    }

    /// An attempt on the disk that failed.
    pub(crate) fn disk(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let attempt = attempt.into();
        move |source| Self::Disk { attempt, source }
    }

    /// The way out.
    pub fn help(&self) -> String {
        match self {
            Self::Changed { .. } => "plan again, and apply that".to_owned(),
            Self::Missing { .. } => {
                "see whether it was removed meanwhile; if so, plan again, and apply that".to_owned()
            }
            Self::Unreachable { .. } => "apply again: what has arrived is kept, and the rest is fetched".to_owned(),
            Self::Refused { help, .. } => help.clone(),
            Self::Corrupt { .. } => {
                "what lies between here and the store changes bytes, or the store does: upload the object again, or \
                 reach the store another way (`endpoint=\"https://…\"`)"
                    .to_owned()
            }
            Self::Names { problems, .. } => problems[0].help().to_owned(),
            Self::NoRoom { .. } => "make room there, or let it be kept elsewhere: WHARF_CONTENT_DIR".to_owned(),
            Self::Disk { .. } => "look at the cause; when it is mended, apply again".to_owned(),
        }
    }
}
