//! `wharf logs`: holds only what can look.

use crate::{
    arguments::Shared,
    exit::Exit,
    fault::{Ends, Fault},
    out,
    project::{Project, Secrets, Told},
    site,
};
use std::{collections::BTreeSet, time::Duration};
use wharf_model::ServiceName;
use wharf_provider::{LogCursor, LogLine, LogStream};
use wharf_report::{bad, dim, tame};

/// How often a follower looks for more.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn run(shared: &Shared, services: &[String], follow: bool, tail: usize) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let recorded = site::record(&project)?.read()?.record;
    let known =
        |name: &ServiceName| recorded.services.contains_key(name) || project.deployment.services.contains_key(name);
    let mut wanted = BTreeSet::new();
    for name in services {
        let parsed = name.parse::<ServiceName>().ok().filter(known);
        let unknown = || {
            let names: Vec<_> = project.deployment.services.keys().map(ToString::to_string).collect();
            Fault::new(format!("there is no service `{name}`")).help(format!("known are: {}", names.join(", ")))
        };
        wanted.insert(parsed.ok_or_else(unknown)?);
    }
    let runtime = site::reader(&project)?;
    let mut cursor = LogCursor::default();
    let mut limit = tail;
    loop {
        for line in runtime.logs(&wanted, &mut cursor, limit).await? {
            print(&line);
        }
        if !follow {
            return Ok(Exit::Done);
        }
        limit = usize::MAX;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn print(line: &LogLine) {
    let at = i64::try_from(line.at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let at = at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).unwrap_or_default();
    let mark = match line.stream {
        LogStream::Out => dim("│"),
        LogStream::Err => bad("│"),
    };
    // As its container is called.
    let rank = if line.rank == 0 { String::new() } else { format!(".{}", line.rank) };
    out::result(format_args!("{} {}{rank} {mark} {}\n", dim(at), line.instance, tame(&line.text)));
}
