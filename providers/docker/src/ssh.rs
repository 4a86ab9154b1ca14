//! The way to an engine over ssh: for each connection one `ssh` of the user's own, with his settings, his keys and the hosts he
//! knows, which runs `docker system dial-stdio` on the engine's machine. It asks nobody anything, and lives as long as its
//! input is open: that ends with this process, however this process ends.

use crate::error::{SshSaid, Trouble};
use hyper::http::uri::Authority;
use std::{
    ffi::OsString,
    io,
    pin::Pin,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader, ReadBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::Semaphore,
    task::JoinHandle,
};

/// So many are let in at once: servers turn callers away while more than ten wait at their door.
const TURNS: usize = 4;

/// How long an `ssh` that has failed may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Before the host: it never asks, gives up on a machine that does not answer, and does nothing beside what it is told here,
/// whatever the user's settings have it do for this host.
const OPTIONS: [&str; 5] =
    ["BatchMode=yes", "ConnectTimeout=20", "ServerAliveInterval=20", "ClearAllForwardings=yes", "RemoteCommand=none"];

/// An engine behind ssh.
pub(crate) struct Ssh {
    program: OsString,
    words: Vec<OsString>,
    /// How it is called in messages, and on the command line.
    host: String,
    turns: Semaphore,
}

/// Where an engine is that is named by `ssh://[user@]host[:port][/path/of/socket]`.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    socket: Option<String>,
}

impl Address {
    fn of(address: &str) -> Option<Self> {
        let (authority, socket) = match address.split_once('/') {
            Some((authority, "")) => (authority, None),
            Some((authority, path)) => (authority, Some(format!("/{path}"))),
            None => (address, None),
        };
        let found: Authority = authority.parse().ok()?;
        let (user, place) =
            authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user.to_owned()), place));
        let host = found.host().trim_matches(['[', ']']).to_owned();
        // Neither is to be taken for an option, and the path is read by a shell over there.
        let plain = |word: &str| !word.is_empty() && !word.starts_with('-');
        let safe =
            |path: &String| path.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-+@".contains(letter));
        let fits = plain(&host) && user.as_deref().is_none_or(plain) && socket.as_ref().is_none_or(safe);
        // A port that is none is passed over when an authority is parsed.
        let port = match place.strip_prefix(found.host())? {
            "" => None,
            port => Some(port.strip_prefix(':')?.parse().ok()?),
        };
        fits.then_some(Self { user, host, port, socket })
    }

    /// What follows the name of the program.
    fn words(&self) -> Vec<String> {
        let mut words = vec!["-T".to_owned()];
        words.extend(OPTIONS.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]));
        words.extend(self.user.iter().flat_map(|user| ["-l".to_owned(), user.clone()]));
        words.extend(self.port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        words.extend(["--".to_owned(), self.host.clone(), "docker".to_owned()]);
        words.extend(self.socket.iter().flat_map(|socket| ["--host".to_owned(), format!("unix://{socket}")]));
        words.extend(["system".to_owned(), "dial-stdio".to_owned()]);
        words
    }
}

/// Where the engine's socket is on its machine, if the address says it.
pub(crate) fn socket(host: &str) -> Option<&str> {
    let address = host.strip_prefix("ssh://")?;
    address.find('/').map(|at| &address[at..]).filter(|path| *path != "/")
}

/// What an `ssh` says beside what goes through it, as far as it is heard.
pub(crate) struct Words {
    last: Arc<Mutex<String>>,
    heard: JoinHandle<()>,
}

impl Ssh {
    /// The engine at `[user@]host[:port][/path]`, with the words that ssh is called by. Nothing is sent yet.
    pub(crate) fn of(address: &str, program: &[OsString]) -> Result<Self, Trouble> {
        let unfit = || {
            let help = "write `host=\"ssh://user@box\"`, with the port and the path of the socket behind it if they are not as usual";
            Trouble::rejected(format!("{address} is no user, host, port and path"), help)
        };
        let found = Address::of(address).ok_or_else(unfit)?;
        let (program, first) = program.split_first().map_or(("ssh".into(), &[][..]), |(own, rest)| (own.clone(), rest));
        let words = first.iter().cloned().chain(found.words().into_iter().map(OsString::from)).collect();
        let host = found.user.map_or(found.host.clone(), |user| format!("{user}@{}", found.host));
        let host = found.port.map_or(host.clone(), |port| format!("{host} -p {port}"));
        Ok(Self { program, words, host, turns: Semaphore::new(TURNS) })
    }

    /// Waits for a turn to make a connection.
    pub(crate) async fn turn(&self) -> impl Drop + '_ {
        self.turns.acquire().await.expect("it is never closed")
    }

    /// A connection that is being made, and what is said about it.
    pub(crate) fn dial(&self) -> io::Result<(Pipe, Words)> {
        let mut command = Command::new(&self.program);
        command.args(&self.words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // An interrupt at the terminal is for this process, which finishes what it is about.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|cause| {
            let what = format!("cannot run `{}`", self.program.display());
            let help = "install ssh on this machine (Debian: `apt install openssh-client`)";
            Trouble::rejected(what, help).because(cause)
        })?;
        let taken = "it was asked for, and is taken once";
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect(taken));
        let last = Arc::<Mutex<String>>::default();
        let heard = tokio::spawn(hear(child.stderr.take().expect(taken), last.clone()));
        Ok((Pipe { stdin, stdout, _child: child }, Words { last, heard }))
    }

    /// Why a connection was not made, of which this was heard.
    pub(crate) async fn lost(&self, words: Words, error: hyper::Error) -> io::Error {
        // A shared connection that stays in the background keeps the other end open.
        drop(tokio::time::timeout(LAST_WORDS, words.heard).await);
        let last = words.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if last.is_empty() {
            return io::Error::other(error);
        }
        self.sort(&last).because(SshSaid(last)).into()
    }

    fn sort(&self, last: &str) -> Trouble {
        let host = &self.host;
        let says = |words: &[&str]| words.iter().any(|words| last.contains(words));
        if last.contains("raw stream connection") {
            if says(&["no such file"]) {
                let help =
                    "start the engine there, or say where its socket is: `host=\"ssh://box/path/to/docker.sock\"`";
                return Trouble::rejected(format!("ssh reaches {host}, and no Docker Engine listens there"), help);
            }
            if says(&["permission denied"]) {
                let help =
                    "join the group there that owns it (`sudo usermod -aG docker $USER`), or come as another user";
                return Trouble::denied(
                    format!("ssh reaches {host}, and you may not use the engine's socket there"),
                    help,
                );
            }
            return Trouble::away(format!("ssh reaches {host}, and the engine there does not answer"));
        }
        if says(&["Could not resolve hostname"]) {
            let help = format!("correct the host: `ssh {host}` must get there");
            return Trouble::rejected(format!("ssh knows no host {host}"), help);
        }
        if says(&["Host key verification failed"]) {
            let help = format!("run `ssh {host}` once, and compare what it shows with the key of that machine");
            return Trouble::denied(format!("ssh does not know {host} for the machine that it is"), help);
        }
        if says(&["Permission denied", "Too many authentication failures"]) {
            let help = format!(
                "see that `ssh -o BatchMode=yes {host}` gets in: by a key in the agent, or one without a phrase"
            );
            return Trouble::denied(format!("{host} does not let ssh in"), help);
        }
        if says(&["not found"]) {
            let help = "install Docker's command line there: ssh runs `docker system dial-stdio`";
            return Trouble::rejected(format!("ssh reaches {host}, and there is no `docker` there"), help);
        }
        Trouble::away(format!("ssh does not get through to {host}"))
    }
}

/// Reads to the end, so that nobody waits for it to be read, and keeps the last line.
async fn hear(stderr: ChildStderr, last: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let line = line.trim().trim_start_matches("ssh: ");
        if !line.is_empty() {
            line.clone_into(&mut last.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// What goes through an `ssh`. It ends with this.
pub(crate) struct Pipe {
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    _child: Child,
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, into)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin.as_mut().map_or(Poll::Ready(Ok(())), |stdin| Pin::new(stdin).poll_flush(cx))
    }

    /// The other end hears that nothing more comes, and may go on speaking.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str) -> Option<String> {
        Address::of(address).map(|found| found.words().join(" "))
    }

    #[test]
    fn an_address_becomes_the_words_for_ssh() {
        let options: String = OPTIONS.iter().map(|option| format!("-o {option} ")).collect();
        let words = |rest: &str| Some(format!("-T {options}{rest} system dial-stdio"));
        assert_eq!(check("box"), words("-- box docker"));
        assert_eq!(check("box/"), words("-- box docker"));
        assert_eq!(check("me@box:2222"), words("-l me -p 2222 -- box docker"));
        assert_eq!(check("[::1]/run/x.sock"), words("-- ::1 docker --host unix:///run/x.sock"));
        for none in
            ["", "/run/x.sock", "-oProxyCommand=x", "-l@box", "@box", "box:none", "box:99999", "box/$(id)", "box/a b"]
        {
            assert_eq!(check(none), None, "{none}");
        }
    }

    #[test]
    fn a_socket_is_where_the_address_says() {
        assert_eq!(socket("ssh://me@box:22/run/docker.sock"), Some("/run/docker.sock"));
        assert_eq!(socket("ssh://me@box/"), None);
        assert_eq!(socket("tcp://box:1/x"), None);
    }
}
