//! The desk of a gateway: a process in the gateway's container that answers whoever runs wharf, over its standard input
//! and output. So an engine on another machine needs no port but its own, and whoever looks is where the instances are.
//!
//! It ends with its input. It decides nothing: what it is asked, it asks the gateway, the files and the instances.

use crate::format::{Ask, CONFIG, GatewayLabels, Heard, LABELS, ProbeOrder, Reply, STATE, Seen};
use serde::de::DeserializeOwned;
use std::{
    ffi::OsString,
    fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    task::JoinSet,
};
use wharf_gateway::{Client, Config, ControlError, Status};

/// The arguments that make a desk.
pub(crate) const ROLE: [&str; 2] = ["role", "desk"];

/// Plays the desk of a gateway if the arguments, with the program's name before them, ask for it; `None` when they do
/// not. The binary calls this first of all, and returns what it answers.
pub fn play_role(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let arguments: Vec<_> = arguments.into_iter().skip(1).collect();
    if arguments != ROLE {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let sat = runtime.and_then(|runtime| {
        let sat = runtime.block_on(sit());
        // A reader of standard input cannot be stopped, and need not be waited for.
        runtime.shutdown_background();
        sat
    });
    Some(match sat {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever asked has gone if this cannot be written.
            drop(writeln!(io::stderr(), "the desk ended: {error}"));
            ExitCode::FAILURE
        }
    })
}

async fn sit() -> io::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut out = tokio::io::stdout();
    while let Some(line) = lines.next_line().await? {
        let reply = match serde_json::from_str(&line) {
            Ok(ask) => answer(ask).await,
            Err(error) => Reply::Failed { why: format!("not understood: {error}") },
        };
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        out.write_all(&line).await?;
        out.flush().await?;
    }
    Ok(())
}

async fn answer(ask: Ask) -> Reply {
    match ask {
        Ask::Look { probes } => {
            let (status, heard) = tokio::join!(status(), probe_all(probes));
            Reply::Seen(Box::new(Seen { status, config: stored(CONFIG), labels: stored(LABELS), heard }))
        }
        Ask::Replace { config } => replace(&config).await,
        Ask::Label { labels } => match keep(&labels) {
            Ok(()) => Reply::Done,
            Err(error) => Reply::Failed { why: format!("cannot write {LABELS}: {error}") },
        },
    }
}

async fn status() -> Option<Status> {
    Client::connect(Path::new(STATE)).await.ok()?.status().await.ok()
}

async fn replace(config: &Config) -> Reply {
    let asked = async { Client::connect(Path::new(STATE)).await?.replace(config).await };
    match asked.await {
        Ok(_) => Reply::Done,
        Err(ControlError::Refused { problems }) => Reply::Refused { problems },
        Err(error) => Reply::Failed { why: error.to_string() },
    }
}

/// Asks all at once.
pub(crate) async fn probe_all(orders: Vec<ProbeOrder>) -> Vec<Heard> {
    let mut probes = JoinSet::new();
    for ProbeOrder { name, address, question } in orders {
        probes.spawn(async move {
            let answer = wharf_gateway::probe(&question.check(), address, question.timeout()).await;
            Heard { name, passed: answer.passed(), words: answer.to_string() }
        });
    }
    let mut heard = Vec::new();
    while let Some(one) = probes.join_next().await {
        heard.extend(one.ok());
    }
    heard
}

fn stored<T: DeserializeOwned>(path: &str) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn keep(labels: &GatewayLabels) -> io::Result<()> {
    let beside = format!("{LABELS}.new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(&serde_json::to_vec(labels)?)?;
    file.sync_all()?;
    fs::rename(beside, LABELS)
}
