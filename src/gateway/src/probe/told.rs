//! Asking whoever supervises an instance in its place, as some checks can only be made where the instance runs.

use std::fs::File;
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
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    // The address of a socket has room for 108 bytes; through the opened folder it is short.
    let opened = File::open(folder)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd())).join(name);
    let stream = UnixStream::connect(short).await?;
    let mut text = Vec::new();
    stream.take(LIMIT).read_to_end(&mut text).await?;
    Ok(serde_json::from_slice(&text)?)
}
