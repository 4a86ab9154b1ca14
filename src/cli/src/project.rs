//! A project's folder: finds its files, has them read, and shows what is wrong with them.

use crate::{
    arguments::Shared,
    fault::{Ends, Fault},
    out, problems, secrets,
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use wharf_bucket::BucketBackend;
use wharf_encrypt::{Encrypted, Encryption, Identities, Recipients, Wanted};
use wharf_lang::{Defaults, IncludeError, Problems, Request, Resolved, Severity, SourceFile, load, with_included};
use wharf_model::{Deployment, Fingerprint, SecretSource, StateSpec};
use wharf_plan::Files;
use wharf_provider::SecretValues;
use wharf_store::Look;

/// A project that holds together, with the values of the secrets that it uses.
pub(crate) struct Project {
    /// Its folder, absolute.
    pub(crate) dir: PathBuf,
    /// Its files, with those that they include and those with values of inputs.
    pub(crate) files: Vec<SourceFile>,
    /// What they ask for.
    pub(crate) deployment: Deployment,
    /// The same with everything laid together, and where each value comes from.
    pub(crate) resolved: Resolved,
    /// The values of the secrets that it uses.
    pub(crate) secrets: SecretValues,
    /// The bucket that holds its record; none where that is in its folder.
    pub(crate) bucket: Option<Bucket>,
    /// As whom an encrypted record is read.
    pub(crate) identities: Identities,
}

/// A bucket that holds a record, and how it is encrypted there.
#[derive(Clone)]
pub(crate) struct Bucket {
    /// The bucket.
    pub(crate) backend: Arc<BucketBackend>,
    /// How its bytes are encrypted, if they are.
    pub(crate) encryption: Arc<Encryption>,
}

impl Bucket {
    fn of(state: &StateSpec, identities: &Identities) -> Ends<Option<Self>> {
        let StateSpec::Bucket { spec, recipients } = state else { return Ok(None) };
        let recipients = Recipients::read(recipients).map_err(|error| {
            let help = error.help();
            Fault::new("the record of this environment cannot be encrypted").because(error).help(help)
        })?;
        let wanted = recipients.map_or(Wanted::Plain, Wanted::For);
        let encryption = Arc::new(Encryption::new(wanted, identities.clone()));
        Ok(Some(Self { backend: Arc::new(BucketBackend::new(spec.clone())), encryption }))
    }

    /// The reading half of the record in it.
    pub(crate) fn look(&self) -> Arc<dyn Look> {
        Arc::new(Encrypted::new(self.backend.clone(), self.encryption.clone()))
    }
}

/// More problems than that are counted, but not shown: nobody reads them, and each repeats its line.
const SHOWN: usize = 100;

/// Whether the values of secrets are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// They are: one that cannot be read is a problem of the project.
    Needed,
    /// Those that can be read are taken; the others are no problem yet.
    Sought,
    /// They are not: where they come from is not even looked at.
    Ignored,
}

/// Which problems are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Errors, and warnings too unless the user wants quiet: for commands that judge the files.
    All,
    /// Errors: for commands whose answer a warning would only bury.
    Errors,
}

impl Project {
    /// Reads the project of the folder, and prints the problems it has. Warnings do not stop it.
    pub(crate) fn load(shared: &Shared, wanted: Secrets, told: Told) -> Ends<Self> {
        Self::load_showing(shared, wanted, |problems| show(problems, told))
    }

    /// The same in an environment that was named otherwise.
    pub(crate) fn load_in(shared: &Shared, environment: &str, wanted: Secrets, told: Told) -> Ends<Self> {
        Self::load_with(shared, Some(environment), wanted, |problems| show(problems, told))
    }

    /// Reads the project of the folder, and hands its problems, if only none, to whoever shows them.
    pub(crate) fn load_showing(shared: &Shared, wanted: Secrets, show: impl FnOnce(&Problems)) -> Ends<Self> {
        Self::load_with(shared, shared.env.as_deref(), wanted, show)
    }

    fn load_with(
        shared: &Shared,
        environment: Option<&str>,
        wanted: Secrets,
        show: impl FnOnce(&Problems),
    ) -> Ends<Self> {
        let dir = fs::canonicalize(&shared.dir)
            .map_err(|cause| Fault::new(format!("cannot open the folder {}", shared.dir.display())).because(cause))?;
        let files = files(&dir)?;
        let inputs: BTreeMap<_, _> = shared.inputs.iter().cloned().collect();
        let read: RefCell<Vec<(SecretSource, secrecy::SecretString)>> = RefCell::default();
        let check = |source: &SecretSource| {
            match secrets::read(&dir, source) {
                Ok(value) => read.borrow_mut().push((source.clone(), value)),
                Err(problem) if wanted == Secrets::Needed => return Err(problem),
                Err(_) => {}
            }
            Ok(())
        };
        let loaded = load(&Request {
            files: &files,
            include: Some(&|path| include(&dir, path)),
            environment,
            inputs: &inputs,
            input_files: &input_files(&shared.input_files)?,
            variable: Some(&|name| std::env::var(name).ok()),
            wharf_version: env!("CARGO_PKG_VERSION"),
            secrets: (wanted != Secrets::Ignored).then_some(&check),
            ..Request::default()
        });
        show(&loaded.problems);
        let (Some(deployment), Some(resolved)) = (loaded.deployment, loaded.resolved) else {
            return Err(Fault::told());
        };
        let values = values(&deployment, &read.into_inner());
        let identities = Identities::in_file(shared.identity.clone());
        let bucket = Bucket::of(&deployment.state, &identities)?;
        Ok(Self { dir, files: loaded.files, deployment, resolved, secrets: values, bucket, identities })
    }

    /// Digests of its files, and of what they come to with their inputs in this environment.
    pub(crate) fn digests(&self) -> Files {
        let files = self.files.iter().map(|file| (file.name.clone(), Fingerprint::of([file.text.as_bytes()])));
        let whole = self.resolved.text(Defaults::Hidden);
        files.chain([("(inputs)".into(), Fingerprint::of([whole.as_bytes()]))]).collect()
    }

    /// Where the environment's record and what belongs to it are kept.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.join(".wharf").join(self.deployment.environment.as_str())
    }
}

/// Shows problems to a person.
pub(crate) fn show(found: &Problems, told: Told) {
    let all = told == Told::All && !out::is_quiet();
    let wanted = |problem: &&wharf_lang::Problem| all || problem.severity() == Severity::Error;
    found.iter().filter(wanted).take(SHOWN).for_each(|problem| out::diagnostic(problem));
    let count = found.iter().filter(wanted).count();
    if count > SHOWN {
        out::alert(format!("… and {} more", count - SHOWN));
    }
    let (warnings, allowed) = if all { (found.warnings().count(), found.allowed().count()) } else { (0, 0) };
    problems::count(found.errors().count(), warnings, allowed);
}

/// Reads a file that another includes. It must lie in the project's folder, also when a link leads to it.
fn include(dir: &Path, path: &str) -> Result<Arc<str>, IncludeError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => IncludeError::Unreadable("no such file".to_owned()),
        io::ErrorKind::InvalidData => IncludeError::Unreadable("it holds something that is no text".to_owned()),
        _ => IncludeError::Unreadable(error.to_string()),
    };
    let file = fs::canonicalize(dir.join(path)).map_err(unreadable)?;
    if !file.starts_with(dir) {
        return Err(IncludeError::Outside);
    }
    if !file.is_file() {
        return Err(IncludeError::Unreadable("it is no file".to_owned()));
    }
    fs::read_to_string(&file).map(Arc::from).map_err(unreadable)
}

/// The files of the project in the folder, with those that they include; only the former, while one cannot be read.
pub(crate) fn every_path(dir: &Path) -> Ends<Vec<PathBuf>> {
    let mut paths = paths(dir)?;
    if let (Ok(real), Ok(own)) = (fs::canonicalize(dir), files(dir)) {
        let all = with_included(&own, &|path| include(&real, path));
        paths.extend(all[own.len()..].iter().map(|file| dir.join(&*file.name)));
    }
    Ok(paths)
}

/// Files with values of inputs. Their paths are those of the caller, not of the project.
fn input_files(paths: &[PathBuf]) -> Ends<Vec<SourceFile>> {
    let read = |path: &PathBuf| {
        let unreadable = |cause| Fault::new(format!("cannot read {}", path.display())).because(cause);
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Ok(SourceFile { name: path.to_string_lossy().as_ref().into(), text: text.into() })
    };
    paths.iter().map(read).collect()
}

fn unreadable(path: &Path, cause: io::Error) -> Box<Fault> {
    Fault::new(format!("cannot read {}", path.display())).because(cause)
}

/// The files of the project in the folder, in name order; never none.
pub(crate) fn paths(dir: &Path) -> Ends<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(|cause| unreadable(dir, cause))? {
        let path = entry.map_err(|cause| unreadable(dir, cause))?.path();
        if path.extension().is_some_and(|extension| extension == "kdl") && path.is_file() {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        let attempt = format!("{} holds no project: there is no *.kdl file in it", dir.display());
        return Err(Fault::new(attempt).help("`wharf init` writes a starter project; `-C DIR` names another folder"));
    }
    paths.sort();
    Ok(paths)
}

/// Reads a file, which is called `name` from then on.
pub(crate) fn read(path: &Path, name: &str) -> Ends<SourceFile> {
    let text = fs::read_to_string(path).map_err(|cause| unreadable(path, cause))?;
    Ok(SourceFile { name: name.into(), text: text.into() })
}

fn files(dir: &Path) -> Ends<Vec<SourceFile>> {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    paths(dir)?.iter().map(|path| read(path, &name(path))).collect()
}

/// The values of all that are declared and were read: a way back may need one that the files of now have no use for.
fn values(deployment: &Deployment, read: &[(SecretSource, secrecy::SecretString)]) -> SecretValues {
    let mut values = SecretValues::default();
    for (name, source) in &deployment.secrets {
        if let Some((_, value)) = read.iter().find(|(known, _)| known == source) {
            values.insert(name.clone(), value.clone());
        }
    }
    values
}
