//! P7 at full load: 500 requests a second and 64 open streams through a roll, a scaling, a rollback and an upgrade of the
//! gateway. No request fails, no stream is cut, and nobody waits.
//!
//! The longest gap is measured by the callers: the longest time in which none of all requests was answered. It is printed
//! each time, and is a few milliseconds where the machine has nothing else to do; the bound that is asserted is one that
//! only a real stall breaks (a connection tried again, a time limit), as tests share their machine with others.

use crate::support::{Running, Site, TOKEN, http, load::Load, until};
use std::{
    cell::RefCell,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const PATH: &str = "/api/predict/hello/";
const PACE: u32 = 520;
const STREAMS: usize = 64;
/// Events of one stream, a tenth of a second apart.
const EVENTS: usize = 10;
const STALL: Duration = Duration::from_secs(1);

/// Answers many at once in one thread: requests at once, `/events` with a stream of events.
const PROGRAM: &str = r#"
import asyncio, os
HEAD = b"HTTP/1.1 200 OK\r\n"
async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b" /events" in head.split(b"\r\n", 1)[0]:
                writer.write(HEAD + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
                for number in range(10):
                    writer.write(b"f\r\ndata: event %d\n\n\r\n" % number)
                    await writer.drain()
                    await asyncio.sleep(0.1)
                writer.write(b"0\r\n\r\n")
            else:
                body = b"{\"greeting\": \"%s\"}\n" % os.environ["GREETING"].encode()
                writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]), backlog=1024)
    await server.serve_forever()
asyncio.run(main())
"#;

/// Streams that are opened again whenever they end.
struct Streams {
    stop: Arc<AtomicBool>,
    readers: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl Streams {
    fn open(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let reader = |_| {
            let stop = stop.clone();
            thread::spawn(move || {
                let (mut whole, mut cut) = (0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    match read(port) {
                        Ok(()) => whole += 1,
                        Err(why) => cut.push(why),
                    }
                }
                (whole, cut)
            })
        };
        Self { readers: (0..STREAMS).map(reader).collect(), stop }
    }

    /// How many were whole, and what became of the others.
    fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.readers.into_iter().map(|reader| reader.join().unwrap());
        ended.fold((0, Vec::new()), |(count, mut all), (whole, cut)| {
            all.extend(cut);
            (count + whole, all)
        })
    }
}

/// Reads one stream to its end.
fn read(port: u16) -> Result<(), String> {
    let words = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(words)?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(words)?;
    let request =
        format!("GET {PATH}events HTTP/1.1\r\nHost: x\r\nAuthorization: {TOKEN}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(words)?;
    let (mut events, mut ended) = (0, false);
    for line in BufReader::new(stream).lines() {
        let line = line.map_err(words)?;
        events += usize::from(line.starts_with("data: event "));
        ended |= line == "0";
    }
    if ended && events == EVENTS { Ok(()) } else { Err(format!("cut after {events} events")) }
}

#[test]
fn nothing_is_lost_at_full_load_whatever_changes() {
    let site = Site::hello("full-load");
    site.write("app/app.py", PROGRAM);
    site.replace("wharf.kdl", "    rollout", "    timeout \"30s\"\n    rollout");
    site.done(&["apply", "--yes", "-q"]);
    until("the gateway answers", || http::get(site.port, PATH, Some(TOKEN)).is_ok_and(|answer| answer.status == 200));
    let under_load = |what: &str, change: &dyn Fn()| {
        let (streams, load) = (Streams::open(site.port), Load::at(PACE, site.port, PATH, TOKEN));
        thread::sleep(Duration::from_millis(500));
        change();
        thread::sleep(Duration::from_millis(500));
        let (tally, took) = load.stop();
        let (whole, cut) = streams.end();
        let pace = tally.answered() as f64 / took.as_secs_f64();
        println!(
            "{what}: {} answered ({pace:.0} a second), {} failed; {whole} streams whole, {} cut; longest gap {:?}",
            tally.answered(),
            tally.failures.len(),
            cut.len(),
            tally.gap
        );
        // So much is sent on time where the machine has room for it.
        assert!(pace >= 200.0, "{what}: the load was only {pace:.0} requests a second");
        assert!(tally.failures.is_empty(), "{what}: {:?}", tally.failures);
        assert!(cut.is_empty() && whole >= STREAMS, "{what}: {cut:?}");
        assert!(tally.gap < STALL, "{what}: nobody was answered for {:?}", tally.gap);
    };
    under_load("roll", &|| {
        site.replace("wharf.kdl", "\"one\"", "\"two\"");
        site.done(&["apply", "--yes", "-q"]);
    });
    under_load("scale", &|| {
        site.replace("wharf.kdl", "instances 2", "instances 4");
        site.done(&["apply", "--yes", "-q"]);
        site.replace("wharf.kdl", "instances 4", "instances 2");
        site.done(&["apply", "--yes", "-q"]);
    });
    under_load("rollback", &|| {
        site.replace("wharf.kdl", "\"two\"", "\"three\"");
        site.write("app/app.py", "import sys\nsys.exit('cannot open the model')\n");
        assert_eq!(site.run(&["apply", "--yes", "-q"]).code, 6);
    });
    // It goes on as the gateway until that is removed.
    let upgraded = RefCell::new(None);
    under_load("upgrade", &|| {
        let guard = site.processes().into_iter().find(|process| process.command.contains(" gateway --dir ")).unwrap();
        let folder = guard.words().last().unwrap().to_owned();
        let successor = Running::start(&mut site.wharf(&["gateway", "--take-over", "--dir", &folder]));
        until("the old one and its guard have ended", || !guard.lives());
        *upgraded.borrow_mut() = Some(successor);
    });
    site.done(&["destroy", "--yes", "-q"]);
    assert_eq!(upgraded.take().unwrap().end().code, 0);
}
