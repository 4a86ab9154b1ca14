//! Where folders are: on the host, and inside an instance.

use std::{fmt, str::FromStr, sync::Arc};

/// An absolute path inside an instance, without `.` and `..`, not the root and not a folder of the system.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountPath(Arc<str>);

/// Why a text is no path to mount at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountPathError {
    /// Relative, or with parts that lead elsewhere.
    #[error("`{0}` is not an absolute path without `.` and `..`")]
    Shape(String),
    /// A folder that the system needs.
    #[error("`{0}` belongs to the system and cannot be mounted over")]
    System(String),
}

/// Folders that no mount may hide or lie in.
const SYSTEM: [&str; 13] =
    ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/usr"];

impl MountPath {
    /// The folder through which processes share memory: the one folder of the system that may be mounted over.
    pub const SHM: &'static str = "/dev/shm";

    /// The path as text; no slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether one of the two lies in the other, or both are the same.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (short, long) = if self.0.len() <= other.0.len() { (self, other) } else { (other, self) };
        long.0.strip_prefix(&*short.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for MountPath {
    type Err = MountPathError;

    fn from_str(text: &str) -> Result<Self, MountPathError> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let parts = path.strip_prefix('/').ok_or_else(|| MountPathError::Shape(text.to_owned()))?;
        if parts.split('/').any(|part| matches!(part, "." | "..") || part.contains('\0') || part.is_empty()) {
            let root = path.is_empty();
            return Err(if root {
                MountPathError::System("/".to_owned())
            } else {
                MountPathError::Shape(text.to_owned())
            });
        }
        let system =
            |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if path != Self::SHM && SYSTEM.into_iter().any(system) {
            return Err(MountPathError::System(path.to_owned()));
        }
        Ok(Self(path.into()))
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A folder of the host: absolute, or relative to the project's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderPath(pub Arc<str>);

impl fmt::Display for FolderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_paths_are_checked() {
        for (text, path) in [("/mnt/data", "/mnt/data"), ("/mnt/data/", "/mnt/data"), ("/models", "/models")] {
            assert_eq!(text.parse::<MountPath>().unwrap().as_str(), path);
        }
        for bad in ["", "/", "mnt", "/mnt/../etc", "/mnt//x", "/./x", "/usr", "/etc/passwd", "/proc/self"] {
            assert!(bad.parse::<MountPath>().is_err(), "{bad}");
        }
        assert!("/users".parse::<MountPath>().is_ok());
        assert!("/dev/shm".parse::<MountPath>().is_ok() && "/dev/shm/x".parse::<MountPath>().is_err());
    }

    #[test]
    fn overlap_is_by_whole_parts() {
        let path = |text: &str| text.parse::<MountPath>().unwrap();
        assert!(path("/a/b").overlaps(&path("/a")));
        assert!(path("/a").overlaps(&path("/a")));
        assert!(!path("/a/b").overlaps(&path("/a/bc")));
    }
}
