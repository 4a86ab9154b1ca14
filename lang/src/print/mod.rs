//! Problems for machines: editors, code scanning, the annotations of a pull request. Values in, text out.
//!
//! Each view is given the `folder` of the project as its readers see it, since files are named relative to that folder
//! and a repository may hold several projects. Lines and columns count from 1, columns in characters; an end is the
//! place after the last character.

mod github;
mod json;
mod sarif;

pub use github::problems_github;
pub use json::problems_json;
pub use sarif::problems_sarif;

use crate::{Problem, Severity};

/// The path of a file, with `/` between its parts.
fn path(folder: &str, file: &str) -> String {
    let folder = folder.trim_end_matches('/');
    let folder = folder.strip_prefix("./").unwrap_or(folder);
    if folder.is_empty() || folder == "." { file.to_owned() } else { format!("{folder}/{file}") }
}

fn severity(problem: &Problem) -> &'static str {
    match problem.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_where_their_readers_stand() {
        assert_eq!(path(".", "a.kdl"), "a.kdl");
        assert_eq!(path("", "a.kdl"), "a.kdl");
        assert_eq!(path("./", "a.kdl"), "a.kdl");
        assert_eq!(path("./deploy/prod/", "a.kdl"), "deploy/prod/a.kdl");
        assert_eq!(path("/srv", "a.kdl"), "/srv/a.kdl");
    }
}
