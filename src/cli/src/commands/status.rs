//! `wharf status`: holds only what can look.

use crate::{
    arguments::{Format, Shared},
    exit::Exit,
    fault::Ends,
    out,
    project::{Project, Secrets, Told},
    site,
};
use std::collections::BTreeSet;
use wharf_provider::Scope;
use wharf_report::{StatusInput, status, status_json};

pub(super) async fn run(shared: &Shared, format: Format) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let recorded = site::record(&project)?.read()?.record;
    let runtime = site::reader(&project)?;
    let observed = runtime.observe(&Scope { services: None, probe: true, sources: BTreeSet::new() }).await?;
    let input = StatusInput {
        project: &project.deployment.project,
        environment: &project.deployment.environment,
        provider: runtime.capabilities().provider(),
        recorded: &recorded,
        observed: &observed,
        now: site::now(),
    };
    match format {
        Format::Human => out::result(status(&input)),
        Format::Json => out::result(format_args!("{:#}\n", status_json(&input))),
    }
    Ok(Exit::Done)
}
