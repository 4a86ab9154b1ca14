//! What the server can give: a plain GET of everything, in ranges and over several connections at once. Nothing is signed
//! or hashed, and what comes is dropped, or written to files as it comes.

use crate::there::{BUCKET, Case, There};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Mutex,
    thread,
};

/// One request asks for at most so much.
const SPAN: u64 = 16 << 20;

/// Gets everything that a case has, into files below a folder, if there is one to keep it in.
pub(crate) fn get(there: &There, case: &Case, connections: usize, kept: Option<&Path>) {
    if let Some(kept) = kept {
        fs::create_dir_all(kept).unwrap();
    }
    let spans = (0..case.count)
        .flat_map(|number| (0..case.size).step_by(SPAN as usize).map(move |at| (number, at, case.size.min(at + SPAN))));
    let spans = Mutex::new(spans);
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(there.address()).unwrap();
                let mut buffer = vec![0; 256 << 10];
                loop {
                    let next = spans.lock().unwrap().next();
                    let Some((number, start, end)) = next else { return };
                    let request = format!(
                        "GET /{BUCKET}/{} HTTP/1.1\r\nHost: {}\r\nRange: bytes={start}-{}\r\n\r\n",
                        case.key(number),
                        there.address(),
                        end - 1
                    );
                    stream.write_all(request.as_bytes()).unwrap();
                    let file = kept.map(|kept| {
                        let path = kept.join(format!("{number:05}.bin"));
                        File::options().create(true).truncate(false).write(true).open(path).unwrap()
                    });
                    take(&mut stream, &mut buffer, end - start, |at, bytes| {
                        if let Some(file) = &file {
                            file.write_all_at(bytes, start + at).unwrap();
                        }
                    });
                }
            });
        }
    });
}

/// Takes in an answer with a body of so many bytes, each part with where it begins.
fn take(stream: &mut TcpStream, buffer: &mut [u8], bytes: u64, mut keep: impl FnMut(u64, &[u8])) {
    let mut held = Vec::new();
    let head = loop {
        let read = stream.read(buffer).unwrap();
        assert!(read > 0, "the answer has an end");
        held.extend_from_slice(&buffer[..read]);
        if let Some(end) = held.windows(4).position(|end| end == b"\r\n\r\n") {
            break end + 4;
        }
    };
    assert!(held.starts_with(b"HTTP/1.1 206"), "{}", String::from_utf8_lossy(&held[..head]));
    keep(0, &held[head..]);
    let mut at = (held.len() - head) as u64;
    while at < bytes {
        let read = stream.read(buffer).unwrap();
        assert!(read > 0, "the answer is whole");
        keep(at, &buffer[..read]);
        at += read as u64;
    }
}
