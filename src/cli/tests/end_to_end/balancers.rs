//! A balancer of connections: raw streams that no gateway understands, while the service behind them is rolled.

use crate::support::{Running, Site, until};
use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpStream},
    time::{Duration, Instant},
};

/// Says who it is, and then says again whatever it hears.
const PROGRAM: &str = r#"
import os, socketserver

class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write((os.environ["GREETING"] + "\n").encode())
        for line in self.rfile:
            self.wfile.write(line)

class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

Server(("127.0.0.1", int(os.environ["PORT"])), Echo).serve_forever()
"#;

const PROJECT: &str = r#"project "balancers"
nlb "edge" { listener @PORT target="echo" }

service "echo" {
    command "python3" "/mnt/data/echo.py"
    port 8000
    env { GREETING "one" }
    mount "/mnt/data" { folder "./app" read-only=#true }
    instances 2
    health { readiness { tcp; every "1s" } }
    rollout { min-ready "300ms"; deadline "30s" }
    shutdown { grace "30s" }
}
"#;

struct Stream {
    stream: BufReader<TcpStream>,
    greeting: String,
}

impl Stream {
    fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut stream = Self { stream: BufReader::new(stream), greeting: String::new() };
        stream.greeting = stream.line()?;
        Ok(stream)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream was cut")),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn echo(&mut self, words: &str) {
        writeln!(self.stream.get_mut(), "{words}").unwrap();
        assert_eq!(self.line().unwrap(), words);
    }
}

fn greeting(port: u16) -> Option<String> {
    Stream::open(port).ok().map(|stream| stream.greeting)
}

#[test]
fn streams_outlive_a_roll_as_long_as_the_grace_lasts() {
    let site = Site::empty("balancers");
    site.write("wharf.kdl", &site.filled(PROJECT));
    site.write("app/echo.py", PROGRAM);
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(greeting(site.port).as_deref(), Some("one"));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(site.run(&["drift"]).code, 0);

    let mut old: Vec<_> = (0..8).map(|_| Stream::open(site.port).unwrap()).collect();
    assert!(old.iter().all(|stream| stream.greeting == "one"));
    let status = site.done(&["status"]);
    let told = format!("nlb edge  running\n  port {}  echo  2/2 ready  8 connections\n", site.port);
    assert!(status.contains(&told), "{status}");
    site.replace("wharf.kdl", r#"GREETING "one""#, r#"GREETING "two""#);
    let apply = Running::start(&mut site.wharf(&["apply", "--yes", "-q"]));
    // Every new stream comes somewhere, and at last to the new ones alone, while the old streams go on.
    let (mut opened, mut rounds) = (0, 0);
    let begin = Instant::now();
    let mut fresh = 0;
    while fresh < 20 {
        assert!(begin.elapsed() < Duration::from_secs(25), "the new ones do not take over");
        let stream = Stream::open(site.port).expect("a new stream is let in at any time");
        (opened, fresh) = (opened + 1, if stream.greeting == "two" { fresh + 1 } else { 0 });
        rounds += 1;
        old.iter_mut().for_each(|stream| stream.echo(&format!("round {rounds}")));
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(1));
    old.iter_mut().for_each(|stream| stream.echo("the last"));
    println!("{opened} streams opened during the roll, {} went on for {rounds} rounds, none was cut", old.len());
    // Once they end, nobody waits for the rest of the grace.
    let ended = Instant::now();
    drop(old);
    let ran = apply.end();
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert!(ended.elapsed() < Duration::from_secs(15), "{:?}", ended.elapsed());
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);

    // It moves to another port, and goes.
    let (here, there) = (format!("listener {} ", site.port), format!("listener {} ", site.port + 1));
    site.replace("wharf.kdl", &here, &there);
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(greeting(site.port), None);
    assert_eq!(greeting(site.port + 1).as_deref(), Some("two"));
    site.replace("wharf.kdl", &format!("nlb \"edge\" {{ {there}target=\"echo\" }}"), "");
    // Nobody knows any more what streams there are, so each instance is given the whole grace.
    site.replace("wharf.kdl", "grace \"30s\"", "grace \"1s\"");
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(greeting(site.port + 1), None);
    assert!(site.instances().values().all(|state| state == "ready"));
    site.done(&["destroy", "--yes", "-q"]);
    until("all is gone", || site.processes().is_empty());
}
