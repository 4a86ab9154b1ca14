//! `wharf plan`: holds only what can look.

use crate::{
    arguments::{Format, Shared},
    exit::Exit,
    fault::Ends,
    out,
    project::{Project, Secrets, Told},
    site,
};
use wharf_report::{Layout, warn};

pub(super) async fn run(shared: &Shared, detailed_exitcode: bool, format: Format) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Needed, Told::All)?;
    let record = site::record(&project);
    let (standing, key) = (record.read()?, record.key()?);
    if !standing.unresolved.is_empty() {
        let open = standing.unresolved.len();
        out::note(format!(
            "{} an earlier apply did not finish; {open} calls are looked into by the next",
            warn("note:")
        ));
    }
    let runtime = site::reader(&project)?;
    let plan = site::make_plan(&project, &project.deployment, &standing.record, key.as_ref(), &runtime).await?;
    match format {
        Format::Human => out::result(wharf_report::terminal(&plan, None, Layout { width: out::width() })),
        Format::Json => out::result(format_args!("{}\n", plan.json())),
    }
    Ok(if detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Done })
}
