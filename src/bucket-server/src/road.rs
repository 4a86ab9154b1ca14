//! The road to a server, on which things go wrong: each request meets the mishap that a script chooses for it.

use socket2::SockRef;
use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A request, as it is seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which one it is, from 0.
    pub number: usize,
    /// The method.
    pub method: String,
    /// The path and the query.
    pub target: String,
}

impl Asked {
    /// Whether it asks for a list.
    pub fn is_list(&self) -> bool {
        self.target.contains("list-type=2")
    }
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// Nothing.
    None,
    /// It takes so long to arrive.
    Late(Duration),
    /// The connection breaks before it arrives.
    Lost,
    /// It arrives, and the connection breaks before the answer does.
    AnswerLost,
    /// The server says that it has too much to do.
    SlowDown,
    /// The server says that somebody else writes the same at the moment.
    AtOnce,
    /// The answer breaks off in the middle.
    Cut,
    /// The answer stops in the middle for so long, and then breaks off.
    Stall(Duration),
    /// One bit of the answer's body is another, if it has one.
    Flip,
    /// It arrives twice, and the second answer is the one that comes back.
    Twice,
    /// The answer is the one that the same request got the first time.
    Stale,
}

/// A road, for as long as it is held.
#[derive(Debug)]
pub struct Road {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

type Script = Box<dyn FnMut(&Asked) -> Mishap + Send>;

struct Shared {
    to: SocketAddr,
    script: Mutex<Script>,
    asked: Mutex<Vec<Asked>>,
    under_way: AtomicUsize,
    at_once: AtomicUsize,
    /// The first answer to each request for a list.
    first: Mutex<HashMap<String, Vec<u8>>>,
    closed: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("to", &self.to).finish_non_exhaustive()
    }
}

/// Neither side is waited for longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What servers say with 503 and with 409, each with its code.
const SLOW_DOWN: [&str; 3] = ["503 Slow Down", "SlowDown", "Please reduce your request rate."];
const AT_ONCE: [&str; 3] =
    ["409 Conflict", "ConditionalRequestConflict", "A conflicting operation occurred during this operation."];

/// An answer that only says why there is no other.
fn refusal([status, code, message]: [&str; 3]) -> String {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nConnection: close");
    format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

impl Road {
    /// A road that leads to a server, with the script of what happens on it.
    ///
    /// # Panics
    /// When this machine does not let us listen.
    pub fn to(to: SocketAddr, script: impl FnMut(&Asked) -> Mishap + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let shared = Arc::new(Shared {
            to,
            script: Mutex::new(Box::new(script)),
            asked: Mutex::default(),
            under_way: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            first: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let ours = shared.clone();
        let listening = thread::spawn(move || {
            for stream in listener.incoming() {
                if ours.closed.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), ours) = (stream, ours.clone()) else { continue };
                // What becomes of one connection is seen by who made it.
                thread::spawn(move || drop(ours.serve(&stream)));
            }
        });
        Self { address, shared, listening: Some(listening) }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that came this way.
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.shared.asked).clone()
    }

    /// How many requests at most were under way at once, each until its answer began.
    pub fn at_once(&self) -> usize {
        self.shared.at_once.load(Ordering::SeqCst)
    }

    /// From now on another script holds.
    pub fn now(&self, script: impl FnMut(&Asked) -> Mishap + Send + 'static) {
        *locked(&self.shared.script) = Box::new(script);
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is over.
        drop(TcpStream::connect(self.address));
        drop(self.listening.take().map(JoinHandle::join));
    }
}

fn locked<T>(kept: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(PATIENCE))?;
        let (head, body) = read_request(client)?;
        let mut words = head.split_ascii_whitespace();
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default().to_owned();
        let asked = {
            let mut all = locked(&self.asked);
            let asked = Asked { number: all.len(), method, target };
            all.push(asked.clone());
            asked
        };
        let under_way = self.begin();
        let mishap = (locked(&self.script))(&asked);
        let forward = || self.forward(&head, &body, &asked);
        match mishap {
            Mishap::None | Mishap::Late(_) => {
                if let Mishap::Late(time) = mishap {
                    thread::sleep(time);
                }
                let whole = forward()?;
                // Whoever has the answer may ask for more at once.
                drop(under_way);
                answer(client, &whole)
            }
            Mishap::Lost => reset(client),
            Mishap::AnswerLost => forward().and_then(|_| reset(client)),
            Mishap::SlowDown => answer(client, refusal(SLOW_DOWN).as_bytes()),
            Mishap::AtOnce => answer(client, refusal(AT_ONCE).as_bytes()),
            Mishap::Cut => {
                let whole = forward()?;
                answer(client, &whole[..middle(&whole)])?;
                reset(client)
            }
            Mishap::Stall(time) => {
                let whole = forward()?;
                answer(client, &whole[..middle(&whole)])?;
                thread::sleep(time);
                reset(client)
            }
            Mishap::Flip => {
                let mut whole = forward()?;
                let middle = middle(&whole);
                if let Some(byte) = whole.get_mut(middle) {
                    *byte ^= 0x10;
                }
                answer(client, &whole)
            }
            Mishap::Twice => {
                forward()?;
                answer(client, &forward()?)
            }
            Mishap::Stale => {
                let first = locked(&self.first).get(&asked.target).cloned();
                answer(client, &first.map_or_else(forward, Ok)?)
            }
        }
    }

    fn begin(&self) -> UnderWay<'_> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.at_once.fetch_max(now, Ordering::SeqCst);
        UnderWay(&self.under_way)
    }

    fn forward(&self, head: &str, body: &[u8], asked: &Asked) -> io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(self.to)?;
        server.set_read_timeout(Some(PATIENCE))?;
        server.write_all(head.as_bytes())?;
        server.write_all(body)?;
        let mut whole = Vec::new();
        server.read_to_end(&mut whole)?;
        if asked.is_list() {
            locked(&self.first).entry(asked.target.clone()).or_insert_with(|| whole.clone());
        }
        Ok(whole)
    }
}

/// A request that is under way.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The middle of an answer's body, or of its head where it has none.
fn middle(whole: &[u8]) -> usize {
    let body = whole.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |end| end + 4);
    if body == whole.len() { body / 2 } else { body + (whole.len() - body) / 2 }
}

/// The head of a request, which asks for the connection to end with the answer, and its body.
fn read_request(mut client: &TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(client);
    let (mut head, mut length, mut waits) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        waits |= lower.starts_with("expect:");
        if line == "\r\n" {
            break;
        }
        if !lower.starts_with("connection:") && !lower.starts_with("expect:") {
            head.push_str(&line);
        }
    }
    head.push_str("Connection: close\r\n\r\n");
    if waits {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((head, body))
}

fn answer(mut client: &TcpStream, whole: &[u8]) -> io::Result<()> {
    client.write_all(whole)
}

/// Breaks the connection off, so that the other side notices at once.
fn reset(client: &TcpStream) -> io::Result<()> {
    SockRef::from(client).set_linger(Some(Duration::ZERO))
}
