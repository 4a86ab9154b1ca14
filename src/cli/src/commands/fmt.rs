//! `wharf fmt`: a file is replaced as a whole or not at all, and one that cannot be parsed is left alone.

use crate::{
    arguments::Shared,
    exit::Exit,
    fault::{Ends, Fault},
    out, project,
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, fchown},
    path::{Path, PathBuf},
};
use wharf_lang::SourceFile;
use wharf_report::{bold, difference, good};

pub(super) fn run(shared: &Shared, files: &[PathBuf], check: bool) -> Ends<Exit> {
    if files.iter().any(|file| file.as_os_str() == "-") {
        return standard_input(files, check);
    }
    let mut seen = Seen::default();
    for path in paths(&shared.dir, files)? {
        seen.file(&shared.dir, &path, check)?;
    }
    seen.summary(check)
}

/// The files that are meant; those of the project when none is named.
fn paths(dir: &Path, named: &[PathBuf]) -> Ends<Vec<PathBuf>> {
    if named.is_empty() {
        return project::every_path(dir);
    }
    let mut paths = Vec::new();
    for path in named.iter().map(|path| dir.join(path)) {
        if path.is_dir() { paths.extend(project::paths(&path)?) } else { paths.push(path) }
    }
    Ok(paths)
}

fn standard_input(files: &[PathBuf], check: bool) -> Ends<Exit> {
    if files.len() > 1 {
        return Err(
            Fault::new("standard input cannot be formatted together with files").help("run `wharf fmt -` on its own")
        );
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|cause| Fault::new("cannot read standard input").because(cause))?;
    let file = SourceFile { name: "standard input".into(), text: text.into() };
    let Some(formatted) = formatted(&file) else { return Err(Fault::told()) };
    if !check {
        out::bytes(formatted.as_bytes());
        return Ok(Exit::Done);
    }
    if *formatted == *file.text {
        return Ok(Exit::Done);
    }
    show(&file, &formatted);
    Ok(Exit::Error)
}

/// The formatted text; none, and the problems on the screen, when it cannot be parsed.
fn formatted(file: &SourceFile) -> Option<String> {
    let problems = match wharf_lang::format(file) {
        Ok(text) => return Some(text),
        Err(problems) => problems,
    };
    project::show(&problems, project::Told::All);
    None
}

fn show(file: &SourceFile, formatted: &str) {
    out::result(format_args!("{} is not formatted\n{}\n", bold(&file.name), difference(&file.text, formatted)));
}

/// What became of the files so far.
#[derive(Default)]
struct Seen {
    fine: usize,
    changed: usize,
    broken: usize,
}

impl Seen {
    fn file(&mut self, dir: &Path, path: &Path, check: bool) -> Ends<()> {
        let name = path.strip_prefix(dir).unwrap_or(path).display().to_string();
        let file = project::read(path, &name)?;
        match formatted(&file) {
            None => self.broken += 1,
            Some(text) if *text == *file.text => self.fine += 1,
            Some(text) => {
                self.changed += 1;
                if check {
                    show(&file, &text);
                } else {
                    replace(path, &text).map_err(|cause| Fault::new(format!("cannot write {name}")).because(cause))?;
                    out::note(format!("{} {name}", good("formatted")));
                }
            }
        }
        Ok(())
    }

    fn summary(&self, check: bool) -> Ends<Exit> {
        let many = |count: usize| if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
        if self.broken > 0 {
            out::note(format!("{} left as it was, because it cannot be parsed", many(self.broken)));
            return Err(Fault::told());
        }
        if check && self.changed > 0 {
            let are = if self.changed == 1 { "is" } else { "are" };
            out::note(format!("{} {are} not formatted; `wharf fmt` puts that right", many(self.changed)));
            return Ok(Exit::Error);
        }
        if self.changed == 0 {
            out::note(format!("{} formatted already", many(self.fine)));
        }
        Ok(Exit::Done)
    }
}

/// Puts a new file in the place of the old one, with its owner and mode. A link stays a link.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let old = fs::metadata(&path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.wharf", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
        file.write_all(text.as_bytes())?;
        // Only root may give a file away; for anybody else, what they may replace becomes theirs.
        drop(fchown(&file, Some(old.uid()), Some(old.gid())));
        file.set_permissions(old.permissions())?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    })();
    if written.is_err() {
        drop(fs::remove_file(&beside));
    }
    written
}
