//! The image of a gateway: wharf's own program with what it links to, and nothing else.

use crate::{
    archive::{Member, pack},
    engine::Hands,
    error::{self, disk},
    labels,
};
use bytes::Bytes;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;
use wharf_model::OperationId;
use wharf_provider::{Owner, ProviderError};

/// Where the program is in the image.
pub(crate) const PROGRAM: &str = "/wharf";

/// What the image is called.
const NAME: &str = "wharf-gateway";

/// Makes sure that the engine has the image, and answers its name.
pub(crate) async fn image(
    hands: &Hands,
    program: &Path,
    owner: &Owner,
    operation: &OperationId,
) -> Result<String, ProviderError> {
    let attempt = format!("cannot make the gateway's image from {}", program.display());
    let (tag, archive) = pack_for(hands, program, &attempt).await?;
    let tag =
        blake3::hash(format!("{}.{} {tag}", owner.project, owner.environment).as_bytes()).to_hex()[..32].to_owned();
    let name = format!("{NAME}:{tag}");
    if hands.image(&name).await.map_err(error::engine(attempt.clone()))?.is_some() {
        return Ok(name);
    }
    let changes = labels::changes(&labels::shared(owner, operation));
    hands.import(&name, changes, archive).await.map_err(error::engine(attempt))?;
    Ok(name)
}

/// The files of the image, as an archive.
pub(crate) async fn packed(hands: &Hands, program: &Path, attempt: &str) -> Result<Bytes, ProviderError> {
    pack_for(hands, program, attempt).await.map(|(_, archive)| archive)
}

/// The program with what it links to, and the digest of all that, where it runs on the engine's machine.
async fn pack_for(hands: &Hands, program: &Path, attempt: &str) -> Result<(String, Bytes), ProviderError> {
    let (os, kind) = hands.machine().await.map_err(error::engine(attempt))?;
    if !runs_on(&os, &kind) {
        return Err(ProviderError::Rejected {
            attempt: format!("{attempt}: it does not run on the engine's machine, which is {os} on {kind}"),
            help: format!("run a wharf that was built for {os} on {kind}, on that machine or on one like it"),
            source: None,
        });
    }
    let files = files(program).await.map_err(disk(attempt))?;
    pack_up(files).await.map_err(disk(attempt))
}

/// Whether this program runs on a machine as engines describe them.
fn runs_on(os: &str, kind: &str) -> bool {
    let kind = match kind {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        kind => kind,
    };
    os == std::env::consts::OS && kind == std::env::consts::ARCH
}

/// The program and the libraries that it links to: where each is here, and where it belongs in the image.
async fn files(program: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let mut ask = Command::new(program);
    // The loader answers in the program's place, and does not start it.
    ask.env_clear().env("LD_TRACE_LOADED_OBJECTS", "1").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let told = ask.output().await?;
    let mut files = vec![(program.to_owned(), PROGRAM.to_owned())];
    files.extend(libraries(&String::from_utf8_lossy(&told.stdout)));
    Ok(files)
}

/// The libraries that a loader lists. It looks for those without a path of their own in `/lib`.
fn libraries(told: &str) -> Vec<(PathBuf, String)> {
    let library = |line: &str| {
        let (name, address) = line.trim().rsplit_once(" (0x")?;
        address.ends_with(')').then_some(())?;
        match name.split_once(" => ") {
            Some((name, path)) => Some((PathBuf::from(path), format!("/lib/{name}"))),
            None if name.starts_with('/') => Some((PathBuf::from(name), name.to_owned())),
            // The kernel's own.
            None => None,
        }
    };
    told.lines().filter_map(library).collect()
}

async fn pack_up(files: Vec<(PathBuf, String)>) -> io::Result<(String, Bytes)> {
    let packed = tokio::task::spawn_blocking(move || {
        let mut hasher = blake3::Hasher::new();
        let mut held = Vec::new();
        for (from, to) in &files {
            let bytes = fs::read(from)?;
            hasher.update(to.as_bytes()).update(&bytes);
            held.push((to, bytes));
        }
        let members = held.iter().map(|(to, bytes)| Member { path: to.trim_start_matches('/'), mode: 0o755, bytes });
        let archive = pack(&members.collect::<Vec<_>>())?;
        Ok((hasher.finalize().to_hex().to_string(), archive))
    });
    packed.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_loader_lists_goes_where_it_is_looked_for() {
        let told = "\tlinux-vdso.so.1 (0x00007ffe)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f2)\n\tlost.so => not found\n";
        let found = libraries(told);
        assert_eq!(
            found,
            [
                (PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6"), "/lib/libc.so.6".to_owned()),
                (PathBuf::from("/lib64/ld-linux-x86-64.so.2"), "/lib64/ld-linux-x86-64.so.2".to_owned()),
            ]
        );
        assert!(libraries("wharf 0.1\nusage: wharf (0x").is_empty());
    }
}
