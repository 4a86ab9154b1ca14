//! `wharf top`: holds only what can look.

use crate::{
    arguments::Shared,
    exit::Exit,
    fault::Ends,
    out,
    project::{Project, Secrets, Told},
    site,
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use wharf_provider::Scope;
use wharf_report::{StatusInput, TopInput, top};

/// Shows the traffic between two looks: on a terminal again and again until Ctrl-C, elsewhere once.
pub(super) async fn run(shared: &Shared, every: Duration) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let runtime = site::reader(&project)?;
    let scope = Scope { services: None, probe: true, sources: BTreeSet::new() };
    let (mut at, mut before) = (Instant::now(), runtime.observe(&scope).await?);
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
            () = tokio::time::sleep(every) => {}
        }
        let observed = runtime.observe(&scope).await?;
        let recorded = site::record(&project)?.read()?.record;
        let now = StatusInput {
            project: &project.deployment.project,
            environment: &project.deployment.environment,
            provider: runtime.capabilities().provider(),
            recorded: &recorded,
            observed: &observed,
            now: site::now(),
        };
        let told = top(&TopInput { now, before: &before, elapsed: at.elapsed() });
        if !out::shows() {
            out::result(told);
            return Ok(Exit::Done);
        }
        out::anew(told);
        (at, before) = (Instant::now(), observed);
    }
}
