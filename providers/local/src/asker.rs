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
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        UnixListener, UnixStream as AsyncStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use wharf_serving::{Care, Heard, How, Kind, Vitals};

/// How much later than asked a program that is run as a check may be told of.
const LATE: Duration = Duration::from_secs(2);

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
    let tells = care.tells_readiness();
    let begin = Instant::now();
    let vitals = RefCell::new(Vitals::new(care, 0));
    let (heard, say) = AsyncStream::from_std(line)?.into_split();
    let mut asker = Asker { folder, port, begin, vitals: &vitals, heard: BufReader::new(heard).lines(), say, count: 0 };
    if !tells {
        return asker.ask().await;
    }
    let listener = listen(folder)?;
    tokio::select! {
        ended = asker.ask() => ended,
        ended = tell(&listener, &vitals) => ended,
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

/// Tells whoever connects whether the instance is ready.
async fn tell(listener: &UnixListener, vitals: &RefCell<Vitals>) -> io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let text = serde_json::to_vec(&vitals.borrow().ready())?;
        // A line is less than a socket takes at once; whoever left needs none.
        drop(stream.write_all(&text).await);
    }
}

struct Asker<'a> {
    folder: &'a InstanceFolder,
    port: u16,
    begin: Instant,
    vitals: &'a RefCell<Vitals>,
    heard: Lines<BufReader<OwnedReadHalf>>,
    say: OwnedWriteHalf,
    /// Programs that were run so far.
    count: u64,
}

impl Asker<'_> {
    /// Asks until the program must end, or the supervisor has left.
    async fn ask(&mut self) -> io::Result<()> {
        let (mut chance, state) = (0_u64, RandomState::new());
        let mut told = BTreeMap::new();
        loop {
            let due = self.vitals.borrow().due();
            let Some((kind, at)) = due else { return self.until_left().await };
            let wait = Duration::from_millis(at).saturating_sub(self.begin.elapsed());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                line = self.heard.next_line() => if line?.is_none() { return Ok(()) },
            }
            let heard = self.hear(kind).await?;
            chance = state.hash_one(chance);
            let now = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
            let dead = self.vitals.borrow_mut().note(kind, heard.clone(), now, chance);
            if told.insert(kind, heard.clone()) != Some(heard) {
                self.write_down(&told);
            }
            if let Some(why) = dead {
                self.wish(&Wish::End { why }).await?;
                return self.until_left().await;
            }
        }
    }

    async fn until_left(&mut self) -> io::Result<()> {
        while self.heard.next_line().await?.is_some() {}
        Ok(())
    }

    async fn hear(&mut self, kind: Kind) -> io::Result<Heard> {
        let asking = self.vitals.borrow().asking(kind).cloned();
        let Some(asking) = asking else { return Err(io::ErrorKind::NotFound.into()) };
        match asking.how {
            How::Port(ref check) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, asking.port.unwrap_or(self.port)));
                let answer = wharf_gateway::probe(check, address, asking.timeout()).await;
                Ok(Heard { passed: answer.passed(), words: answer.to_string() })
            }
            How::Exec(ref words) => self.run(words, asking.timeout()).await,
        }
    }

    /// Has a program run in the instance.
    async fn run(&mut self, words: &[String], timeout: Duration) -> io::Result<Heard> {
        self.count += 1;
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.wish(&Wish::Run(ToRun { number: self.count, words: words.to_vec(), timeout_ms })).await?;
        let answer = async {
            while let Some(line) = self.heard.next_line().await? {
                let Ran { number, heard } = serde_json::from_str(&line)?;
                if number == self.count {
                    return Ok(heard);
                }
            }
            Err(io::ErrorKind::UnexpectedEof.into())
        };
        let late = |_| Ok(Heard { passed: false, words: format!("no answer within {timeout:?}") });
        tokio::time::timeout(timeout + LATE, answer).await.unwrap_or_else(late)
    }

    async fn wish(&mut self, wish: &Wish) -> io::Result<()> {
        let mut text = serde_json::to_vec(wish)?;
        text.push(b'\n');
        self.say.write_all(&text).await
    }

    /// Keeps the last answers for whoever looks. They are of the moment, so a crash may take them.
    fn write_down(&self, told: &BTreeMap<Kind, Heard>) {
        let stored = StoredHealth { format: FORMAT, checks: told.clone() };
        let (path, beside) = (self.folder.health(), self.folder.path().join(".tmp-health"));
        let write = || fs::write(&beside, serde_json::to_vec(&stored)?).and_then(|()| fs::rename(&beside, &path));
        drop(write());
    }
}
