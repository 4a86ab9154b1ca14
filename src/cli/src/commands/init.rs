//! `wharf init`: writes a commented starter project, which runs as it is.

use crate::{
    arguments::Shared,
    exit::Exit,
    fault::{Ends, Fault},
    out,
};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};
use wharf_report::{bold, good};

const PROJECT: &str = include_str!("../starter/wharf.kdl");
const PROGRAM: &str = include_str!("../starter/app.py");
const IGNORED: &str = ".wharf/\nsecrets/\n";

pub(super) fn run(shared: &Shared) -> Ends<Exit> {
    let dir = &shared.dir;
    let failed = |cause| Fault::new(format!("cannot write a project into {}", dir.display())).because(cause);
    fs::create_dir_all(dir).map_err(failed)?;
    if has_project(dir).map_err(failed)? {
        let place = fs::canonicalize(dir).map_err(failed)?;
        let attempt = format!("{} holds a project already", place.display());
        return Err(Fault::new(attempt).help("`-C DIR` names another folder"));
    }
    let name = project_name(dir);
    let token = token().map_err(failed)?;
    DirBuilder::new().recursive(true).mode(0o700).create(dir.join("secrets")).map_err(failed)?;
    DirBuilder::new().recursive(true).create(dir.join("app")).map_err(failed)?;
    let files = [
        ("wharf.kdl", PROJECT.replace("@PROJECT@", &name), 0o644),
        ("app/app.py", PROGRAM.to_owned(), 0o644),
        ("secrets/hello-token", token, 0o600),
        (".gitignore", IGNORED.to_owned(), 0o644),
    ];
    for (path, text, mode) in files {
        if write_new(&dir.join(path), &text, mode).map_err(failed)? {
            out::note(format!("{} {path}", good("wrote")));
        } else {
            out::note(format!("kept {path}, which was there"));
        }
    }
    out::note(format!("\nNext: {}, then {}.", bold("wharf plan"), bold("wharf apply")));
    Ok(Exit::Done)
}

fn has_project(dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        if entry?.path().extension().is_some_and(|extension| extension == "kdl") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The folder's name, as far as it can be a project's.
fn project_name(dir: &Path) -> String {
    let folder = fs::canonicalize(dir).ok();
    let name = folder.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().to_lowercase());
    let fits = |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    let name: String = name.unwrap_or_default().chars().map(fits).take(40).collect();
    let name = name.trim_start_matches(|letter: char| !letter.is_ascii_lowercase());
    if name.is_empty() { "hello".to_owned() } else { name.to_owned() }
}

fn token() -> io::Result<String> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(hex::encode(bytes) + "\n")
}

/// Writes a file that is not there; says whether it did.
fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(there) if there.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
