//! Reading a large project, against a bare parse of the same bytes: `cargo bench -p wharf-lang --bench lang`.
//!
//! A generated service is some thirty lines; ten of them make a file. All have what most services have, and each has some
//! of the rest, so that every node of the table is in use. The budget is for 10,000 services. Every figure is the median of
//! several runs in one process; what counts are the ratios, and how time grows with size. For each step there are two: the
//! clock, and the time that all cores together computed. Letting go of what was read is not part of it.

#![allow(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for developers that prints and may stop")]

use kdl::KdlDocument;
use std::{
    cell::RefCell,
    collections::BTreeSet,
    fmt::Write as _,
    time::{Duration, Instant},
};
use wharf_lang::{Include, Request, SourceFile, Step, load, schema};

const SERVICES_PER_FILE: usize = 10;
const GATEWAYS: usize = 20;
const SECRETS: usize = 50;
const SIZES: [usize; 4] = [1_250, 2_500, 5_000, 10_000];
const RUNS: usize = 5;
/// For 10,000 services on two cores.
const BUDGET: Duration = Duration::from_secs(1);
const MEMORY: u64 = 600;
/// What a checked and resolved deployment may cost over a bare parse.
const OVER_BARE: f64 = 1.5;

/// What all services share.
fn head() -> String {
    let mut text = "// The project, and what its services share.\nproject \"bench\" requires-wharf=\">=0.1\"\n\
        include \"shared/inner.kdl\"\n\
        input \"tag\" default=\"1.4.2\" { description \"image tag to release\" }\n\
        input \"level\" default=\"info\" { allowed \"debug\" \"info\" }\n\
        registry \"registry.example.com\" username=\"ci\" password=(secret)\"token-0\"\n\
        template \"llm\" {\n    param \"model\" { description \"which one\"; allowed \"small\" \"large\" }\n    \
        env { MODEL_SIZE \"${param.model}\"; DEBUG #true }\n    logs \"/var/log/llm.log\"\n}\n"
        .to_owned();
    for number in 0..SECRETS {
        let source = match number % 3 {
            0 => format!("env \"TOKEN_{number}\""),
            1 => format!("file \"secrets/token-{number}\""),
            _ => format!("command \"pass\" \"show\" \"token-{number}\""),
        };
        let _ = writeln!(text, "secret \"token-{number}\" {{ {source} }}");
    }
    for number in 0..GATEWAYS {
        let port = 10_000 + number;
        let _ = writeln!(
            text,
            "gateway \"public-{number}\" {{\n    listen {port} address=\"0.0.0.0\"\n    max-body \"4MiB\"\n    \
             domain \"chat-{number}.example.com\" certificate=\"tls.pem\"\n    allow \"10.0.0.0/8\"\n    rate-limit 500\n    \
             concurrency-limit 200\n    reach \"private\"\n    network \"inner\"\n}}\n\
             group \"group-{number}\" policy=\"weights\"\nnlb \"edge-{number}\" {{\n    listener {port} target=\"chat-1\"\n    \
             network \"inner\"\n}}"
        );
    }
    text
}

/// A file that the first one includes.
const INNER: &str = "network \"inner\" cidr=\"10.20.0.0/16\" { allow-in \"10.0.0.0/8\" port=443; allow-out \"0.0.0.0/0\" }\n\
    network \"there\" { vpc \"vpc-a\"; vswitches \"vsw-a\" \"vsw-b\"; security-group \"sg-a\" }\n\
    gateway \"shared\" { shared }\ngateway \"own\" { dedicated \"gw-a\" type=\"managed\"; network \"there\" }\n\
    nlb \"there\" { id \"nlb-a\"; public; listener 9000 target=\"chat-1\" }\n";

/// One service in ten is changed by the environment.
fn environment(services: usize) -> String {
    let mut text =
        "environment \"dev\" {\n    provider \"local\" { image \"host\" }\n    remove { gateway \"shared\" }\n    \
        registry \"registry.example.com\" username=\"dev\"\n    group \"group-0\" policy=\"weights\"\n    \
        network \"inner\" { remove { allow-in } }\n    nlb \"there\" { remove { public } }\n    \
        gateway \"public-0\" { max-body \"8MiB\"; remove { allow } }\n"
            .to_owned();
    for number in (0..services).step_by(10) {
        let _ = writeln!(
            text,
            "    service \"chat-{number}\" {{\n        instances 3\n        env {{ LOG_LEVEL \"debug\" }}\n    }}"
        );
    }
    text + "}\n"
}

/// What some services have beside the others; each service has one of these. `N` is its number.
const EXTRAS: &[&str] = &[
    "resources {\n        cpu 2; memory \"4GiB\"; shm \"1GiB\"; disk \"40GiB\"\n        \
     gpu 1 { driver \">=550\"; cuda \"11.2\" }\n        spread \"zone\"; priority 5\n    }\n    crash-block",
    "resources {\n        instance-type \"ecs.gn7i-c8g1.2xlarge\" { spot max-price=0.9 }\n        \
     instance-type \"ecs.gn7i-c8g1.2xlarge\" cap=\"50%\"\n        spot-protection #true\n        rebalance\n    }",
    "resources {\n        dedicated \"eas-r-N\" cap=8; burst; instance-type \"ecs.c8i.xlarge\"\n        \
     cpu 2; memory \"6GiB\"; cpu-sharing\n        gpu 0 { memory \"8GiB\"; cores 40; isolation \"soft\" }\n    }",
    "resources { quota \"quota-N\" type=\"lingjun\"; cpu 64; memory \"512GiB\"; gpu 8 }\n    unit size=2 { rdma; check }\n    \
     weights \"/mnt/data\" memory=\"200GiB\"\n    tracing",
    "queue {\n        instances 2; cpu 1; memory \"4GiB\"; dedicated \"eas-r-N\"; max-delivery 3; workers 4\n        \
     output-share \"50%\"; evict-input; evict-output\n    }\n    job \"service\"",
    "autoscale {\n        min 1; max 20\n        metric \"qps\" target=10\n        up-window \"10s\"; down-window \"5m\"; idle \"10m\"; wake 2\n    }\n    \
     schedule \"morning\" cron=\"0 8 * * 1-5\" instances=10 timezone=\"Asia/Shanghai\" { except \"2027-01-01\" }",
    "mirror \"5%\" { target \"chat-1\" }\n    expiry \"4320h\"\n    labels { team \"team-N\"; tier 2 }\n    \
     raw \"eas\" { metadata.rpc.enable_jemalloc 1 }",
    "router {\n        backend \"vllm\"; policy \"prefix-cache\"; instances 2; queue-size 128; retries 2; patience \"20s\"\n        \
     cpu 4; memory \"8GiB\"; scheduler { cpu 2; memory \"4GiB\" }\n    }\n    call-records { sls project=\"audit\" logstore=\"N\" }",
    "network \"inner\"\n    nacos \"mse-N\" namespace=\"prod\" group=\"chat\"\n    grpc\n    role \"default\"\n    \
     confidential trustee=\"https://trustee.example.com\" key=\"kbs:///default/key/N\"\n    \
     call-records { maxcompute project=\"audit\" table=\"chat_N\" }",
    "pull \"always\"\n    web-app\n    container \"proxy\" {\n        image \"nginx:1.27\"; args \"-g\" \"daemon off;\"; port 8001\n        \
     env { UPSTREAM \"127.0.0.1:8000\" }\n    }\n    call-records { file \"/var/log/calls-N\" }",
    "mount \"/mnt/oss\" { oss \"bucket-a/dir/N/\" read-only=#true; cache size=\"8GiB\" }\n    \
     mount \"/mnt/s3\" { s3 \"bucket-b/dir/\" endpoint=\"https://s3.example.com\" mode=\"stream\" }\n    \
     mount \"/mnt/nfs\" { nfs server=\"nas.example.com\" path=\"/models\"; label \"model\" }\n    \
     mount \"/mnt/set\" { dataset \"d-N\" version=\"v1\" }",
    "mount \"/mnt/git\" { git \"https://example.com/team/code.git\" branch=\"main\"; label \"code\" }\n    \
     mount \"/mnt/code\" { code \"code-N\" }\n    mount \"/mnt/model\" { model \"model-N\" version=\"v2\" }\n    \
     mount \"/mnt/image\" { image \"registry.example.com/weights:1\" path=\"/weights\" }\n    \
     mount \"/mnt/tmp\" { empty }\n    mount \"/dev/shm\" { memory size=\"8GiB\" }",
    "traffic { rate-limit 500; concurrency-limit 200; instance-rate-limit 50; queue-size 64 }\n    logs \"/var/log/app.log\"",
    "use \"llm\" model=\"large\"\n    remove { env \"DEBUG\" }\n    traffic { rate-limit 100 }",
];

const ROLLOUTS: &[&str] = &[
    "",
    "",
    "; batch \"20%\" interval=\"30s\"",
    "; partition \"50%\"; paused",
    "\n        canary { step \"10%\" for=\"10m\" { gate error-rate=\"1%\" }; step \"50%\"; gate latency-p99=\"800ms\" }",
];

const CHECKS: &[&str] = &[
    "",
    "",
    "\n        startup { http \"/health\"; every \"1s\"; failures 120; successes 1 }\n        liveness { tcp; initial-delay \"10s\"; every \"10s\"; successes 1 }",
    "\n        progress { exec \"cat\" \"/tmp/progress\"; every \"30s\"; failures 40; successes 1; initial-delay \"1s\" }",
];

/// A service on a program of the platform.
fn classic(number: usize) -> String {
    format!(
        "\n// A model of topic {number} that was there before.\nservice \"chat-{number}\" {{\n    processor \"{}\" {{\n        \
         model \"oss://examplebucket/models/{number}.pmml\" entry=\"lr.pmml\" config=\"{{}}\"\n        {}\
         warm-up \"oss://examplebucket/warm-up.bin\"\n        batching max-size=32 timeout=\"20ms\"\n        \
         worker-threads 8\n        io-threads 4\n        queue-size 64\n    }}\n    instances 2\n}}\n",
        if number.is_multiple_of(2) { "own" } else { "pmml" },
        if number.is_multiple_of(2) {
            "own \"oss://examplebucket/own\" type=\"python\" entry=\"app.py\"\n        "
        } else {
            ""
        },
    )
}

fn service(number: usize) -> String {
    if number % 41 == 40 {
        return classic(number);
    }
    let (gateway, secret) = (number % GATEWAYS, number % SECRETS);
    // The services of a group let in the same callers.
    let door = gateway % SECRETS;
    let program = match number % 4 {
        0 => "script \"\"\"\n        set -eu\n        exec python /mnt/data/app.py --port \"$PORT\"\n        \"\"\"",
        1 if number.is_multiple_of(3) => "args \"--tag\" \"${input.tag}\"",
        _ => "command \"python\" \"/mnt/data/app.py\" \"--tag\" \"${input.tag}\"",
    };
    let check = if number.is_multiple_of(5) { "tcp" } else { "http \"/health?deep=1\"" };
    let checks = CHECKS[number % CHECKS.len()];
    let packages = if number.is_multiple_of(7) {
        "packages-file \"/mnt/data/requirements.txt\""
    } else {
        "packages \"flask==2.3.3\" \"gunicorn>=21\" \"numpy~=1.26\""
    };
    let parts =
        if number.is_multiple_of(4) { " { connect \"2s\"; first-byte \"10s\"; between-bytes \"5s\" }" } else { "" };
    let rollout = ROLLOUTS[number % ROLLOUTS.len()];
    let extra = EXTRAS[number % EXTRAS.len()].replace('N', &number.to_string());
    let group =
        if number.is_multiple_of(3) { format!("\n    group \"group-{gateway}\" weight=10") } else { String::new() };
    format!(
        r#"
// Answers questions about topic {number}; the team of topic {gateway} is on call for it.
service "chat-{number}" {{
    image "registry.example.com/team-{gateway}/chat:${{input.tag}}"
    {program}
    port 8000
    {packages}
    env {{
        LOG_LEVEL "${{input.level}}"
        MODEL_NAME "qwen2.5-{number}b-instruct"
        HF_TOKEN (secret)"token-{secret}"
    }}
    mount "/mnt/data" {{ folder "./services/chat-{number}" read-only=#true live=#false }}
    {extra}
    instances 2
    health {{
        readiness {{ {check}; every "2s"; failures 3; successes 1 }}{checks}
    }}
    rollout {{ max-surge "25%"; max-unavailable 0; min-ready "5s"; deadline "10m"; on-failure "rollback"{rollout} }}
    shutdown {{ grace "30s"; sigterm #true }}
    timeout "15s"{parts}{group}
    auth {{ token (secret)"token-{door}" }}
    expose "public-{gateway}" path="/topics/{number}"
}}
"#
    )
}

fn project(services: usize) -> Vec<SourceFile> {
    let shared = [head(), environment(services)].into_iter();
    let numbers: Vec<_> = (0..services).collect();
    let texts = shared.chain(numbers.chunks(SERVICES_PER_FILE).map(|some| some.iter().map(|n| service(*n)).collect()));
    let file = |(at, text): (usize, String)| SourceFile { name: format!("{at:05}.kdl").into(), text: text.into() };
    texts.enumerate().map(file).collect()
}

/// The rows of the table that no generated file uses. They should be none, so that the figures are about the language.
fn unused(files: &[SourceFile]) -> Vec<&'static str> {
    let mut words = BTreeSet::new();
    for file in files {
        words.extend(file.text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-'));
    }
    words.extend(INNER.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-'));
    schema().iter().filter(|row| !words.contains(row.name())).map(|row| row.path).collect()
}

/// What the clock says, and how long this process has computed.
type Now = (Instant, Duration);

fn now() -> Now {
    (Instant::now(), computed())
}

/// One reading: when each step began. What was read is let go after that.
fn read(files: &[SourceFile]) -> Vec<(Step, Now)> {
    let include = |_: &str| Ok(INNER.into());
    let steps = RefCell::new(Vec::new());
    let watch = |step| steps.borrow_mut().push((step, now()));
    let (include, watch): (Include<'_>, &dyn Fn(Step)) = (&include, &watch);
    let request = Request { files, include: Some(include), watch: Some(watch), ..Request::default() };
    let loaded = load(&Request { wharf_version: "0.1.0", ..request });
    let told: Vec<_> = loaded.problems.errors().take(20).map(|found| (found, found.span())).collect();
    assert!(loaded.deployment.is_some(), "{told:?}");
    steps.into_inner()
}

/// What reading takes by the clock, and in computing on all cores.
#[derive(Clone, Copy)]
struct Took {
    clock: Duration,
    computed: Duration,
}

/// What several readings took as a whole, and each step of them.
fn measure(files: &[SourceFile]) -> (Took, Vec<(Step, Took)>) {
    let runs: Vec<_> = (0..RUNS).map(|_| read(files)).collect();
    let between = |from: usize, to: usize| {
        let clock = runs.iter().map(|run| run[to].1.0 - run[from].1.0).collect();
        // The kernel counts hundredths of a second, so only their mean says anything about a step.
        let computed: Duration = runs.iter().map(|run| run[to].1.1 - run[from].1.1).sum();
        Took { clock: middle(clock), computed: computed / RUNS as u32 }
    };
    let last = runs[0].len() - 1;
    (between(0, last), (0..last).map(|step| (runs[0][step].0, between(step, step + 1))).collect())
}

fn bare(files: &[SourceFile]) -> Duration {
    let began = Instant::now();
    for file in files {
        drop(KdlDocument::parse_v2(&file.text).unwrap());
    }
    began.elapsed()
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The time that this process spent computing so far, on all cores: what others do on the machine does not count.
fn computed() -> Duration {
    let status = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = status.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Duration::from_millis(ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}

/// The most memory that this process ever held, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let (mut before, mut rows) = (None, Vec::new());
    for services in SIZES {
        let files = project(services);
        let (took, steps) = measure(&files);
        rows.push((files, took, steps, peak()));
    }
    // The bare parse comes last: what it holds is not to count.
    println!(
        "{:>8} {:>7} {:>6}  {:>9} {:>7} {:>7} {:>7}  {:>9} {:>9}  {:>8}",
        "services", "lines", "MB", "load", "growth", "MB/s", "cpu", "bare kdl", "over bare", "peak"
    );
    for (services, (files, took, _, peak)) in SIZES.into_iter().zip(&rows) {
        let lines: usize = files.iter().map(|file| file.text.lines().count()).sum();
        let megabytes = files.iter().map(|file| file.text.len()).sum::<usize>() as f64 / 1e6;
        let clock = took.clock.as_secs_f64();
        let parse = bare(files).as_secs_f64();
        let growth = before.map(|before: f64| format!("{:.1}x", clock / before));
        before = Some(clock);
        println!(
            "{services:>8} {lines:>7} {megabytes:>6.1}  {:>7.0}ms {:>7} {:>7.1} {:>5}ms  {:>7.0}ms {:>9.3}  {peak:>5}MiB",
            clock * 1_000.0,
            growth.unwrap_or_default(),
            megabytes / clock,
            took.computed.as_millis(),
            parse * 1_000.0,
            clock / parse,
        );
    }
    let (files, took, steps, peak) = rows.last().unwrap();
    println!("at {} services:", SIZES[SIZES.len() - 1]);
    for (step, Took { clock, computed }) in steps {
        let name = format!("{step:?}").to_lowercase();
        println!("{name:>8} {:>5}ms by the clock, {:>5}ms of computing", clock.as_millis(), computed.as_millis());
    }
    println!(
        "budget at {} services: {:.2} of {} s, {:.2} of {MEMORY} MiB; goal over bare: at most {OVER_BARE}",
        SIZES[SIZES.len() - 1],
        took.clock.as_secs_f64() / BUDGET.as_secs_f64(),
        BUDGET.as_secs(),
        *peak as f64 / MEMORY as f64,
    );
    let unused = unused(files);
    if !unused.is_empty() {
        println!("fields that no generated file uses: {}", unused.join(", "));
    }
}
