//! `wharf validate`

use crate::{
    arguments::Shared,
    exit::Exit,
    fault::Ends,
    out,
    project::{Project, Secrets, Told},
};
use wharf_report::good;

pub(super) fn run(shared: &Shared) -> Ends<Exit> {
    let Project { deployment, files, .. } = Project::load(shared, Secrets::Needed, Told::All)?;
    let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    out::result(format_args!(
        "{} project {} is valid in {}: {} and {} in {}.\n",
        good("✓"),
        deployment.project,
        deployment.environment,
        many(deployment.services.len(), "service"),
        many(deployment.gateways.len(), "gateway"),
        many(files.len(), "file"),
    ));
    Ok(Exit::Done)
}
