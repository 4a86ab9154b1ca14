//! Repositories, read by this machine's own git: which commit a name stands for, and the files of one commit. Modules
//! within a repository and files that are kept elsewhere are not brought.

use crate::error::GitSaid;
use std::{
    error::Error,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};
use tokio::process::Command;
use wharf_model::{ContentDigest, GitMount, SourceError, SourcePin};
use wharf_provider::{ProviderError, SecretValues};

/// How long a repository may take to say which commits it has.
const LISTED: Duration = Duration::from_secs(30);

/// Variables by which git would use another repository than the one it is given: whoever calls wharf from a hook has them.
const ELSEWHERE: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
];

/// What every call is told: files come as they were committed, nothing of the repository is run, and a connection on which
/// nothing comes is given up.
const SETTINGS: [&str; 7] = [
    "core.attributesFile=/dev/null",
    "core.hooksPath=/dev/null",
    "core.autocrlf=false",
    "core.askPass=",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
    "advice.detachedHead=false",
];

/// Answers a question about a password for one repository alone; the values are in its environment.
const HELPER: &str =
    r#"!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$WHARF_GIT_USER" "$WHARF_GIT_PASSWORD"; }; f"#;

/// Who reads, for hosts that go by the password alone.
const ANYBODY: &str = "git";

/// Why a repository cannot be read.
struct Fault {
    attempt: String,
    help: String,
    said: Option<String>,
}

impl Fault {
    fn of_source(self) -> SourceError {
        let said = self.said.map(|said| format!(": {said}")).unwrap_or_default();
        SourceError { attempt: format!("{}{said}", self.attempt), help: self.help }
    }

    fn of_call(self) -> ProviderError {
        let source = self.said.map(|said| Box::new(GitSaid(said)) as Box<dyn Error + Send + Sync>);
        ProviderError::Rejected { attempt: self.attempt, help: self.help, source }
    }
}

/// The commit that a mount stands for now.
pub(crate) async fn look(git: &GitMount, secrets: &SecretValues) -> Result<SourcePin, SourceError> {
    let commit = commit(git, secrets).await.map_err(Fault::of_source)?;
    let content = ContentDigest::of_commit(&commit).ok_or_else(|| SourceError {
        attempt: format!("{} calls a commit `{commit}`, which is no name of one", git.url),
        help: "see that the address is that of a repository".to_owned(),
    })?;
    Ok(SourcePin { content, files: 0, bytes: 0, fetch: None })
}

/// Brings the files of the commit that a content names into an empty folder.
pub(crate) async fn check_out(
    git: &GitMount,
    content: ContentDigest,
    into: &Path,
    secrets: &SecretValues,
) -> Result<(), ProviderError> {
    bring(git, content, into, secrets).await.map_err(Fault::of_call)
}

async fn bring(git: &GitMount, content: ContentDigest, into: &Path, secrets: &SecretValues) -> Result<(), Fault> {
    run(Git::new(&["init", "--quiet"]).at(into), git).await?;
    let commit = match alone(git, content, into, secrets).await {
        Some(commit) => commit,
        None => among_all(git, content, into, secrets).await?,
    };
    run(Git::putting(&commit, into), git).await.map(drop)
}

/// Fetches that commit and nothing else, if the mount still stands for it, and the server gives it out by its name.
async fn alone(git: &GitMount, content: ContentDigest, into: &Path, secrets: &SecretValues) -> Option<String> {
    let commit = commit(git, secrets).await.ok()?;
    if ContentDigest::of_commit(&commit) != Some(content) {
        return None;
    }
    let words = ["fetch", "--quiet", "--no-tags", "--depth=1", "--", &git.url, &commit];
    run(Git::new(&words).at(into).opened(git, secrets), git).await.ok().map(|_| commit)
}

/// Fetches all that there is: the branch may have gone on since the plan was made, or the plan is one that goes back.
async fn among_all(
    git: &GitMount,
    content: ContentDigest,
    into: &Path,
    secrets: &SecretValues,
) -> Result<String, Fault> {
    let all = ["+refs/heads/*:refs/remotes/all/*", "+refs/tags/*:refs/tags/*"];
    let words = ["fetch", "--quiet", "--no-tags", "--", &git.url, all[0], all[1]];
    run(Git::new(&words).at(into).opened(git, secrets), git).await?;
    let object = format!("{content}^{{commit}}");
    let found = run(Git::new(&["rev-parse", "--quiet", "--verify", &object]).at(into), git).await;
    found.map(|commit| commit.trim().to_owned()).map_err(|_| Fault {
        attempt: format!("no branch and no tag of {} leads to commit {content}", git.url),
        help: "somebody may have rewritten its history: plan again, and apply that".to_owned(),
        said: None,
    })
}

/// The name of the commit: the one that is written, or that of the branch or tag now.
async fn commit(git: &GitMount, secrets: &SecretValues) -> Result<String, Fault> {
    if let Some(commit) = &git.commit {
        return match ContentDigest::of_commit(commit) {
            Some(_) => Ok(commit.to_string()),
            None => Err(Fault {
                attempt: format!("`{commit}` is no whole name of a commit"),
                help: "write all its 40 digits, in small letters: `git rev-parse HEAD` shows them".to_owned(),
                said: None,
            }),
        };
    }
    let refs = refs(git);
    let mut words = vec!["ls-remote", "--quiet", "--", &git.url];
    words.extend(refs.iter().map(String::as_str));
    let asked = run(Git::new(&words).opened(git, secrets), git);
    let listed = tokio::time::timeout(LISTED, asked).await.map_err(|_| Fault {
        attempt: format!("cannot read repository {}: it does not answer", git.url),
        help: "see that this machine reaches it: `git ls-remote` asks the same".to_owned(),
        said: None,
    })??;
    pick(&listed, &refs).map(str::to_owned).ok_or_else(|| {
        let (name, url) = (git.branch.as_deref().unwrap_or("HEAD"), &git.url);
        Fault {
            attempt: format!("repository {url} has no branch and no tag `{name}`"),
            help: "correct `branch=`, or push it".to_owned(),
            said: None,
        }
    })
}

/// What a mount may be called in its repository, best first. What a tag stands for comes before the tag.
fn refs(git: &GitMount) -> Vec<String> {
    match &git.branch {
        Some(name) => {
            vec![format!("refs/heads/{name}"), format!("refs/tags/{name}^{{}}"), format!("refs/tags/{name}")]
        }
        None => vec!["HEAD".to_owned()],
    }
}

/// The commit of the best of these in a list of commits and names.
fn pick<'a>(listed: &'a str, refs: &[String]) -> Option<&'a str> {
    let of = |wanted: &String| {
        let mut lines = listed.lines().filter_map(|line| line.split_once('\t'));
        lines.find(|(_, name)| name == wanted).map(|(commit, _)| commit)
    };
    refs.iter().find_map(of)
}

/// A call of git.
struct Git(Command);

impl Git {
    fn new(words: &[&str]) -> Self {
        let mut git = Command::new("git");
        git.args(SETTINGS.iter().flat_map(|setting| ["-c", setting])).args(words);
        for name in ELSEWHERE {
            git.env_remove(name);
        }
        // It asks nobody, and what it says is read here.
        git.envs([("GIT_TERMINAL_PROMPT", "0"), ("GIT_ASKPASS", ""), ("SSH_ASKPASS", ""), ("LC_ALL", "C")]);
        git.stdin(Stdio::null()).kill_on_drop(true);
        Self(git)
    }

    fn at(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// One that puts the files of a commit into a folder. The settings of this machine and its user do not count: they may
    /// have filters, and the files are to be those of the commit on every machine.
    fn putting(commit: &str, into: &Path) -> Self {
        let mut git = Self::new(&["checkout", "--quiet", "--detach", commit]).at(into);
        git.0.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_ATTR_NOSYSTEM", "1")]);
        git
    }

    /// Gives it what opens the repository. No other host is told, also not one to which this one leads.
    fn opened(mut self, git: &GitMount, secrets: &SecretValues) -> Self {
        if let Some(password) = git.password.as_ref().and_then(|name| secrets.expose(name)) {
            // Settings come before the words, so these go by the environment: as the words do, others see them.
            let key = format!("credential.{}.helper", git.url);
            let settings = [("http.followRedirects", "false"), (&*key, ""), (&*key, HELPER)];
            let known = std::env::var("GIT_CONFIG_COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(0_usize);
            for (at, (key, value)) in settings.iter().enumerate() {
                self.0.env(format!("GIT_CONFIG_KEY_{}", known + at), key);
                self.0.env(format!("GIT_CONFIG_VALUE_{}", known + at), value);
            }
            self.0.env("GIT_CONFIG_COUNT", (known + settings.len()).to_string());
            self.0.env("WHARF_GIT_USER", git.username.as_deref().unwrap_or(ANYBODY));
            self.0.env("WHARF_GIT_PASSWORD", password);
        }
        self
    }
}

/// Runs git, and answers what it prints.
async fn run(mut words: Git, git: &GitMount) -> Result<String, Fault> {
    let attempt = format!("cannot read repository {}", git.url);
    let Output { status, stdout, stderr } = words.0.output().await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault {
            attempt: format!("{attempt}: there is no git on this machine"),
            help: "install git, or mount a folder that holds the same files: `folder \"…\"`".to_owned(),
            said: None,
        },
        _ => Fault { attempt: attempt.clone(), help: "see that git runs".to_owned(), said: Some(error.to_string()) },
    })?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    Err(refused(attempt, git, &String::from_utf8_lossy(&stderr)))
}

/// Why a repository does not come: the causes that users meet, told apart.
fn refused(attempt: String, git: &GitMount, words: &str) -> Fault {
    let lower = words.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let said = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    let (why, help) = if says(&["could not resolve host"]) {
        ("nobody knows its host", "correct the address, or see that this machine finds the host")
    } else if says(&[
        "authentication failed",
        "could not read username",
        "could not read password",
        "error: 403",
        "error: 401",
    ]) {
        let help = match &git.password {
            Some(_) => "see that the secret holds a password or token that may read it",
            None => "write `password=(secret)\"…\"`; some hosts say the same of a repository that does not exist",
        };
        ("its host does not let us", help)
    } else if says(&["not found", "does not appear to be a git repository", "does not exist"]) {
        ("there is no such repository", "correct the address")
    } else if says(&["failed to connect", "couldn't connect", "connection refused", "timed out", "operation too slow"])
    {
        ("its host does not answer", "see that this machine reaches it")
    } else if says(&["unable to update url base from redirection", "redirect"]) {
        ("it has moved, and passwords are sent to no other address", "write its new address")
    } else {
        return Fault { attempt, help: "`git ls-remote` asks the same".to_owned(), said: Some(said) };
    };
    Fault { attempt: format!("{attempt}: {why}"), help: help.to_owned(), said: Some(said) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(branch: Option<&str>) -> GitMount {
        GitMount {
            url: "https://git.example.com/team/code".into(),
            branch: branch.map(Into::into),
            commit: None,
            username: None,
            password: None,
        }
    }

    #[test]
    fn a_branch_comes_before_a_tag_and_what_a_tag_stands_for_before_the_tag() {
        let check = |listed: &str, branch: Option<&str>, expected: Option<&str>| {
            assert_eq!(pick(listed, &refs(&mount(branch))), expected, "{listed}");
        };
        check("aa\tHEAD\n", None, Some("aa"));
        check("aa\trefs/tags/v1\nbb\trefs/tags/v1^{}\n", Some("v1"), Some("bb"));
        check("aa\trefs/tags/v1\n", Some("v1"), Some("aa"));
        check("aa\trefs/tags/v1\nbb\trefs/heads/v1\n", Some("v1"), Some("bb"));
        check("aa\trefs/heads/feature/v1\n", Some("v1"), None);
        check("", None, None);
    }

    #[test]
    fn a_repository_that_does_not_come_says_which_cause_it_was() {
        let check = |words: &str, expected: &str| {
            let fault = refused("cannot read repository x".to_owned(), &mount(None), words);
            assert_eq!(fault.attempt, format!("cannot read repository x{expected}"), "{words}");
            assert!(!fault.help.is_empty());
        };
        check("fatal: unable to access 'x': Could not resolve host: x", ": nobody knows its host");
        check("fatal: Authentication failed for 'x'", ": its host does not let us");
        check("fatal: could not read Username for 'x': terminal prompts disabled", ": its host does not let us");
        check("fatal: repository 'x' not found", ": there is no such repository");
        check("fatal: unable to access 'x': Failed to connect to x port 443", ": its host does not answer");
        check("fatal: something else", "");
    }

    #[tokio::test]
    async fn files_are_those_of_the_commit_whatever_filters_a_user_has() {
        let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let filter = "[filter \"shout\"]\n\tsmudge = tr a-z A-Z\n\tclean = cat\n\trequired = true\n";
        std::fs::write(home.path().join(".gitconfig"), filter).unwrap();
        std::fs::write(folder.path().join("words"), "as it is\n").unwrap();
        std::fs::write(folder.path().join(".gitattributes"), "words filter=shout\n").unwrap();
        let within = |words: &[&str]| {
            let mut git = Git::new(words).at(folder.path());
            git.0.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME").env_remove("GIT_CONFIG_GLOBAL");
            git
        };
        let mount = mount(None);
        run(within(&["init", "--quiet"]), &mount).await.map_err(|fault| fault.said).unwrap();
        run(within(&["add", "."]), &mount).await.map_err(|fault| fault.said).unwrap();
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "words"];
        run(within(&who), &mount).await.map_err(|fault| fault.said).unwrap();
        let put = async |git: Git| {
            std::fs::remove_file(folder.path().join("words")).unwrap();
            run(git, &mount).await.map_err(|fault| fault.said).unwrap();
            std::fs::read_to_string(folder.path().join("words")).unwrap()
        };
        assert_eq!(put(within(&["checkout", "--force", "HEAD"])).await, "AS IT IS\n", "that is what the filter does");
        let mut ours = Git::putting("HEAD", folder.path());
        ours.0.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME").arg("--force");
        assert_eq!(put(ours).await, "as it is\n");
    }

    #[tokio::test]
    async fn a_commit_is_its_whole_name() {
        let whole = "0123456789abcdef0123456789abcdef01234567";
        let named = |commit: &str| GitMount { commit: Some(commit.into()), ..mount(Some("main")) };
        let pin = look(&named(whole), &SecretValues::default()).await.unwrap();
        assert_eq!(pin.content.to_string(), whole[..32]);
        let error = look(&named("0123456"), &SecretValues::default()).await.unwrap_err();
        assert!(error.help.contains("40 digits"), "{error:?}");
    }
}
