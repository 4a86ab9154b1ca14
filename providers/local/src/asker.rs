//! The checks of one life of a program: a thread beside the supervisor that asks what is due, says when the program must
//! end, and tells gateways whether the instance is ready.
//!
//! What the answers mean together is for `wharf_serving::Vitals`. A program that is to be run in the instance is run by
//! the first process in there; the supervisor carries the question in and the answer out.

use crate::{
    format::{FORMAT, Ran, StoredHealth, ToRun, Wish},
    layout::InstanceFolder,
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, hash_map::RandomState},
    fs::{self, File},
    hash::BuildHasher as _,
    io,
    net::{Ipv4Addr, SocketAddr},
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixListener, UnixStream as AsyncStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, Notify, oneshot},
};
use wharf_serving::{Care, Heard, How, Kind, Vitals};

/// How much later than asked a program that is run as a check may be told of.
const LATE: Duration = Duration::from_secs(2);

/// How long is waited where nobody can be heard.
const BREATH: Duration = Duration::from_millis(50);

/// Starts to ask, and answers the line on which the supervisor is told. The thread ends with that line.
pub(crate) fn start(folder: &InstanceFolder, care: &Care, port: u16) -> io::Result<Option<UnixStream>> {
    if care.checks.is_empty() {
        return Ok(None);
    }
    let (ours, theirs) = UnixStream::pair()?;
    theirs.set_nonblocking(true)?;
    let (folder, care) = (folder.clone(), care.clone());
    thread::Builder::new().name("checks".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(attend(&folder, care, port, theirs))
    })?;
    Ok(Some(ours))
}

async fn attend(folder: &InstanceFolder, care: Care, port: u16, line: UnixStream) -> io::Result<()> {
    let listener = if care.tells_readiness() { Some(listen(folder)?) } else { None };
    let (heard, say) = AsyncStream::from_std(line)?.into_split();
    let asker = Asker {
        folder,
        port,
        begin: Instant::now(),
        vitals: RefCell::new(Vitals::new(care, 0)),
        up: Notify::new(),
        told: RefCell::default(),
        say: Mutex::new(say),
        waiting: RefCell::default(),
    };
    let [first, second] = Kind::LANES;
    tokio::select! {
        ended = asker.hear_answers(heard) => ended,
        ended = asker.ask(first) => ended,
        ended = asker.ask(second) => ended,
        ended = asker.tell(listener.as_ref()) => ended,
    }
}

/// Listens where gateways ask. The place may lie deeper than a socket's address has room for.
fn listen(folder: &InstanceFolder) -> io::Result<UnixListener> {
    let opened = File::open(folder.path())?;
    drop(fs::remove_file(folder.told()));
    let name = folder.told();
    let name = name.file_name().unwrap_or_default();
    UnixListener::bind(PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd())).join(name))
}

/// Whoever asks next. That nobody can be heard, mostly for want of a descriptor, passes; the checks go on meanwhile.
async fn next(listener: &UnixListener) -> AsyncStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

struct Asker<'a> {
    folder: &'a InstanceFolder,
    port: u16,
    begin: Instant,
    vitals: RefCell<Vitals>,
    /// Called when the start may be over, and so other checks due.
    up: Notify,
    /// What was written down last.
    told: RefCell<BTreeMap<Kind, Heard>>,
    say: Mutex<OwnedWriteHalf>,
    /// Who waits for the answers of programs, by their numbers.
    waiting: RefCell<BTreeMap<u64, oneshot::Sender<Heard>>>,
}

impl Asker<'_> {
    /// Tells whoever connects whether the instance is ready.
    async fn tell(&self, listener: Option<&UnixListener>) -> io::Result<()> {
        let Some(listener) = listener else { return std::future::pending().await };
        loop {
            let mut stream = next(listener).await;
            let text = serde_json::to_vec(&self.vitals.borrow().ready())?;
            // A line is less than a socket takes at once; whoever left needs none.
            drop(stream.write_all(&text).await);
        }
    }

    /// Hands the answers of programs to those who wait for them, until the supervisor has left.
    async fn hear_answers(&self, heard: OwnedReadHalf) -> io::Result<()> {
        let mut lines = BufReader::new(heard).lines();
        while let Some(line) = lines.next_line().await? {
            let Ran { number, heard } = serde_json::from_str(&line)?;
            let waiting = self.waiting.borrow_mut().remove(&number);
            // Whoever waited too long has gone.
            drop(waiting.map(|waiting| waiting.send(heard)));
        }
        Ok(())
    }

    /// Asks the checks of a lane until the program must end.
    async fn ask(&self, lane: [Kind; 2]) -> io::Result<()> {
        let (mut chance, state) = (0_u64, RandomState::new());
        loop {
            let due = self.vitals.borrow().due(&lane);
            let Some((kind, at)) = due else {
                self.up.notified().await;
                continue;
            };
            tokio::time::sleep(Duration::from_millis(at).saturating_sub(self.begin.elapsed())).await;
            let asked = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
            let heard = self.hear(kind).await?;
            chance = state.hash_one(chance);
            let dead = self.vitals.borrow_mut().note(kind, heard.clone(), asked, chance);
            self.up.notify_waiters();
            self.write_down(kind, heard);
            if let Some(why) = dead {
                self.wish(&Wish::End { why }).await?;
                return std::future::pending().await;
            }
        }
    }

    async fn hear(&self, kind: Kind) -> io::Result<Heard> {
        let asking = self.vitals.borrow().asking(kind).cloned();
        let Some(asking) = asking else { return Err(io::ErrorKind::NotFound.into()) };
        match asking.how {
            How::Port(ref check) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, asking.port.unwrap_or(self.port)));
                let answer = wharf_gateway::probe(check, address, asking.timeout()).await;
                Ok(Heard { passed: answer.passed(), words: answer.to_string() })
            }
            How::Exec(ref words) => self.run(kind, words, asking.timeout()).await,
        }
    }

    /// Has a program run in the instance. Of each kind there is one at a time.
    async fn run(&self, kind: Kind, words: &[String], timeout: Duration) -> io::Result<Heard> {
        let (send, answer) = oneshot::channel();
        let number = kind as u64;
        self.waiting.borrow_mut().insert(number, send);
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.wish(&Wish::Run(ToRun { number, words: words.to_vec(), timeout_ms })).await?;
        let late = || Heard { passed: false, words: format!("no answer within {timeout:?}") };
        Ok(match tokio::time::timeout(timeout + LATE, answer).await {
            Ok(Ok(heard)) => heard,
            Ok(Err(_)) | Err(_) => late(),
        })
    }

    async fn wish(&self, wish: &Wish) -> io::Result<()> {
        let mut text = serde_json::to_vec(wish)?;
        text.push(b'\n');
        self.say.lock().await.write_all(&text).await
    }

    /// Keeps the last answers for whoever looks. They are of the moment, so a crash may take them.
    fn write_down(&self, kind: Kind, heard: Heard) {
        let mut told = self.told.borrow_mut();
        if told.get(&kind) == Some(&heard) {
            return;
        }
        told.insert(kind, heard);
        let stored = StoredHealth { format: FORMAT, checks: told.clone() };
        let (path, beside) = (self.folder.health(), self.folder.path().join(".tmp-health"));
        let write = || fs::write(&beside, serde_json::to_vec(&stored)?).and_then(|()| fs::rename(&beside, &path));
        drop(write());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write as _, os::fd::OwnedFd};

    #[tokio::test]
    async fn whoever_cannot_be_heard_ends_no_checks() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        // Something can be read of it, but nobody accepted.
        theirs.write_all(b"x").unwrap();
        let broken = UnixListener::from_std(OwnedFd::from(ours).into()).unwrap();
        assert!(broken.accept().await.is_err());
        assert!(tokio::time::timeout(BREATH * 3, next(&broken)).await.is_err(), "it goes on trying");
    }
}
