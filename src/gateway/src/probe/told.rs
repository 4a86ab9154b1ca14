//! Asking whoever supervises an instance in its place, as some checks can only be made where the instance runs: on a socket
//! or, where only files are shared, in a file.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::Answer;

/// The longest answer: a reason, and what is around it.
const LIMIT: u64 = 64 << 10;

#[derive(Deserialize)]
struct Line {
    passed: bool,
    words: String,
}

/// Asks on the socket.
pub(super) async fn ask(socket: &Path) -> Answer {
    match read(socket).await {
        Ok(Line { passed, words }) => Answer::Told { passed, words },
        // The supervisor listens while the program runs.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Answer::Refused(error.to_string())
        }
        Err(error) => Answer::Failed(format!("nobody tells whether it is ready: {error}")),
    }
}

async fn read(socket: &Path) -> io::Result<Line> {
    let (place, Some(name)) = (socket.to_owned(), socket.file_name()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    // Where it lies may be slow, and others are asked on this thread.
    let text = match tokio::task::spawn_blocking(move || look(&place)).await.map_err(io::Error::other)?? {
        Found::Text(text) => text,
        Found::Socket(folder) => {
            // The address of a socket has room for 108 bytes; through the opened folder it is short.
            let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
            let stream = UnixStream::connect(short).await?;
            let mut text = Vec::new();
            stream.take(LIMIT).read_to_end(&mut text).await?;
            text
        }
    };
    Ok(serde_json::from_slice(&text)?)
}

enum Found {
    Text(Vec<u8>),
    /// In this folder.
    Socket(File),
}

/// Waits for the disk.
fn look(place: &Path) -> io::Result<Found> {
    if !fs::metadata(place)?.is_file() {
        return Ok(Found::Socket(File::open(place.parent().unwrap_or(Path::new("/")))?));
    }
    let mut text = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(File::open(place)?, LIMIT), &mut text)?;
    Ok(Found::Text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_as_far_as_an_answer_may_go() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("ready");
        assert!(matches!(ask(&place).await, Answer::Refused(_)));
        let line = r#"{"passed":true,"words":"HTTP 200"}"#;
        fs::write(&place, line).unwrap();
        assert!(ask(&place).await.passed());
        let long = " ".repeat(usize::try_from(LIMIT).unwrap()) + line;
        fs::write(&place, long).unwrap();
        assert!(matches!(ask(&place).await, Answer::Failed(_)));
    }
}
