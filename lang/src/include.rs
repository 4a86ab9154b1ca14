//! `include "path"`: one more file of the project.
//!
//! A path is relative to the file that names it, and stays in the project's folder. Each file is read once, however many
//! name it; files that include each other in a circle are a mistake. The files themselves come from the caller.

use crate::{
    SourceFile,
    circle::{Circle, circles},
    problem::{Code, Problem},
    source::Place,
    syntax::{self, Node, Scalar, Tree},
    threads::Threads,
};
use std::sync::Arc;

/// Reads a file of the project, by its path relative to the project's folder.
pub type Include<'a> = &'a dyn Fn(&str) -> Result<Arc<str>, IncludeError>;

/// Why a file cannot be included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncludeError {
    /// It leads out of the project's folder, for example by a link.
    Outside,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

/// Every file of a project, in the order in which they were found, and what stands in them.
pub(crate) struct Files {
    pub(crate) files: Vec<SourceFile>,
    pub(crate) tree: Tree,
    pub(crate) problems: Vec<Problem>,
    /// For each file, the files that it includes, and where.
    includes: Vec<Vec<(usize, Place)>>,
}

/// Reads the files, and those that they include.
pub(crate) fn gather(files: &[SourceFile], include: Option<Include<'_>>, threads: Threads) -> Files {
    let includes = vec![vec![]; files.len()];
    let mut gathered = Files { files: files.to_vec(), tree: Tree::default(), problems: vec![], includes };
    let mut read = 0;
    while read < gathered.files.len() {
        let all = gathered.files.len();
        let tree = syntax::parse(&gathered.files, read..all, threads);
        read = all;
        for node in tree.nodes.iter().filter(|node| &*node.name.text == "include") {
            gathered.include(node, include);
        }
        gathered.tree.nodes.extend(tree.nodes);
        gathered.tree.problems.extend(tree.problems);
    }
    gathered.check_circles();
    gathered
}

/// The files of a project with those that they include, as far as they can be read.
pub fn with_included(files: &[SourceFile], include: Include<'_>) -> Vec<SourceFile> {
    gather(files, Some(include), Threads::Cores).files
}

impl Files {
    fn include(&mut self, node: &Node, include: Option<Include<'_>>) {
        // That it names no path, or one with inputs in it, is reported where the tree is held against the schema.
        let Some(entry) = node.entries.iter().find(|entry| entry.key.is_none()) else { return };
        let Scalar::Text(path) = &entry.value else { return };
        if path.contains("${") {
            return;
        }
        let from = &self.files[entry.at.file()].name;
        let Some(name) = resolve(from, path) else {
            self.refuse(path, entry.at, IncludeError::Outside);
            return;
        };
        let known = self.files.iter().position(|file| *file.name == name);
        let index = match known {
            Some(index) => index,
            None => {
                match include.map_or(Err(IncludeError::Unreadable("no such file".to_owned())), |read| read(&name)) {
                    Ok(text) => {
                        self.files.push(SourceFile { name: name.into(), text });
                        self.includes.push(vec![]);
                        self.files.len() - 1
                    }
                    Err(error) => return self.refuse(path, entry.at, error),
                }
            }
        };
        self.includes[entry.at.file()].push((index, entry.at));
    }

    fn refuse(&mut self, path: &str, at: Place, error: IncludeError) {
        let problem = match error {
            IncludeError::Outside => {
                let problem = Problem::error(Code::IncludeOutside, format!("`{path}` lies outside of the project"));
                problem
                    .at(at, "leads out of the project's folder")
                    .help("a file that is included lies in the project's folder".to_owned())
            }
            IncludeError::Unreadable(why) => {
                let problem = Problem::error(Code::IncludeUnreadable, format!("cannot include `{path}`"));
                problem.at(at, why).help("a path is relative to the file that names it".to_owned())
            }
        };
        self.problems.push(problem);
    }

    /// Reports each `include` that leads back to a file on the way to it.
    fn check_circles(&mut self) {
        for Circle { first, begins, closes } in circles(&self.includes) {
            let name = &self.files[first].name;
            let problem = Problem::error(Code::IncludeCircle, format!("`{name}` includes itself"));
            let begins = (begins != closes).then_some(begins);
            let problem = problem.at(closes, "leads back to it").and(begins, "the way begins here");
            self.problems.push(problem.help("remove one of the includes".to_owned()));
        }
    }
}

/// The path of a file relative to the project's folder; none when it leads out.
fn resolve(from: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\\') {
        return None;
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, path: &str, expected: Option<&str>) {
        assert_eq!(resolve(from, path).as_deref(), expected, "{from} {path}");
    }

    #[test]
    fn paths_are_relative_to_the_file_and_stay_inside() {
        check("wharf.kdl", "shared/llm.kdl", Some("shared/llm.kdl"));
        check("shared/llm.kdl", "probes.kdl", Some("shared/probes.kdl"));
        check("shared/llm.kdl", "../base.kdl", Some("base.kdl"));
        check("wharf.kdl", "./a//b.kdl", Some("a/b.kdl"));
        check("wharf.kdl", "../x.kdl", None);
        check("a/b.kdl", "../../x.kdl", None);
        check("wharf.kdl", "/etc/passwd", None);
    }
}
