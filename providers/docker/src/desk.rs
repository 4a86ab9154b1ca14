//! The desk of a gateway: a process in the gateway's container that answers whoever runs wharf, over its standard input
//! and output. So an engine on another machine needs no port but its own, and whoever looks is where the instances are.
//!
//! In a supervisor's container it answers for the supervisor. It ends with its input. It decides nothing: what it is asked,
//! it asks the gateway, the files and the instances.

use crate::{
    book,
    format::{Ask, CONFIG, GatewayLabels, HEALTH, Heard, LABELS, ProbeOrder, Reply, STATE, Seen},
};
use serde::de::DeserializeOwned;
use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    task::JoinSet,
};
use wharf_gateway::{Client, Config, ControlError, Status};

/// Answers until nobody asks any more.
pub(crate) async fn sit() -> io::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut out = tokio::io::stdout();
    while let Some(line) = lines.next_line().await? {
        let reply = match serde_json::from_str(&line) {
            Ok(ask) => match unreadable(Path::new(CONFIG)) {
                None => answer(ask).await,
                Some(why) => Reply::Failed { why },
            },
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
            let (health, marks) = (book::look(Path::new(HEALTH)), book::marks(Path::new(HEALTH)));
            let release = Some(wharf_gateway::release().to_owned());
            let (config, labels) = (stored(CONFIG), stored(LABELS));
            Reply::Seen(Box::new(Seen { status, config, labels, heard, health, marks, release }))
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

/// Why the configuration that is there cannot be read. It must not be taken for none: what is made from that is an outage.
fn unreadable(path: &Path) -> Option<String> {
    let why = match fs::read(path) {
        Ok(text) => serde_json::from_slice::<Config>(&text).err()?.to_string(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => error.to_string(),
    };
    Some(format!("cannot read {}: {why}", path.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_that_cannot_be_read_is_not_taken_for_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        assert_eq!(unreadable(&path), None);
        let mut config = serde_json::to_value(Config::empty()).unwrap();
        fs::write(&path, config.to_string()).unwrap();
        assert_eq!(unreadable(&path), None);
        config["newer"] = 1.into();
        fs::write(&path, config.to_string()).unwrap();
        assert!(unreadable(&path).unwrap().contains("unknown field `newer`"));
    }
}
