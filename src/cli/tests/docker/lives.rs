//! P4 on an engine, at every boundary: the life of services whose instances are one container and several, in a network of
//! their own, with a program from a repository, a folder of a bucket and data.

use crate::{
    engine::{self, image},
    life::{APPLY, Chapter, DESTROY, Stage, lives},
    site::{ask, containers, example},
    support::{Site, http},
};
use bollard::query_parameters::ListVolumesOptions;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    process::Command,
    sync::LazyLock,
    time::{Duration, Instant},
};
use wharf_bucket_server::{ACCESS_KEY, Habit, SECRET_KEY, Server};

pub(crate) struct OnEngine(Site);

const PROJECT: &str = r#"project "@NAME"

secret "key-id" { env "KEY_ID" }
secret "key" { env "KEY" }

environment "default" { provider "docker" host="@HOST" }

network "inner"
gateway "public" { listen @PORT }

service "hello" {
    image "@IMAGE"
    command "python3" "/mnt/code/app.py"
    port 8000
    env { GREETING "one" }
    mount "/mnt/code" { git "https://git.example.com/repository" branch="main" }
    mount "/mnt/model" {
        oss "examplebucket/@NAME/" endpoint="@ENDPOINT" read-only=#true access-key=(secret)"key-id" secret-key=(secret)"key"
    }
    mount "/cache" { data }
    network "inner"
    instances 1
    health { readiness { http "/health"; every "1s" } }
    rollout { min-ready "100ms"; deadline "30s" }
    shutdown { grace "1s" }
    expose "public"
}
"#;

/// An instance of two containers.
const UNIT: &str = r#"
service "squares" {
    image "@IMAGE"
    command "python3" "/mnt/code/unit.py"
    port 8000
    env { GREETING "a unit" }
    mount "/mnt/code" { folder "./code" read-only=#true }
    unit size=2
    instances 1
    health { readiness { http "/health"; every "1s" } }
    rollout { min-ready "100ms"; deadline "30s" }
    shutdown { grace "1s" }
    expose "public"
}
"#;

/// The file of the service whose instance is two containers.
pub(crate) fn unit() -> String {
    UNIT.replace("@IMAGE", image::PYTHON)
}

/// What a person would see, without the numbers of incarnations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    chapter: &'static str,
    slots: BTreeMap<String, String>,
    /// What the services answer.
    answers: Vec<Option<String>>,
    /// The containers, with whether they run, and how many there are of each kind.
    containers: BTreeMap<(String, bool), usize>,
    volumes: usize,
    networks: BTreeSet<String>,
    plan: i32,
    drift: i32,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start(Habit::Honours));

fn git(site: &Site, words: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(site.root().join("repository"));
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(words);
    let done = git.output().unwrap();
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The program, and a commit with it.
fn commit(site: &Site, word: &str) {
    let program = fs::read_to_string(example("docker-quickstart").join("app/app.py")).unwrap();
    fs::write(site.root().join("repository/app.py"), format!("{program}\n# {word}\n")).unwrap();
    git(site, &["add", "."]);
    git(site, &["commit", "--quiet", "-m", word]);
}

fn name(site: &Site) -> String {
    site.dir.file_name().unwrap().to_str().unwrap().to_owned()
}

/// What is in the bucket's folder.
fn model(site: &Site, word: &str) {
    fs::write(SERVER.bucket("examplebucket").join(name(site)).join("model.bin"), word).unwrap();
}

/// A name of the engine without the project and the numbers: those of incarnations, and digests of contents.
fn kind(site: &Site, object: &str) -> String {
    let own = object.trim_start_matches(&format!("{}.default", name(site)));
    if own.starts_with(".content.") || own.starts_with(".object.") {
        return own.split('.').nth(1).unwrap().to_owned();
    }
    own.split('.').map(|part| part.trim_end_matches(|c: char| c.is_ascii_digit())).collect::<Vec<_>>().join(".")
}

impl Stage for OnEngine {
    type Shape = Shape;

    const LIFE: &'static [Chapter] = &[
        Chapter { name: "create all", write: |site| site.write("unit.kdl", &unit()), command: APPLY, ends: 0 },
        Chapter {
            name: "roll",
            write: |site| {
                site.replace("wharf.kdl", "\"one\"", "\"two\"");
                site.replace("unit.kdl", "\"a unit\"", "\"the next\"");
                commit(site, "two");
                model(site, "other weights");
            },
            command: APPLY,
            ends: 0,
        },
        Chapter {
            name: "roll back",
            write: |site| site.replace("unit.kdl", "/mnt/code/unit.py", "/mnt/code/nothing.py"),
            command: APPLY,
            ends: 6,
        },
        Chapter {
            name: "delete",
            write: |site| fs::remove_file(site.dir.join("unit.kdl")).unwrap(),
            command: APPLY,
            ends: 0,
        },
        Chapter { name: "destroy", write: |_| {}, command: DESTROY, ends: 0 },
    ];

    fn set(name: &str) -> Self {
        let mut site = Site::empty(name);
        fs::create_dir(site.root().join("repository")).unwrap();
        fs::create_dir_all(SERVER.bucket("examplebucket").join(name)).unwrap();
        let text = PROJECT.replace("@NAME", name).replace("@HOST", &engine::host()).replace("@IMAGE", image::PYTHON);
        // Whoever runs wharf has told git where that is.
        let elsewhere = format!("[url \"file://{}/\"]\ninsteadOf = https://git.example.com/\n", site.root().display());
        fs::write(site.root().join("home/.gitconfig"), elsewhere).unwrap();
        site.write("wharf.kdl", &site.filled(&text.replace("@ENDPOINT", &format!("http://{}", SERVER.address()))));
        let unit = example("distributed-unit").join("code/unit.py");
        site.write("code/unit.py", &fs::read_to_string(unit).unwrap());
        site.env.extend([("KEY_ID", ACCESS_KEY), ("KEY", SECRET_KEY)].map(|(name, key)| (name.into(), key.into())));
        git(&site, &["init", "--quiet", "--initial-branch=main"]);
        commit(&site, "one");
        model(&site, "weights");
        Self(site)
    }

    fn site(&self) -> &Site {
        &self.0
    }

    fn shape(&self, chapter: &Chapter) -> Shape {
        let Self(site) = self;
        let gone = chapter.is_the_last();
        let code = |arguments: &[&str]| if gone { 0 } else { site.run(arguments).code };
        let answer = |path: &str| {
            let answer = http::get(site.port, path, None).ok().filter(|answer| answer.status == 200)?;
            // Of which incarnation the instance is, is another matter.
            Some(answer.body.split("instance").next().unwrap().to_owned())
        };
        let mut kinds = BTreeMap::new();
        for (container, runs) in containers(&name(site)) {
            *kinds.entry((kind(site, &container), runs)).or_default() += 1;
        }
        let own = format!("{}.default", name(site));
        let volumes = ask(async |engine| engine.list_volumes(None::<ListVolumesOptions>).await.unwrap())
            .volumes
            .unwrap_or_default();
        let networks = ask(async |engine| engine.list_networks(None).await.unwrap());
        let networks = networks.into_iter().filter_map(|network| network.name);
        Shape {
            chapter: chapter.name,
            slots: site
                .instances()
                .into_iter()
                .map(|(name, state)| (name.rsplit_once("-g").unwrap().0.to_owned(), state))
                .collect(),
            answers: ["/api/predict/hello/", "/api/predict/squares/10"].map(answer).to_vec(),
            containers: kinds,
            volumes: volumes.iter().filter(|volume| volume.name.starts_with(&format!("{own}."))).count(),
            networks: networks.filter(|name| name.starts_with(&own)).map(|name| kind(site, &name)).collect(),
            plan: code(&["plan", "--detailed-exitcode"]),
            drift: code(&["drift"]),
        }
    }

    /// What `status` shows is there, and nothing else runs.
    fn assert_recorded(&self, _chapter: &Chapter, note: &str) {
        let Self(site) = self;
        let instances = site.instances();
        for (container, runs) in containers(&name(site)) {
            let own = container.trim_start_matches(&format!("{}.default.", name(site))).to_owned();
            let stands = own.starts_with("content.") || own.starts_with("object.");
            assert_eq!(runs, !stands, "{note}: {container}");
            let instance = own.split('.').next().unwrap();
            assert!(
                stands || own.starts_with("gateway.") || instances.get(instance).is_some_and(|state| state == "ready"),
                "{note}: {container} runs, but status has {instances:?}"
            );
        }
    }
}

#[test]
fn a_life_on_an_engine_that_is_cut_off_here_and_there_ends_the_same() {
    let tally = lives::<OnEngine>("dk-some", [17, 38].into_iter(), 2);
    assert!(tally.failed.is_empty(), "{}", tally.told("docker"));
    assert!(tally.kills >= 5, "only {} were killed in time", tally.kills);
}

/// Whatever is not reached in time is told.
#[test]
#[ignore = "takes many minutes; `make kill-test` plays it"]
fn a_life_on_an_engine_that_is_cut_off_anywhere_ends_the_same() {
    let minutes = env::var("WHARF_KILL_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(25);
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let mut next = (1..).take_while(|at| {
        let goes_on = Instant::now() < end;
        if !goes_on {
            println!(
                "convergence on docker was tried before boundary {at} of each chapter alone: {minutes} min are over"
            );
        }
        goes_on
    });
    let tally = lives::<OnEngine>("dk-all", &mut next, 3);
    println!("{}", tally.told("docker"));
    assert_eq!(tally.failed, [0; 0]);
}
