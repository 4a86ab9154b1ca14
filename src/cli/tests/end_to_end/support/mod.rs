//! What the tests stand on: a project in a folder of its own, the command, and an end that leaves nothing behind.

pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod nobody;
pub(crate) mod ports;
pub(crate) mod processes;

use age::{secrecy::ExposeSecret as _, x25519::Identity};
use processes::Process;
use rustix::process::{Pid, Signal};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    net::SocketAddr,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use wharf_bucket_server::{ACCESS_KEY, BUCKET, SECRET_KEY};

/// No command and no state is waited for longer than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a state that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// So often `status` may find an instance not ready before that is believed: it asks once, and machines are under load.
const LOOKS: usize = 3;

const PROGRAM: &str = include_str!("../../../src/starter/app.py");

/// The project of most tests: the starter's program, twice, with times as short as a busy machine allows.
const PROJECT: &str = r#"project "@NAME"

secret "hello-token" { file "secrets/hello-token" }

gateway "public" { listen @PORT }

service "hello" {
    command "python3" "/mnt/data/app.py"
    port 8000
    env { GREETING "one" }
    mount "/mnt/data" { folder "./app" read-only=#true }
    instances 2
    health {
        readiness { http "/health"; every "1s"; timeout "1s"; failures 5 }
    }
    rollout { min-ready "300ms"; deadline "30s" }
    shutdown { grace "10s" }
    auth { token (secret)"hello-token" }
    expose "public"
}
"#;

/// The token of [`PROJECT`].
pub(crate) const TOKEN: &str = "open-sesame";

/// A folder for one project. Whatever was started from it ends with it.
pub(crate) struct Site {
    root: TempDir,
    /// The project's folder.
    pub(crate) dir: PathBuf,
    /// A port for a gateway; the next one is free too.
    pub(crate) port: u16,
    /// The environment of every command.
    pub(crate) env: BTreeMap<String, String>,
}

impl Site {
    /// An empty folder of this name, so that `init` names the project so too: two projects at work at the same time
    /// must not share a name, since names lead to instances' ports.
    pub(crate) fn empty(name: &str) -> Self {
        // Short, and of one length on every host: paths show up in messages, and those are wrapped.
        let root = tempfile::Builder::new().prefix("wharf").rand_bytes(6).tempdir_in("/tmp").unwrap();
        let dir = root.path().join(name);
        let (home, temporary) = (root.path().join("home"), root.path().join("tmp"));
        for folder in [&dir, &home, &temporary] {
            fs::create_dir(folder).unwrap();
        }
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let env = [
            ("PATH", path().to_owned()),
            ("HOME", text(&home)),
            ("TMPDIR", text(&temporary)),
            ("USER", "tester".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("NO_COLOR", "1".to_owned()),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into();
        Self { root, dir, port: ports::two_free(), env }
    }

    /// A folder with [`PROJECT`] in it.
    pub(crate) fn hello(name: &str) -> Self {
        let site = Self::empty(name);
        site.write("wharf.kdl", &site.filled(&PROJECT.replace("@NAME", name)));
        site.write("app/app.py", PROGRAM);
        site.write("secrets/hello-token", TOKEN);
        site
    }

    /// The same with its record in the bucket of a server.
    pub(crate) fn in_bucket(name: &str, server: SocketAddr) -> Self {
        let mut site = Self::hello(name);
        let state = format!("state \"s3\" bucket=\"{BUCKET}\" prefix=\"{name}\" endpoint=\"http://{server}\"");
        site.write("where.kdl", &format!("environment \"default\" {{\n    provider \"local\"\n    {state}\n}}\n"));
        let keys = [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            // There is no such service where tests run, and whoever asks for it waits.
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("WHARF_LEASE_MS", "2000"),
        ];
        site.env.extend(keys.map(|(name, value)| (name.to_owned(), value.to_owned())));
        site
    }

    /// The same with its record encrypted there.
    pub(crate) fn in_encrypted_bucket(name: &str, server: SocketAddr) -> Self {
        let mut site = Self::in_bucket(name, server);
        let recipient = site.be_somebody("identity");
        site.encrypt_for(&recipient);
        site
    }

    /// Makes an identity, and has every command read as it. Answers its recipient.
    pub(crate) fn be_somebody(&mut self, file: &str) -> String {
        let (path, identity) = (self.root().join(file), Identity::generate());
        fs::write(&path, identity.to_string().expose_secret()).unwrap();
        self.env.insert("WHARF_IDENTITY".to_owned(), path.to_str().unwrap().to_owned());
        identity.to_public().to_string()
    }

    /// Has the files say that the record in their bucket is encrypted.
    pub(crate) fn encrypt_for(&self, recipient: &str) {
        let file = fs::read_to_string(self.dir.join("where.kdl")).unwrap();
        let encrypt = format!("\" {{ encrypt age recipient=\"{recipient}\" }}\n}}");
        self.write("where.kdl", &file.replace("\"\n}", &encrypt));
    }

    /// The folder above the project's, which every process and path of this site names.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// A text with the site's ports filled in. The marks are as long as a port, so columns stay as they are.
    pub(crate) fn filled(&self, text: &str) -> String {
        text.replace("@PORT", &self.port.to_string()).replace("@NEXT", &(self.port + 1).to_string())
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Changes a file of the project; `old` must stand there once.
    pub(crate) fn replace(&self, file: &str, old: &str, new: &str) {
        let path = self.dir.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(old).count(), 1, "{file} must hold {old:?} once:\n{text}");
        fs::write(path, text.replacen(old, new, 1)).unwrap();
    }

    /// A command of wharf in the project's folder.
    pub(crate) fn wharf(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.args(arguments).env_clear().envs(&self.env).current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    /// A copy of wharf that says of itself that it is an earlier release.
    pub(crate) fn earlier(&self) -> PathBuf {
        let (mark, other) = (format!("wharf-release={}", env!("CARGO_PKG_VERSION")), "wharf-release=0.0.9");
        assert_eq!(mark.len(), other.len(), "the copy is to be as long");
        let mut bytes = fs::read(env!("CARGO_BIN_EXE_wharf")).unwrap();
        let at: Vec<_> = (0..bytes.len() - mark.len()).filter(|at| bytes[*at..].starts_with(mark.as_bytes())).collect();
        assert!(!at.is_empty(), "the program does not say which release it is");
        at.into_iter().for_each(|at| bytes[at..at + mark.len()].copy_from_slice(other.as_bytes()));
        let program = self.root().join("wharf");
        fs::write(&program, bytes).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        program
    }

    /// Runs a command of another wharf, which must succeed.
    pub(crate) fn done_by(&self, program: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(&self.env).current_dir(&self.dir).stdin(Stdio::null());
        let ran = Running::start(&mut command).end();
        assert_eq!(ran.code, 0, "{} {}\n{}", program.display(), arguments.join(" "), ran.said);
        ran.said
    }

    /// Runs a command of wharf to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Running::start(&mut self.wharf(arguments)).end()
    }

    /// Runs a command of wharf that must succeed, and answers what it said.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "wharf {}\n{}", arguments.join(" "), ran.said);
        ran.said
    }

    /// Every process that was started from this site and lives.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes::of(self.root())
    }

    /// `wharf status` for programs.
    pub(crate) fn status(&self) -> Value {
        let said = self.done(&["status", "--format", "json"]);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// The names of the instances that status shows, with their states.
    pub(crate) fn instances(&self) -> BTreeMap<String, String> {
        let mut looks = (0..LOOKS).map(|_| self.look());
        let unready = |found: &BTreeMap<String, String>| found.values().any(|state| state == "not ready");
        let first = looks.next().unwrap();
        if unready(&first) { looks.find(|found| !unready(found)).unwrap_or(first) } else { first }
    }

    fn look(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let status = self.status();
        let services = status["services"].as_array().unwrap().iter();
        let instances = services.flat_map(|service| service["instances"].as_array().unwrap());
        instances.map(|instance| (text(&instance["name"]), text(&instance["state"]))).collect()
    }

    /// The folder of the gateway that runs.
    pub(crate) fn gateway(&self) -> PathBuf {
        let guard = self.processes().into_iter().find(|process| process.command.contains(" gateway --dir ")).unwrap();
        guard.words().last().unwrap().into()
    }

    /// How many lines the newest journal has, and of which apply it is.
    pub(crate) fn journal(&self) -> (String, usize) {
        let folder = self.dir.join(".wharf/default/journal");
        let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        let Some(newest) = entries.max() else { return (String::new(), 0) };
        let lines = fs::read(&newest).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
        (newest.file_name().unwrap().to_str().unwrap().to_owned(), lines)
    }

    /// What holds after every apply that went well: two instances of the service, all ready, no process beyond them,
    /// and nothing left to do.
    pub(crate) fn assert_settled(&self, note: &str) {
        let instances = self.instances();
        assert!(instances.len() == 2 && instances.values().all(|state| state == "ready"), "{note}: {instances:?}");
        let processes = self.processes();
        let supervisors = processes.iter().filter(|process| process.has_role("supervise")).count();
        let inits: Vec<_> = processes.iter().filter(|process| process.has_role("init")).collect();
        let gateways = processes.iter().filter(|process| process.command.contains(" gateway --dir ")).count();
        let guarded = processes.iter().filter(|process| process.command.contains(" gateway --unguarded ")).count();
        let programs = processes.iter().filter(|process| process.command.contains("app.py")).count();
        // Each first process stands below its life, which makes its namespace.
        let expected = (2, 2, 1, 1, 2, 10);
        let found = (supervisors, inits.len(), gateways, guarded, programs, processes.len());
        assert_eq!(found, expected, "{note}: {processes:#?}");
        for init in inits {
            let name = init.words().last().unwrap();
            assert!(instances.contains_key(name), "{note}: {name} runs, but status has {instances:?}");
        }
        let plan = self.run(&["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, 0, "{note}: the plan must be empty\n{}", plan.said);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let destroy = Running::start(&mut self.wharf(&["destroy", "--yes", "-q"]));
        drop(destroy.end_within(Duration::from_secs(20)));
        for process in self.processes() {
            process.signal(Signal::KILL);
        }
    }
}

/// The caller's path, led by the folder of the Python that it leads to: shims take their time.
pub(crate) fn path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let given = std::env::var("PATH").unwrap();
        let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        let python = PathBuf::from(String::from_utf8(asked.expect("the tests run Python programs").stdout).unwrap());
        python.parent().map_or(given.clone(), |folder| format!("{}:{given}", folder.display()))
    })
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// What a shell would say: 128 and the signal for a process that one has ended.
    pub(crate) code: i32,
    /// Both streams, in the order of writing.
    pub(crate) said: String,
}

/// A command that runs. Killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    said: mpsc::Receiver<String>,
    name: String,
}

impl Running {
    /// Starts it, both streams into one.
    pub(crate) fn start(command: &mut Command) -> Self {
        let (mut reader, writer) = std::io::pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let name = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        // The command keeps its own ends of the pipe, which would never end otherwise.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let (tell, said) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // The test that waits for this sees the rest.
            drop(reader.read_to_end(&mut bytes));
            drop(tell.send(String::from_utf8_lossy(&bytes).into_owned()));
        });
        Self { child, said, name }
    }

    /// Sends it a signal, unless it has ended.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if !self.has_ended() {
            rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
        }
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Ran {
        let name = self.name.clone();
        self.end_within(PATIENCE).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    fn end_within(mut self, patience: Duration) -> Result<Ran, String> {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begin.elapsed() > patience {
                return Err(format!("still runs after {patience:?}"));
            }
            thread::sleep(LOOK_EVERY);
        };
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
        // What outlives the command must have let go of its output, or a pipeline would wait for ever.
        let said = self.said.recv_timeout(patience).map_err(|_| "something holds on to its output".to_owned())?;
        Ok(Ran { code, said })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it has ended there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits until `look` finds something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut look: impl FnMut() -> bool) {
    eventually(what, || look().then_some(()));
}
