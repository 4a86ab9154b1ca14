//! `wharf drift`: holds only what can look.

use crate::{
    arguments::{DriftFormat, Shared},
    exit::Exit,
    fault::{Ends, Fault},
    out,
    project::{Project, Secrets, Told},
    site,
};
use std::{collections::BTreeSet, fs, io, path::Path};
use wharf_lang::edited;
use wharf_plan::drift::{Drift, DriftInput, Former, drift};
use wharf_provider::Scope;
use wharf_report::{EditedFile, Layout, drift_markdown, drift_prometheus, drift_sarif, warn};

pub(super) async fn run(shared: &Shared, format: DriftFormat, since: Option<&Path>) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let standing = site::record(&project)?.read()?;
    if !standing.unresolved.is_empty() {
        out::note(format!("{} an earlier apply did not finish; the next one looks into it", warn("note:")));
    }
    let former = since.map(|path| former(path, &project)).transpose()?.unwrap_or_default();
    let runtime = site::reader(&project)?;
    let observed = runtime.observe(&Scope { services: None, probe: true, sources: BTreeSet::new() }).await?;
    let found = drift(&DriftInput {
        files: &project.deployment,
        capabilities: runtime.capabilities(),
        recorded: &standing.record,
        observed: &observed,
        former: &former,
        now: site::now(),
    });
    print(&found, &accepting(&project, &found), format);
    Ok(match (found.expired.is_empty(), found.is_none()) {
        (false, _) => Exit::Error,
        (true, false) => Exit::Changes,
        (true, true) => Exit::Done,
    })
}

/// The report of an earlier look. One that is not there yet is that of the first run in a pipeline.
fn former(path: &Path, project: &Project) -> Ends<Former> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            out::note(format!("{} there is no report {} yet: every finding is new", warn("note:"), path.display()));
            return Ok(Former::default());
        }
        Err(cause) => return Err(Fault::new(format!("cannot read {}", path.display())).because(cause)),
    };
    let (name, environment) = (&project.deployment.project, &project.deployment.environment);
    Former::read(&text, name.as_str(), environment.as_str()).map_err(|cause| {
        let fault = Fault::new(format!("cannot tell ages from {}", path.display())).because(cause);
        fault.help("give it what `wharf drift --format json` printed about this environment before")
    })
}

/// The project's files as they would accept what is there.
fn accepting(project: &Project, found: &Drift) -> Vec<EditedFile> {
    let edits: Vec<_> = found.findings.iter().flat_map(|finding| finding.accept.iter().flatten().cloned()).collect();
    let files = edited(&project.files, &edits).into_iter();
    files.map(|(file, after)| EditedFile { name: file.name.clone(), before: file.text.clone(), after }).collect()
}

fn print(found: &Drift, accepting: &[EditedFile], format: DriftFormat) {
    match format {
        DriftFormat::Human => out::result(wharf_report::drift(found, accepting, Layout { width: out::width() })),
        DriftFormat::Json => out::result(found.json() + "\n"),
        DriftFormat::Markdown => out::result(drift_markdown(found, accepting)),
        DriftFormat::Sarif => out::result(drift_sarif(found, env!("CARGO_PKG_VERSION"))),
        DriftFormat::Prometheus => out::result(drift_prometheus(found)),
    }
}
