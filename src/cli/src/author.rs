//! Who does something, and from where: what a pipeline says of itself, and which commit the project's folder is at.

use std::{fs, path::Path};
use wharf_store::Author;

/// Variables in which pipelines name the commit that they run for.
const COMMITS: [&str; 7] = [
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "BUILDKITE_COMMIT",
    "CIRCLE_SHA1",
    "BITBUCKET_COMMIT",
    "BUILD_SOURCEVERSION",
    "GIT_COMMIT",
];

/// Variables that hold the address of a pipeline's run, or its number.
const RUNS: [&str; 6] =
    ["CI_JOB_URL", "CI_PIPELINE_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL", "BUILD_BUILDID"];

/// Who runs wharf on the project of this folder.
pub(crate) fn author(dir: &Path, who: String) -> Author {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let commit = COMMITS.into_iter().find_map(variable).or_else(|| checked_out(dir));
    let on_github = || {
        let (server, repository) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?);
        Some(format!("{server}/{repository}/actions/runs/{}", variable("GITHUB_RUN_ID")?))
    };
    let run = on_github().or_else(|| RUNS.into_iter().find_map(variable));
    Author { who, commit, run }
}

/// The commit that a git repository around the folder has checked out.
fn checked_out(dir: &Path) -> Option<String> {
    let git = dir.ancestors().map(|folder| folder.join(".git")).find(|git| git.exists())?;
    // In a linked worktree it is a file that names the folder.
    let git = match fs::read_to_string(&git) {
        Ok(text) => git.parent()?.join(text.strip_prefix("gitdir: ")?.trim()),
        Err(_) => git,
    };
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(name) = head.trim().strip_prefix("ref: ") else { return Some(head.trim().to_owned()) };
    let common = fs::read_to_string(git.join("commondir")).map_or(git.clone(), |common| git.join(common.trim()));
    let loose = [&git, &common].into_iter().find_map(|folder| fs::read_to_string(folder.join(name)).ok());
    let packed = || {
        let packed = fs::read_to_string(common.join("packed-refs")).ok()?;
        let line = packed.lines().find(|line| line.split_once(' ').is_some_and(|(_, known)| known == name))?;
        Some(line.split_once(' ')?.0.to_owned())
    };
    loose.map(|commit| commit.trim().to_owned()).or_else(packed)
}
