//! From a launch to the document that the roles run: a function of values, without a look at the disk.

use crate::{
    client::{self, Fuse},
    format::{Document, MountPoint},
    layout::{InstanceFolder, Layout},
    packages, weights,
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};
use wharf_model::{Access, ContentRef, EnvValue, FolderMount, FolderPath, Launch, MountPath, Program, SecretName};
use wharf_mounts::Writable;
use wharf_provider::{ProviderError, SecretValues};
use wharf_serving::Care;

/// The variables of the one who runs wharf that instances get to see.
const PASSED_ON: [&str; 6] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// What a launch is filled in with.
pub(crate) struct Surroundings<'a> {
    pub(crate) layout: &'a Layout,
    /// The folder that copies of folders of buckets are in.
    pub(crate) copies: &'a Path,
    pub(crate) project: &'a Path,
    pub(crate) environment: &'a BTreeMap<OsString, OsString>,
    pub(crate) secrets: &'a SecretValues,
    /// Who serves folders of buckets as file systems.
    pub(crate) fuse: &'a Fuse,
    /// What holds weights in memory, where the host has it.
    pub(crate) vmtouch: Option<&'a Path>,
}

/// Where a folder of the file is, as people write it: `./app` adds no dot.
pub(crate) fn place_of(project: &Path, folder: &FolderPath) -> PathBuf {
    project.join(&*folder.0).components().collect()
}

/// The document for a launch that is to listen on `port`.
pub(crate) fn document(launch: &Launch, port: u16, around: &Surroundings<'_>) -> Result<Document, ProviderError> {
    let folder: InstanceFolder = around.layout.instance(&launch.instance);
    let template = &launch.revision.template;
    let libraries = launch.revision.pins.packages.map(|digest| around.layout.content(ContentRef::Packages(digest)));
    let copies = launch.copies().next().map(|_| around.copies.to_owned());
    let mut env = basics(launch, port, around.environment);
    declare(&mut env, launch, around.secrets)?;
    if let Some(libraries) = &libraries {
        packages::point_to(&mut env, libraries);
    }
    let mounts = mounts(launch, around);
    Ok(Document {
        command: match &template.program {
            Program::Command(words) => words.iter().map(ToString::to_string).collect(),
            // The plan refuses these on this runtime.
            Program::Args(_) | Program::Processor(_) => Vec::new(),
            Program::Script(text) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_string()],
        },
        env,
        work: folder.work(),
        view: folder.view(),
        systems: client::systems(launch, around)?,
        weights: weights::held(launch, &mounts, around)?,
        mounts,
        protected: libraries.into_iter().chain(copies).collect(),
        port,
        care: Care::of(template),
    })
}

fn basics(launch: &Launch, port: u16, environment: &BTreeMap<OsString, OsString>) -> BTreeMap<String, String> {
    let passed = |name: &str| {
        let value = environment.get(&OsString::from(name))?.to_str()?;
        Some((name.to_owned(), value.to_owned()))
    };
    let mut env: BTreeMap<_, _> = PASSED_ON.into_iter().filter_map(passed).collect();
    let own = [
        ("PORT", port.to_string()),
        ("WHARF_SERVICE", launch.instance.service.to_string()),
        ("WHARF_INSTANCE", launch.instance.to_string()),
        ("WHARF_REVISION", launch.revision.number.to_string()),
        // A log must show what a program says when it says it, and prepared folders are read-only.
        ("PYTHONUNBUFFERED", "1".to_owned()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ];
    env.extend(own.map(|(name, value)| (name.to_owned(), value)));
    env
}

fn declare(env: &mut BTreeMap<String, String>, launch: &Launch, secrets: &SecretValues) -> Result<(), ProviderError> {
    for (name, value) in &launch.revision.template.env {
        let value = match value {
            EnvValue::Plain(text) => text.to_string(),
            EnvValue::Secret(secret) => {
                secrets.expose(secret).map(str::to_owned).ok_or_else(|| unknown(launch, secret))?
            }
        };
        env.insert(name.to_string(), value);
    }
    Ok(())
}

/// A secret whose value nobody has.
pub(crate) fn unknown(launch: &Launch, secret: &SecretName) -> ProviderError {
    ProviderError::Missing {
        attempt: format!("cannot start {}: the value of secret {secret} is not known", launch.instance),
        help: format!("make the source of secret {secret} available to the one who runs wharf"),
    }
}

fn mounts(launch: &Launch, around: &Surroundings<'_>) -> Vec<MountPoint> {
    let own = around.layout.instance(&launch.instance);
    let folder = |(path, mount, content): (&MountPath, &FolderMount, Option<_>)| {
        let source = match content {
            Some(digest) => around.layout.content(ContentRef::Folder(digest)),
            None => place_of(around.project, &mount.folder),
        };
        MountPoint::folder(source, PathBuf::from(path.as_str()), mount.access != Access::LiveReadWrite)
    };
    let writables = Writable::of(launch);
    let copy = |(path, content): (&MountPath, _)| {
        let target = PathBuf::from(path.as_str());
        match writables.iter().position(|writable| writable.target == target) {
            Some(index) => MountPoint::folder(own.written(index), target, false),
            None => MountPoint::folder(around.layout.content(content), target, true),
        }
    };
    let served = client::mounts(launch).enumerate().map(|(index, (path, _))| MountPoint {
        served: Some(own.served(index)),
        // Whether it may be written to is for the client to say.
        ..MountPoint::folder(own.passed_on(index), PathBuf::from(path.as_str()), false)
    });
    launch.mounts().map(folder).chain(launch.copies().map(copy)).chain(served).collect()
}
