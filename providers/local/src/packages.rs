//! Third-party libraries: which interpreter they are for, how they are installed, and how instances find them.
//!
//! A set of libraries is pinned by the interpreter and the list of requirements. It stands in a folder of its own,
//! `site/` with what pip installed and `bin/` with the interpreter under the names that programs call it by.

use crate::{error::disk, files, roles};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines},
    process::Command,
};
use wharf_model::{ContentDigest, SourceError, SourcePin};
use wharf_provider::{OpContext, ProviderError};

/// The names under which an interpreter is looked for, best first.
const NAMES: [&str; 2] = ["python3", "python"];

/// How long an interpreter may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(20);

/// So many of pip's last lines are told when it fails.
const LAST_LINES: usize = 12;

const QUESTION: &str = "import json, os, platform, sys, sysconfig; print(json.dumps({\
    'implementation': sys.implementation.name, 'version': platform.python_version(), \
    'platform': sysconfig.get_platform(), 'path': sys.executable, 'real': os.path.realpath(sys.executable)}))";

/// What an interpreter says it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Interpreter {
    implementation: String,
    version: String,
    platform: String,
    /// As it was called: in a virtual environment this is not where it really is.
    path: PathBuf,
    real: PathBuf,
}

/// Asks the interpreter of this host what it is.
pub(crate) async fn interpreter(environment: &BTreeMap<OsString, OsString>) -> Result<Interpreter, SourceError> {
    for name in NAMES {
        let mut command = Command::new(name);
        command.args(["-c", QUESTION]).env_clear().envs(environment).stdin(Stdio::null()).kill_on_drop(true);
        let answer = match tokio::time::timeout(PATIENCE, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => continue,
            Ok(Err(error)) => return Err(broken(name, &error.to_string())),
            Err(_) => return Err(broken(name, &format!("no answer within {} s", PATIENCE.as_secs()))),
        };
        if !answer.status.success() {
            let words = String::from_utf8_lossy(&answer.stderr);
            return Err(broken(name, words.lines().next_back().unwrap_or("it failed without a word")));
        }
        return serde_json::from_slice(&answer.stdout).map_err(|_| broken(name, "its answer makes no sense"));
    }
    Err(SourceError {
        attempt: "cannot find python3 on PATH, which `packages` needs".to_owned(),
        help: "apt-get install python3 python3-pip".to_owned(),
    })
}

fn broken(name: &str, why: &str) -> SourceError {
    SourceError {
        attempt: format!("cannot ask {name} for its version: {why}"),
        help: format!("see that `{name} -c \"import sys\"` works, or put another {name} first on PATH"),
    }
}

/// The pin of these libraries for an interpreter.
pub(crate) fn pin(interpreter: &Interpreter, requirements: &[Arc<str>]) -> SourcePin {
    let Interpreter { implementation, version, platform, path: _, real } = interpreter;
    let host = [implementation.as_bytes(), version.as_bytes(), platform.as_bytes()];
    let real = real.as_os_str().as_encoded_bytes();
    let list = requirements.iter().map(|requirement| requirement.as_bytes());
    SourcePin {
        content: ContentDigest::of(host.into_iter().chain([real]).chain(list)),
        files: 0,
        bytes: 0,
        fetch: None,
    }
}

/// Installs libraries into a new folder. `project` is where relative requirements start; `program` plays the roles. When
/// this is dropped, or the program ends in any way, the installation ends too.
pub(crate) async fn install(
    program: &Path,
    interpreter: &Interpreter,
    requirements: &[Arc<str>],
    folder: &Path,
    project: &Path,
    environment: &BTreeMap<OsString, OsString>,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let mut command = Command::new(program);
    command.args(roles::tether(interpreter.path.as_os_str())).args([
        "-m",
        "pip",
        "install",
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
    ]);
    command.arg("--target").arg(folder.join("site")).arg("--").args(requirements.iter().map(|one| &**one));
    command.env_clear().envs(environment).current_dir(project);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let attempt = format!("cannot install {}", requirements.join(", "));
    let mut pip = command.spawn().map_err(disk(format!("{attempt}: cannot run {}", interpreter.path.display())))?;
    // Whoever waits for a process lets go of its standard input, and this one would end.
    let leash = pip.stdin.take();
    let (out, err) = (pip.stdout.take(), pip.stderr.take());
    let (out, err) = tokio::join!(follow(out, cx), follow(err, cx));
    let status = pip.wait().await.map_err(disk(attempt.clone()))?;
    drop(leash);
    if status.success() {
        let folder = folder.to_owned();
        let path = interpreter.path.clone();
        return crate::error::off_the_loop(move || name_interpreter(&folder, &path)).await.map_err(disk(attempt));
    }
    let mut words = out;
    words.extend(err);
    Err(refused(attempt, interpreter, &words))
}

/// Reads one of pip's streams to its end, says its steps, and keeps its last lines.
async fn follow(stream: Option<impl AsyncRead + Unpin>, cx: &OpContext) -> Vec<String> {
    let Some(stream) = stream else { return Vec::new() };
    let mut lines: Lines<_> = BufReader::new(stream).lines();
    let mut last = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        let line = line.trim_end().to_owned();
        if ["Collecting ", "Downloading ", "Building ", "Installing "].iter().any(|word| line.trim().starts_with(word))
        {
            cx.say(line.trim());
        }
        last.push(line);
        if last.len() > LAST_LINES {
            last.remove(0);
        }
    }
    last
}

fn refused(attempt: String, interpreter: &Interpreter, words: &[String]) -> ProviderError {
    if words.iter().any(|line| line.ends_with("No module named pip")) {
        let help = format!("apt-get install python3-pip, or {} -m ensurepip", interpreter.path.display());
        return ProviderError::Rejected { attempt: format!("{attempt}: there is no pip"), help, source: None };
    }
    let help = "correct the requirement, or see that the package index can be reached (pip's own variables and \
                configuration count: PIP_INDEX_URL, PIP_PROXY)";
    let words = words.iter().filter(|line| !line.trim().is_empty()).cloned().collect::<Vec<_>>().join("\n");
    ProviderError::Rejected { attempt: format!("{attempt}; pip says:\n{words}"), help: help.to_owned(), source: None }
}

/// Puts the interpreter under the names that programs call it by. A script, not a link: by a link, an interpreter in a
/// virtual environment would not find its way back there.
fn name_interpreter(folder: &Path, path: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    let bin = folder.join("bin");
    files::private_folder(&bin)?;
    let quoted = path.to_string_lossy().replace('\'', r"'\''");
    for name in ["python", "python3"] {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(bin.join(name))?;
        writeln!(file, "#!/bin/sh\nexec '{quoted}' \"$@\"")?;
    }
    files::private_folder(&folder.join("site"))?;
    // One call for what may be ten thousand files.
    Ok(rustix::fs::syncfs(fs::File::open(folder)?)?)
}

/// Lets an instance find prepared libraries, before what it declares itself.
pub(crate) fn point_to(env: &mut BTreeMap<String, String>, libraries: &Path) {
    let site = libraries.join("site");
    let bins = [libraries.join("bin"), site.join("bin")].map(|folder| folder.display().to_string()).join(":");
    let in_front = |env: &mut BTreeMap<String, String>, name: &str, front: String| {
        let rest = env.get(name).filter(|rest| !rest.is_empty()).map(|rest| format!(":{rest}")).unwrap_or_default();
        env.insert(name.to_owned(), front + &rest);
    };
    in_front(env, "PYTHONPATH", site.display().to_string());
    in_front(env, "PATH", bins);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_come_before_what_is_declared() {
        let mut env = BTreeMap::from([("PATH".to_owned(), "/usr/bin".to_owned())]);
        point_to(&mut env, Path::new("/c/p"));
        assert_eq!(env["PATH"], "/c/p/bin:/c/p/site/bin:/usr/bin");
        assert_eq!(env["PYTHONPATH"], "/c/p/site");
        point_to(&mut env, Path::new("/d"));
        assert_eq!(env["PYTHONPATH"], "/d/site:/c/p/site");
    }
}
