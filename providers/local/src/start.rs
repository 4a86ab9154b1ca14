//! Starting an instance: labels first, durably, then a supervisor that gets the lock before it hears what to run. So
//! whatever cuts a start off, what is left says whose it is and whether anything ever ran.

use crate::{
    clock,
    error::{disk, off_the_loop},
    files,
    format::{Document, Refuser, Word},
    instance::{self, Life},
    labels::{OfInstance, Question},
    launch::{self, Surroundings, place_of},
    layout::InstanceFolder,
    lock::Lock,
    port::{self, Reservation},
    provider::Local,
    roles, weights, writable,
};
use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{ChildStdout, Command},
};
use wharf_model::{ContentRef, InstanceId, Launch};
use wharf_provider::{OpContext, ProviderError};

/// How long a supervisor may take for each of its words.
const PATIENCE: Duration = Duration::from_secs(30);

/// What may be needed to let an ordinary user have namespaces.
const NAMESPACES: &str = "let the kernel give processes namespaces of their own: `sysctl kernel.unprivileged_userns_clone=1`, \
    on Ubuntu `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, and `user.max_user_namespaces` above 0; or run \
    wharf as root; in a container, start that with `--security-opt seccomp=unconfined --cap-add SYS_ADMIN`";

/// What may be needed to let somebody hold memory.
const MEMORY: &str = "let the user who runs wharf hold as much memory: `ulimit -l unlimited`, `LimitMEMLOCK=infinity` in a \
    unit; in a container, start that with `--ulimit memlock=-1` or `--cap-add IPC_LOCK`";

/// Starts the instance and tells where it is to listen. One that was started before, and may have ended since, is left
/// as it is.
pub(crate) async fn start(local: &Local, launch: &Launch, cx: &OpContext) -> Result<SocketAddr, ProviderError> {
    let folder = local.layout.instance(&launch.instance);
    if let Some(endpoint) = standing(local, launch, &folder).await? {
        return Ok(endpoint);
    }
    let surroundings = Surroundings {
        layout: &local.layout,
        copies: local.copies.root(),
        project: &local.project,
        environment: &local.environment,
        secrets: &cx.secrets,
        fuse: &local.fuse,
        vmtouch: local.vmtouch.as_deref(),
    };
    check_sources(launch, &surroundings)?;
    let document = |port| launch::document(launch, port, &surroundings);
    // A secret that is missing is found before anything is made.
    let wanted = document(0)?.weights;
    if let Some(wanted) = wanted {
        let launch = launch.clone();
        off_the_loop(move || weights::check(&launch, &wanted)).await?;
    }
    let (endpoint, port) = claim(local, launch, cx, &folder).await?;
    let started = async {
        writable::lay_out(&local.copies, launch, &folder).await?;
        run(&local.program, &folder, &document(endpoint.port())?, port, &launch.instance).await
    };
    if let Err(error) = started.await {
        // The first failure is the one to tell; a leftover is found by its labels.
        drop(files::unmake(folder.path()));
        return Err(error);
    }
    Ok(endpoint)
}

/// Where the instance listens if it was started already. Removes what a start that was cut off has left.
async fn standing(
    local: &Local,
    launch: &Launch,
    folder: &InstanceFolder,
) -> Result<Option<SocketAddr>, ProviderError> {
    let name = &launch.instance;
    let life = settled(folder, name).await?;
    if life == Life::NeverStarted {
        let attempt = format!("cannot remove what an earlier start of {name} has left");
        files::unmake(folder.path()).map_err(disk(attempt))?;
        return Ok(None);
    }
    match OfInstance::read(&folder.labels(), name, &local.owner) {
        Some(labels) if labels.revision == launch.revision.number => Ok(Some(labels.endpoint)),
        _ => Err(ProviderError::Conflict {
            attempt: format!("cannot start {name}: there is another instance of this name"),
            help: format!("if nothing needs it, stop it: kill its processes and remove {}", folder.path().display()),
        }),
    }
}

/// How far the instance got, once it is past the moment between.
pub(crate) async fn settled(folder: &InstanceFolder, name: &InstanceId) -> Result<Life, ProviderError> {
    let begin = Instant::now();
    loop {
        let life = instance::life(folder).map_err(disk(format!("cannot look at {name}")))?;
        if life != Life::Starting {
            return Ok(life);
        }
        if begin.elapsed() > PATIENCE {
            let attempt = format!("an earlier start of {name} comes to no end");
            return Err(ProviderError::Unreachable { attempt, retry_after: None, source: None });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that the instance is to see must be there.
fn check_sources(launch: &Launch, around: &Surroundings<'_>) -> Result<(), ProviderError> {
    let name = &launch.instance;
    for content in launch.revision.contents() {
        if !around.layout.content(content).exists() {
            let what = match content {
                ContentRef::Folder(_) => "the snapshot of a folder",
                ContentRef::Packages(_) => "its libraries",
                ContentRef::Image(_) => "its image",
                ContentRef::Bucket(_) => "the copy of a folder of a bucket",
                ContentRef::Git(_) => "the copy of a repository",
                ContentRef::Part(_) => "the copy of a folder of an image",
            };
            let attempt = format!("cannot start {name}: {what} is not there ({content})");
            return Err(ProviderError::Missing { attempt, help: "apply again: it will be prepared again".to_owned() });
        }
    }
    let live = launch.mounts().filter(|(_, _, content)| content.is_none());
    for (path, mount, _) in live {
        let source = place_of(around.project, &mount.folder);
        if !source.is_dir() {
            let attempt = format!("cannot start {name}: there is no folder {} to mount at {path}", source.display());
            return Err(ProviderError::Missing { attempt, help: "create it, or correct the mount".to_owned() });
        }
    }
    Ok(())
}

/// Makes the folder with its labels, and so takes the port.
async fn claim(
    local: &Local,
    launch: &Launch,
    cx: &OpContext,
    folder: &InstanceFolder,
) -> Result<(SocketAddr, Reservation), ProviderError> {
    // Ports are taken by writing labels, so between a look at them and the writing nobody else may do the same.
    let _turn = local.ports.lock().await;
    let name = launch.instance.clone();
    let labels = OfInstance {
        owner: local.owner.clone(),
        instance: name.clone(),
        revision: launch.revision.number,
        fingerprint: Some(launch.revision.fingerprint()),
        operation: cx.operation.clone(),
        endpoint: (Ipv4Addr::LOCALHOST, 0).into(),
        made: clock::now(),
        question: Question::of(&launch.revision.template),
    };
    let (layout, folder) = (local.layout.clone(), folder.clone());
    let made = off_the_loop(move || {
        let taken = taken(&layout.instances(), &labels)?;
        let Some((port, held)) = port::choose(&labels.owner, &labels.instance, &taken, Reservation::of) else {
            return Ok(None);
        };
        let labels = OfInstance { endpoint: (Ipv4Addr::LOCALHOST, port).into(), ..labels };
        files::private_folder(&folder.work())?;
        files::private_folder(&folder.view())?;
        Lock::create(&folder.lock())?;
        labels.write(&folder.labels())?;
        files::sync_folder(&layout.instances())?;
        Ok(Some((labels.endpoint, held)))
    });
    made.await.map_err(disk(format!("cannot make the folder of {name}")))?.ok_or_else(|| ProviderError::Conflict {
        attempt: format!("cannot start {name}: no port from 20000 to 29999 is free"),
        help: "stop what uses them".to_owned(),
    })
}

/// The ports that the labels of instances name.
fn taken(instances: &Path, ours: &OfInstance) -> io::Result<BTreeSet<u16>> {
    let names = files::names(instances)?;
    let known = names.iter().filter_map(|name| {
        let folder = InstanceFolder::new(instances.join(name));
        Some(OfInstance::read(&folder.labels(), &name.parse().ok()?, &ours.owner)?.endpoint.port())
    });
    Ok(known.collect())
}

async fn run(
    program: &PathBuf,
    folder: &InstanceFolder,
    document: &Document,
    port: Reservation,
    name: &InstanceId,
) -> Result<(), ProviderError> {
    let attempt = || format!("cannot start {name}");
    let mut supervisor = Command::new(program)
        .args(roles::supervisor(folder.path()))
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // It says nothing there, and so can keep the port reserved for as long as it lives.
        .stderr(OwnedFd::from(port))
        .spawn()
        .map_err(disk(format!("{}: cannot run {}", attempt(), program.display())))?;
    let (Some(mut input), Some(output)) = (supervisor.stdin.take(), supervisor.stdout.take()) else {
        unreachable!("both were asked for");
    };
    let told = async {
        let mut words = BufReader::new(output).lines();
        expect_locked(&mut words, name).await?;
        let text = serde_json::to_vec(document).map_err(|error| disk(attempt())(error.into()))?;
        input.write_all(&text).await.map_err(disk(attempt()))?;
        drop(input);
        expect_started(&mut words, name).await
    };
    let started = told.await;
    if started.is_err() {
        // It is our own child and not waited for yet, so its id is still its own; what it started dies with it.
        drop(supervisor.kill().await);
    }
    started
}

async fn expect_locked(words: &mut Lines<BufReader<ChildStdout>>, name: &InstanceId) -> Result<(), ProviderError> {
    match hear(words, name).await? {
        Word::Locked => Ok(()),
        other => Err(out_of_order(name, &other)),
    }
}

async fn expect_started(words: &mut Lines<BufReader<ChildStdout>>, name: &InstanceId) -> Result<(), ProviderError> {
    match hear(words, name).await? {
        Word::Started => Ok(()),
        Word::Refused { refuser, attempt, why } => {
            let help = match refuser {
                Refuser::Kernel => NAMESPACES,
                Refuser::Client => {
                    "see that the server answers, lets these keys in and has such a folder; then apply again"
                }
                Refuser::Memory => MEMORY,
                Refuser::Files => "see that the user who runs wharf may read that, or mount elsewhere",
            };
            let attempt = format!("cannot start {name}: {attempt}");
            Err(ProviderError::Denied { attempt, help: help.to_owned(), source: Some(why.into()) })
        }
        other @ Word::Locked => Err(out_of_order(name, &other)),
    }
}

async fn hear(words: &mut Lines<BufReader<ChildStdout>>, name: &InstanceId) -> Result<Word, ProviderError> {
    let silent = |source: Option<io::Error>| ProviderError::Unreachable {
        attempt: format!("cannot start {name}: its supervisor ended or says nothing"),
        retry_after: None,
        source: source.map(Into::into),
    };
    match tokio::time::timeout(PATIENCE, words.next_line()).await {
        Ok(Ok(Some(line))) => serde_json::from_str(&line).map_err(|error| silent(Some(error.into()))),
        Ok(Ok(None)) | Err(_) => Err(silent(None)),
        Ok(Err(error)) => Err(silent(Some(error))),
    }
}

fn out_of_order(name: &InstanceId, word: &Word) -> ProviderError {
    ProviderError::Rejected {
        attempt: format!("cannot start {name}: its supervisor says {word:?} at the wrong moment"),
        help: "see that the program that runs wharf was not replaced while it runs".to_owned(),
        source: None,
    }
}
