//! The gateway against nginx and haproxy: requests a second, the 99th of 100 answers, memory.
//!
//! All three are processes of their own with as many threads as there are processors, all check a token, all keep
//! connections to the same instance (one more nginx) and to the callers (wrk for HTTP/1.1, h2load for HTTP/2). They take
//! turns within each round, and medians are compared, so that whatever else the machine does disturbs all alike. A turn in
//! which a virtual machine stood still, as its host gave the processors to somebody else, is played again, whoever's it was.
//! Lines are the gateway's figure over the other's: above 1 is better for requests, below 1 for the 99th.
//!
//! `make bench-gateway`; the arguments are a part of the cases' names, and ROUNDS and SECONDS come from the environment.

#![allow(clippy::disallowed_methods, reason = "it measures time, and starts what it measures")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use wharf_gateway::{Client, Config, Endpoint, Listener, Route, Settings, TokenDigest, run};

/// As in the program that is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TOKEN: &str = "Bearer s3cret";
const GATEWAY: &str = "WHARF_VERSUS_GATEWAY";
/// A turn is played again if the processors were taken away for longer, and so often at most.
const STILL: Duration = Duration::from_millis(50);
const AGAIN: usize = 10;

const RIVALS: [&str; 3] = ["wharf", "nginx", "haproxy"];

fn main() -> Result<()> {
    if let Some(dir) = std::env::var_os(GATEWAY) {
        return Ok(run(Path::new(&dir), Settings::default())?);
    }
    // `cargo test --benches` runs this program, too, and wants nothing measured.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let number = |name, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rounds, seconds) = (number("ROUNDS", 5), number("SECONDS", 2));
    let wanted: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let site = Site::start()?;
    for protocol in ["http1", "http2"] {
        for (size, path) in [("1KB", "/1k"), ("100KB", "/100k")] {
            for callers in [64, 512] {
                let case = Case { protocol, size, path, callers };
                if wanted.is_empty() || wanted.iter().any(|part| case.name().contains(part.as_str())) {
                    case.measure(&site, rounds, seconds)?;
                }
            }
        }
    }
    for (name, process) in RIVALS.iter().zip(&site.rivals) {
        println!("{name} memory: {:.1} MiB", process.memory()? as f64 / 1024.0);
    }
    Ok(())
}

/// One kind of load.
struct Case {
    protocol: &'static str,
    size: &'static str,
    path: &'static str,
    callers: usize,
}

/// What one turn gave.
#[derive(Clone, Copy)]
struct Turn {
    per_second: f64,
    /// The 99th of 100 answers, in milliseconds.
    late: f64,
    /// Processor time of the one that was called, in microseconds a request.
    cost: f64,
}

impl Case {
    fn name(&self) -> String {
        format!("{} {} {}c", self.protocol, self.size, self.callers)
    }

    fn measure(&self, site: &Site, rounds: usize, seconds: usize) -> Result<()> {
        let mut turns = [const { Vec::new() }; RIVALS.len()];
        for _ in 0..rounds {
            for (rival, turns) in turns.iter_mut().enumerate() {
                turns.push(self.undisturbed(site, rival, seconds)?);
            }
        }
        let [ours, others @ ..] = turns.map(|turns| Turn {
            per_second: median(turns.iter().map(|turn| turn.per_second)),
            late: median(turns.iter().map(|turn| turn.late)),
            cost: median(turns.iter().map(|turn| turn.cost)),
        });
        println!(
            "wharf {}: {:.0} requests/s, p99 {:.2} ms, {:.1} us of processor a request",
            self.name(),
            ours.per_second,
            ours.late,
            ours.cost
        );
        for (name, other) in RIVALS[1..].iter().zip(others) {
            println!(
                "{name} {}: {:.2} (p99 {:.2} of its {:.2} ms, processor {:.2} of its {:.1} us)",
                self.name(),
                ours.per_second / other.per_second,
                ours.late / other.late,
                other.late,
                ours.cost / other.cost,
                other.cost
            );
        }
        Ok(())
    }

    /// A turn in which the machine did not stand still, if there is one.
    fn undisturbed(&self, site: &Site, rival: usize, seconds: usize) -> Result<Turn> {
        for _ in 0..AGAIN {
            let before = taken_away()?;
            let turn = self.turn(site, rival, seconds)?;
            if taken_away()? - before < STILL {
                return Ok(turn);
            }
        }
        self.turn(site, rival, seconds)
    }

    fn turn(&self, site: &Site, rival: usize, seconds: usize) -> Result<Turn> {
        let port = site.ports[rival][usize::from(self.protocol == "http2")];
        let url = format!("http://127.0.0.1:{port}/api/predict/hello{}", self.path);
        let before = site.rivals[rival].processor()?;
        let turn = match self.protocol {
            "http1" => wrk(&url, self.callers, seconds),
            _ => h2load(&url, self.callers, seconds, &site.dir.path().join("h2load.log")),
        }?;
        let took = site.rivals[rival].processor()? - before;
        Ok(Turn { cost: took * 1e6 / (turn.per_second * seconds as f64), ..turn })
    }
}

fn wrk(url: &str, callers: usize, seconds: usize) -> Result<Turn> {
    let output = Command::new("wrk")
        .args(["-t2", "--latency", "-H", &format!("Authorization: {TOKEN}")])
        .args([format!("-c{callers}"), format!("-d{seconds}s"), url.to_owned()])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    if text.contains("Non-2xx") {
        return Err(format!("{url}: {text}").into());
    }
    let after = |word: &str| text.lines().find_map(|line| line.trim().strip_prefix(word).map(str::trim));
    let per_second = after("Requests/sec:").ok_or("wrk counts nothing")?.parse()?;
    let late = after("99%").ok_or("wrk knows no times")?;
    let number: f64 = late.trim_end_matches(char::is_alphabetic).parse()?;
    let late = if late.ends_with("us") {
        number / 1e3
    } else if late.ends_with("ms") {
        number
    } else {
        number * 1e3
    };
    Ok(Turn { per_second, late, cost: 0.0 })
}

/// So many callers are a tenth of them connections with ten requests at once each.
fn h2load(url: &str, callers: usize, seconds: usize, log: &Path) -> Result<Turn> {
    drop(fs::remove_file(log));
    let connections = (callers / 10).max(1);
    let output = Command::new("h2load")
        .args(["-t2", "-m10", "--warm-up-time=0", "-H", &format!("authorization: {TOKEN}")])
        .arg(format!("--log-file={}", log.display()))
        .args([format!("-c{connections}"), format!("-D{seconds}"), url.to_owned()])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().find(|line| line.starts_with("finished in")).ok_or("h2load counts nothing")?;
    let per_second = line.split(", ").nth(1).and_then(|part| part.split(' ').next()).unwrap_or("").parse()?;
    let mut times = Vec::new();
    for line in fs::read_to_string(log)?.lines() {
        let mut columns = line.split('\t').skip(1);
        if columns.next() != Some("200") {
            return Err(format!("{url}: {line}").into());
        }
        times.extend(columns.next().and_then(|time| time.parse::<u64>().ok()));
    }
    times.sort_unstable();
    let late = times.get(times.len() * 99 / 100).ok_or("h2load was not answered")?;
    Ok(Turn { per_second, late: *late as f64 / 1e3, cost: 0.0 })
}

/// For how long the host gave this machine's processors to somebody else so far, over all of them.
fn taken_away() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let hundredths =
        text.lines().next().and_then(|line| line.split_whitespace().nth(8)).unwrap_or("0").parse::<u64>()?;
    Ok(Duration::from_millis(10 * hundredths))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A process; ended when dropped.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?))
    }

    /// Its memory and that of its children, in KiB.
    fn memory(&self) -> Result<u64> {
        Ok(self.family()?.iter().map(|pid| resident(pid)).sum())
    }

    /// The processor time that it and its children took so far, in seconds.
    fn processor(&self) -> Result<f64> {
        let ticks = self.family()?.into_iter().map(|pid| {
            let fields = stat(&pid);
            fields.iter().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>()
        });
        Ok(ticks.sum::<f64>() / 100.0)
    }

    /// It and its children.
    fn family(&self) -> Result<Vec<String>> {
        let pid = self.0.id().to_string();
        let mut family = vec![pid.clone()];
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if stat(&name).get(1) == Some(&pid) {
                family.push(name);
            }
        }
        Ok(family)
    }
}

/// What the kernel tells of a process behind its name, its state first.
fn stat(pid: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split_whitespace().map(str::to_owned).collect()
}

fn resident(pid: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = Command::new("kill").arg(self.0.id().to_string()).status();
        drop(ended.map(|_| self.0.wait()));
    }
}

/// Everything that runs.
struct Site {
    dir: tempfile::TempDir,
    rivals: Vec<Process>,
    /// Of each rival, for HTTP/1.1 and for HTTP/2.
    ports: [[u16; 2]; RIVALS.len()],
    _instance: Process,
}

impl Site {
    fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let threads = std::thread::available_parallelism()?.get();
        fs::write(dir.path().join("1k"), vec![b'x'; 1 << 10])?;
        fs::write(dir.path().join("100k"), vec![b'x'; 100 << 10])?;
        let instance = port()?;
        let _instance = nginx(dir.path(), "instance", threads, &instance_of(dir.path(), instance))?;
        let ours = gateway(dir.path(), instance)?;
        let ports = [[ours.1; 2], [port()?, port()?], [port()?, port()?]];
        let rival = nginx(dir.path(), "rival", threads, &proxy_of(instance, ports[1]))?;
        let rivals = vec![ours.0, rival, haproxy(dir.path(), threads, instance, ports[2])?];
        ports.as_flattened().iter().try_for_each(|port| wait_for(*port))?;
        Ok(Self { dir, rivals, ports, _instance })
    }
}

fn port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn wait_for(port: u16) -> Result<()> {
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if start.elapsed() > Duration::from_secs(10) {
            return Err(format!("nobody listens on port {port}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn nginx(dir: &Path, name: &str, threads: usize, servers: &str) -> Result<Process> {
    let file = dir.join(format!("{name}.conf"));
    let dir = dir.display();
    let text = format!(
        "daemon off; worker_processes {threads}; pid {dir}/{name}.pid; error_log stderr crit;\n\
         worker_rlimit_nofile 16384;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on; tcp_nodelay on;\n\
         client_body_temp_path {dir}/{name}.a; proxy_temp_path {dir}/{name}.b; fastcgi_temp_path {dir}/{name}.c;\n\
         uwsgi_temp_path {dir}/{name}.d; scgi_temp_path {dir}/{name}.e;\n{servers}\n}}\n"
    );
    fs::write(&file, text)?;
    Process::start(Command::new("nginx").arg("-c").arg(file))
}

fn instance_of(dir: &Path, port: u16) -> String {
    format!(
        "open_file_cache max=10;\nserver {{ listen 127.0.0.1:{port} reuseport backlog=4096; root {}; }}",
        dir.display()
    )
}

fn proxy_of(instance: u16, [http1, http2]: [u16; 2]) -> String {
    let server = |listen: String| {
        format!(
            "server {{ listen {listen}; client_max_body_size 1m;\n\
             location /api/predict/hello/ {{\n\
             if ($http_authorization != \"{TOKEN}\") {{ return 401; }}\n\
             proxy_pass http://instance/; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_read_timeout 5s;\n\
             proxy_next_upstream error;\n\
             }} }}\n"
        )
    };
    let upstream = format!("upstream instance {{ server 127.0.0.1:{instance}; keepalive 256; }}\n");
    upstream
        + &server(format!("127.0.0.1:{http1} reuseport backlog=4096"))
        + &server(format!("127.0.0.1:{http2} http2 reuseport backlog=4096"))
}

fn haproxy(dir: &Path, threads: usize, instance: u16, [http1, http2]: [u16; 2]) -> Result<Process> {
    let file = dir.join("haproxy.cfg");
    let text = format!(
        "global\n  nbthread {threads}\n  maxconn 8192\n\
         defaults\n  mode http\n  timeout connect 3s\n  timeout client 60s\n  timeout server 5s\n  option forwardfor\n\
         frontend rival\n  bind 127.0.0.1:{http1}\n  bind 127.0.0.1:{http2} proto h2\n\
         \x20 http-request deny deny_status 401 unless {{ req.hdr(authorization) -m str \"{TOKEN}\" }}\n\
         \x20 http-request replace-path /api/predict/hello(/.*) \\1\n  default_backend instance\n\
         backend instance\n  http-reuse always\n  server one 127.0.0.1:{instance}\n"
    );
    fs::write(&file, text)?;
    Process::start(Command::new("haproxy").arg("-f").arg(file))
}

/// Starts the gateway, and tells on which port it listens.
fn gateway(dir: &Path, instance: u16) -> Result<(Process, u16)> {
    let dir = dir.join("gateway");
    let process = Process::start(Command::new(std::env::current_exe()?).env(GATEWAY, &dir))?;
    let digest = hex::encode(Sha256::digest(TOKEN.trim_start_matches("Bearer ")));
    let route = Route {
        name: "public/hello".into(),
        service: "hello".into(),
        paths: vec!["/api/predict/hello".into()],
        tokens: vec![TokenDigest { name: "team".into(), sha256: digest, rate: None }],
        timeout_ms: Some(5_000),
        max_body: Some(1 << 20),
        endpoints: vec![Endpoint::serving("hello-0-g1", SocketAddr::from(([127, 0, 0, 1], instance)))],
        ..Route::default()
    };
    let listeners = vec![Listener::plain("public", ([127, 0, 0, 1], 0).into())];
    let config = Config { generation: 1, listeners, routes: vec![route], ..Config::empty() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let port = runtime.block_on(async {
        let start = Instant::now();
        let mut client = loop {
            match Client::connect(&dir).await {
                Ok(client) => break client,
                Err(error) if start.elapsed() > Duration::from_secs(10) => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        client.replace(&config).await?;
        Ok::<_, Box<dyn Error>>(client.status().await?.listeners[0].address.port())
    })?;
    Ok((process, port))
}
