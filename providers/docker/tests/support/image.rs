//! The images of the tests: one from the machine's own busybox, one from its own Python.

use bollard::{Docker, body_full, query_parameters::CreateImageOptionsBuilder};
use futures_util::TryStreamExt as _;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tar::{Builder, EntryType, Header};

/// A few programs: sh, httpd, sleep and so on.
pub(crate) const BUSYBOX: &str = "test/busybox:1";
/// Python with pip.
pub(crate) const PYTHON: &str = "test/python:1";

const APPLETS: [&str; 18] = [
    "sh", "cat", "chmod", "date", "dd", "echo", "env", "head", "hostname", "httpd", "id", "kill", "ls", "mkdir", "nc",
    "sleep", "touch", "wget",
];

pub(crate) async fn make_all(engine: &Docker) {
    import(engine, BUSYBOX, busybox(), &["ENV PATH=/bin"]).await;
    import(engine, PYTHON, python(), &["ENV PATH=/usr/bin:/bin", "ENV LANG=C.UTF-8"]).await;
}

/// Makes an image from the files of an archive.
pub(crate) async fn import(engine: &Docker, name: &str, archive: Vec<u8>, changes: &[&str]) {
    let changes = changes.iter().map(ToString::to_string).collect();
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(name).changes(changes).build();
    let made = engine.create_image(Some(options), Some(body_full(archive.into())), None);
    made.try_collect::<Vec<_>>().await.unwrap();
}

/// An archive with the programs of busybox, and whatever else is added.
pub(crate) fn busybox_with(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    archive.append_path_with_name("/bin/busybox", "bin/busybox").unwrap();
    for applet in APPLETS {
        link(&mut archive, &format!("bin/{applet}"), Path::new("busybox"));
    }
    folder(&mut archive, "tmp", 0o1777);
    for (path, text) in files {
        let mut header = header(EntryType::Regular, 0o644);
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn busybox() -> Vec<u8> {
    busybox_with(&[])
}

/// The system's Python with its library, pip, and the libraries that they link to.
fn python() -> Vec<u8> {
    python_with(&[])
}

/// The same with further files, each here and there.
pub(crate) fn python_with(files: &[(PathBuf, String)]) -> Vec<u8> {
    let ask = "import sys, sysconfig, pip, glob\n\
               print(sys.executable); print(sysconfig.get_path('stdlib')); print(pip.__path__[0])";
    let told = Command::new("/usr/bin/python3").args(["-c", ask]).output().unwrap();
    assert!(told.status.success(), "python3 with pip is needed: {}", String::from_utf8_lossy(&told.stderr));
    let told = String::from_utf8(told.stdout).unwrap();
    let [_, library, pip] = told.lines().collect::<Vec<_>>()[..] else { panic!("{told}") };
    let mut archive = Builder::new(Vec::new());
    archive.follow_symlinks(false);
    archive.append_path_with_name(fs::canonicalize("/usr/bin/python3").unwrap(), "usr/bin/python3").unwrap();
    link(&mut archive, "usr/bin/python", Path::new("python3"));
    let mut linked = links_to(Path::new("/usr/bin/python3"));
    for extension in fs::read_dir(Path::new(library).join("lib-dynload")).unwrap() {
        linked.extend(links_to(&extension.unwrap().path()));
    }
    for (path, real) in linked {
        archive.append_path_with_name(real, path.strip_prefix("/").unwrap()).unwrap();
    }
    add_tree(
        &mut archive,
        Path::new(library),
        &["test", "tests", "__pycache__", "idlelib", "config-3", "dist-packages"],
    );
    let packages = Path::new(pip).parent().unwrap();
    for name in fs::read_dir(packages).unwrap().map(|entry| entry.unwrap().path()) {
        let file = name.file_name().unwrap().to_string_lossy().into_owned();
        if ["pip", "setuptools", "pkg_resources", "_distutils_hack"].iter().any(|part| file == *part) {
            add_tree(&mut archive, &name, &["__pycache__"]);
        }
    }
    folder(&mut archive, "tmp", 0o1777);
    folder(&mut archive, "root", 0o700);
    archive.append_path_with_name("/bin/busybox", "bin/busybox").unwrap();
    link(&mut archive, "bin/sh", Path::new("busybox"));
    files.iter().for_each(|(here, there)| archive.append_path_with_name(here, there).unwrap());
    archive.into_inner().unwrap()
}

fn add_tree(archive: &mut Builder<Vec<u8>>, root: &Path, without: &[&str]) {
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if without.iter().any(|part| name.starts_with(part)) {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            add_tree(archive, &path, without);
        } else {
            let inside = path.strip_prefix("/").unwrap().to_owned();
            // A link may lead nowhere in the image; then it is not needed either.
            drop(archive.append_path_with_name(&path, inside));
        }
    }
}

/// The libraries that a program links to: the path that is looked for, and the file that is there.
fn links_to(program: &Path) -> BTreeSet<(PathBuf, PathBuf)> {
    let told = Command::new("ldd").arg(program).output().unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let path = |line: &str| {
        let (words, _) = line.trim().rsplit_once(" (0x")?;
        let path = words.split_once(" => ").map_or(words, |(_, path)| path);
        path.starts_with('/').then(|| PathBuf::from(path))
    };
    told.lines().filter_map(path).map(|path| (path.clone(), fs::canonicalize(path).unwrap())).collect()
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header
}

fn folder(archive: &mut Builder<Vec<u8>>, path: &str, mode: u32) {
    archive.append_data(&mut header(EntryType::Directory, mode), path, std::io::empty()).unwrap();
}

fn link(archive: &mut Builder<Vec<u8>>, path: &str, target: &Path) {
    archive.append_link(&mut header(EntryType::Symlink, 0o777), path, target).unwrap();
}
