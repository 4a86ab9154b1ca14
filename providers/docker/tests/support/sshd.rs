//! A server for ssh on this machine, with keys of its own, for as long as a test has it.

use super::{PATIENCE, free_port};
use std::{
    ffi::OsString,
    fs,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

pub(crate) struct Sshd {
    root: tempfile::TempDir,
    port: u16,
    server: Child,
}

impl Sshd {
    /// Programs are found there in these folders.
    pub(crate) fn start(path: &str) -> Self {
        let root = tempfile::Builder::new().prefix("wharf-ssh-").tempdir().unwrap();
        let file = |name: &str| root.path().join(name);
        for name in ["host", "key", "other"] {
            make_key(&file(name));
        }
        fs::copy(file("key.pub"), file("authorized")).unwrap();
        // It is where the server wants it, and stays as empty as it is.
        fs::create_dir_all("/run/sshd").unwrap();
        let port = free_port();
        let at = root.path().display();
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nAuthorizedKeysFile {at}/authorized\nPidFile none\n\
             StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             SetEnv PATH={path}\n"
        );
        fs::write(file("settings"), settings).unwrap();
        let log = fs::File::create(file("log")).unwrap();
        // It ends with the thread of the test, however that ends.
        let mut server = Command::new("setpriv");
        server.args(["--pdeathsig", "KILL", "/usr/sbin/sshd", "-D", "-e", "-f"]).arg(file("settings"));
        let server = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let sshd = Self { root, port, server };
        let host = fs::read_to_string(sshd.file("host.pub")).unwrap();
        fs::write(sshd.file("known"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        fs::write(sshd.file("unknown"), "").unwrap();
        let begin = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let log = || fs::read_to_string(sshd.file("log")).unwrap_or_default();
            assert!(begin.elapsed() < PATIENCE, "sshd does not start; it says:\n{}", log());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        sshd
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.root.path()
    }

    /// An engine here, as ssh leads to it.
    pub(crate) fn host(&self, socket: &str) -> String {
        format!("ssh://root@127.0.0.1:{}{socket}", self.port)
    }

    /// Another path of this socket, which nobody else uses.
    pub(crate) fn path_to(&self, socket: &str) -> String {
        let path = self.file("docker.sock");
        std::os::unix::fs::symlink(socket, &path).unwrap();
        path.display().to_string()
    }

    /// ssh as a user calls it whose machine knows these hosts, and who has this key.
    pub(crate) fn words(&self, known: &str, key: &str) -> Vec<OsString> {
        let settings = self.file(&format!("ssh-{known}-{key}"));
        let at = self.root.path().display();
        let text = format!(
            "Host *\nIdentityFile {at}/{key}\nIdentitiesOnly yes\nUserKnownHostsFile {at}/{known}\nGlobalKnownHostsFile /dev/null\n"
        );
        fs::write(&settings, text).unwrap();
        vec!["ssh".into(), "-F".into(), settings.into()]
    }

    /// The processes of this machine that are about this server, or about its path of a socket.
    pub(crate) fn clients(&self) -> Vec<String> {
        let at = self.root.path().display().to_string();
        let server = self.server.id().to_string();
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let numbers = processes.filter(|name| name.parse::<u32>().is_ok() && *name != server);
        let lines = numbers.filter_map(|name| fs::read(format!("/proc/{name}/cmdline")).ok());
        lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(&at)).collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

fn make_key(file: &Path) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f"]).arg(file);
    assert!(keygen.status().unwrap().success());
}
