//! The server, in a process of its own, and what it has.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use wharf_bucket_server::{Habit, Manners, Server, Sums};

/// The word that makes this program the server.
pub(crate) const SERVE: &str = "serve";
pub(crate) const BUCKET: &str = "bench";

/// A folder of objects of one size.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) count: u64,
    pub(crate) size: u64,
}

impl Case {
    pub(crate) const ALL: [Self; 3] = [
        Self { name: "2GiB-object", count: 1, size: 2 << 30 },
        Self { name: "64x32MiB", count: 64, size: 32 << 20 },
        Self { name: "10000x16KiB", count: 10_000, size: 16 << 10 },
    ];

    pub(crate) fn bytes(&self) -> u64 {
        self.count * self.size
    }

    /// The name of an object below the bucket.
    pub(crate) fn key(&self, number: u64) -> String {
        format!("{}/{number:05}.bin", self.name)
    }
}

/// Where everything is that is made here: on the disk of the builds.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// The server, for as long as this is held.
pub(crate) struct There {
    child: Child,
    address: String,
    folder: PathBuf,
}

impl There {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.arg(SERVE).env("TMPDIR", root()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut told = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut told).unwrap();
        let (address, folder) = told.trim().split_once(' ').unwrap();
        Self { child, address: address.to_owned(), folder: PathBuf::from(folder) }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes the objects of a case.
    pub(crate) fn fill(&self, case: &Case) {
        let mut block: Vec<u8> =
            (0..1_u64 << 17).flat_map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
        fs::create_dir_all(self.folder.join(case.name)).unwrap();
        for number in 0..case.count {
            let mut file = fs::File::create(self.folder.join(case.key(number))).unwrap();
            for at in (0..case.size).step_by(block.len()) {
                block[..8].copy_from_slice(&(number << 32 | at >> 10).to_le_bytes());
                let length = (case.size - at).min(block.len() as u64);
                file.write_all(&block[..length as usize]).unwrap();
            }
        }
    }

    pub(crate) fn clear(&self, case: &Case) {
        fs::remove_dir_all(self.folder.join(case.name)).unwrap();
    }
}

impl Drop for There {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// Is the server until nobody holds the other end of the input. It keeps sums as Amazon's do, and answers anybody.
pub(crate) fn serve() {
    let server = Server::start(Manners { sums: Sums::Crc64Nvme, for_anybody: true, ..Habit::Honours.into() });
    println!("{} {}", server.address(), server.bucket(BUCKET).display());
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
}

/// How many bytes the files below a folder have.
pub(crate) fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| if entry.path().is_dir() { bytes_in(&entry.path()) } else { entry.metadata().unwrap().len() })
        .sum()
}

/// Removes a folder of a case, also where folders in it may not be written to. Many files stay until the end: ext4 makes files
/// slowly for minutes after it has removed many, and the next one would pay for it.
pub(crate) fn clear(folder: &Path, case: &Case) {
    if case.count <= 1_000 {
        open_up(folder);
        fs::remove_dir_all(folder).unwrap();
    }
}

/// Lets everything in a folder be removed.
pub(crate) fn open_up(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            open_up(&entry.path());
        }
    }
}
