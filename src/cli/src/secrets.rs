//! Where secrets' values come from: a variable, a file of the project, or a command. Values stay in memory.

use secrecy::SecretString;
use std::{
    fs,
    path::{Component, Path},
    process::{Command, Stdio},
};
use wharf_model::SecretSource;

/// Reads a value. The error says why it cannot be read, and what would help.
pub(crate) fn read(dir: &Path, source: &SecretSource) -> Result<SecretString, String> {
    let value = match source {
        SecretSource::Env(name) => std::env::var(&**name).map_err(|_| format!("the variable {name} is not set"))?,
        SecretSource::File(path) => {
            let file = inside(dir, path)?;
            fs::read_to_string(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?
        }
        SecretSource::Command(words) => run(dir, words)?,
    };
    let value = value.strip_suffix('\n').unwrap_or(&value);
    if value.is_empty() {
        return Err("its value is empty".to_owned());
    }
    Ok(SecretString::from(value.to_owned()))
}

/// A relative path may not lead out of the project's folder.
fn inside(dir: &Path, path: &str) -> Result<std::path::PathBuf, String> {
    let given = Path::new(path);
    let climbs = given.components().any(|part| part == Component::ParentDir);
    if climbs {
        return Err(format!("the path {path} leads out of the project"));
    }
    Ok(dir.join(given))
}

fn run(dir: &Path, words: &[std::sync::Arc<str>]) -> Result<String, String> {
    let [program, arguments @ ..] = words else { return Err("no command is named".to_owned()) };
    let mut command = Command::new(&**program);
    command.args(arguments.iter().map(|word| &**word)).current_dir(dir).stdin(Stdio::null());
    let output = command.stderr(Stdio::piped()).output().map_err(|error| format!("cannot run {program}: {error}"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let last = told.trim().lines().last().unwrap_or("it said nothing").to_owned();
        return Err(format!("{program} ended with {}: {last}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{program} answered with something that is no text"))
}
