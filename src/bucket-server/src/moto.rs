//! A server that others made: moto, which `make needs-moto` installs below the folder of builds.

use crate::{ACCESS_KEY, BUCKET};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long it may take to start: Python reads many files for that.
const START: Duration = Duration::from_secs(90);

/// It looks whether an object is there, and then makes it: where Python lets another thread go on in between, two who make one
/// object at once both do. Here no thread has to let another go on before it waits for something.
const PROGRAM: &str = "import sys; from moto.server import main; sys.setswitchinterval(600); main(sys.argv[1:])";

/// A running server, for as long as it is held.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Moto {
    /// Starts it with an empty bucket.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub fn start(builds: &Path) -> Self {
        let packages = builds.join("moto");
        assert!(packages.is_dir(), "there is no {}: `make needs-moto` installs it", packages.display());
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port is free");
        let child = Command::new("python3")
            .args(["-c", PROGRAM, "-H", "127.0.0.1", "-p", &free.port().to_string()])
            .env("PYTHONPATH", &packages)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is Python");
        let server = Self { child, address: free };
        let end = Instant::now() + START;
        while !matches!(send(free, "PUT", BUCKET, b""), Ok(true)) {
            assert!(Instant::now() < end, "moto did not start in time");
            thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes another bucket.
    ///
    /// # Panics
    /// When it is not made.
    pub fn make_bucket(&self, name: &str) {
        assert!(matches!(send(self.address, "PUT", name, b""), Ok(true)), "there is no bucket {name}");
    }
}

/// Puts an object into a bucket of such a server; in its path stand only letters that need no other form.
///
/// # Panics
/// When it does not take it.
pub fn upload(server: SocketAddr, path: &str, bytes: &[u8]) {
    assert!(matches!(send(server, "PUT", path, bytes), Ok(true)), "{path} was not taken");
}

/// Removes an object from a bucket of such a server. One that is gone is fine.
///
/// # Panics
/// When the server cannot be asked.
pub fn remove(server: SocketAddr, path: &str) {
    send(server, "DELETE", path, b"").expect("the server answers");
}

/// Says whether a request went well. The server does not check who asks, but wants to be told.
fn send(server: SocketAddr, method: &str, path: &str, body: &[u8]) -> io::Result<bool> {
    let mut stream = TcpStream::connect(server)?;
    let who = format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/us-east-1/s3/aws4_request");
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: {who}, SignedHeaders=host, Signature=0\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 20"))
}

impl Drop for Moto {
    fn drop(&mut self) {
        // One that has ended by itself is fine.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
