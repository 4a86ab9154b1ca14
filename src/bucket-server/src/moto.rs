//! A server that others made: moto, which `make needs-moto` installs below the folder of builds.

use crate::{ACCESS_KEY, BUCKET};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long it may take to start: Python reads many files for that.
const START: Duration = Duration::from_secs(90);

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
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &free.port().to_string()])
            .env("PYTHONPATH", &packages)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is Python");
        let server = Self { child, address: free };
        let end = Instant::now() + START;
        while !server.make_bucket() {
            assert!(Instant::now() < end, "moto did not start in time");
            thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// It does not check who asks, but wants to be told.
    fn make_bucket(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address) else { return false };
        let who = format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/us-east-1/s3/aws4_request");
        let request = format!(
            "PUT /{BUCKET} HTTP/1.1\r\nHost: {}\r\nAuthorization: {who}, SignedHeaders=host, Signature=0\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n",
            self.address
        );
        let mut answer = String::new();
        let asked = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
        asked.is_ok() && answer.starts_with("HTTP/1.1 200")
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // One that has ended by itself is fine.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
