//! `wharf validate`

use crate::{
    arguments::{Shared, ValidateFormat},
    exit::Exit,
    fault::Ends,
    out,
    project::{self, Project, Secrets, Told},
};
use wharf_lang::{Problems, problems_github, problems_json, problems_sarif};
use wharf_report::good;

pub(super) fn run(shared: &Shared, format: ValidateFormat) -> Ends<Exit> {
    let project = Project::load_showing(shared, Secrets::Needed, |problems| match machine(shared, format, problems) {
        Some(page) => out::result(page),
        None => project::show(problems, Told::All),
    })?;
    if format == ValidateFormat::Human {
        summary(&project);
    }
    Ok(Exit::Done)
}

/// The problems in a format for machines, also when there is none.
fn machine(shared: &Shared, format: ValidateFormat, problems: &Problems) -> Option<String> {
    let folder = shared.dir.to_string_lossy();
    Some(match format {
        ValidateFormat::Human => return None,
        ValidateFormat::Json => problems_json(problems, &folder),
        ValidateFormat::Sarif => problems_sarif(problems, &folder, env!("CARGO_PKG_VERSION")),
        ValidateFormat::Github => problems_github(problems, &folder),
    })
}

fn summary(project: &Project) {
    let Project { deployment, files, .. } = project;
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
}
