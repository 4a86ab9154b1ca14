//! `wharf plan`: holds only what can look.

use crate::{
    arguments::{PlanFormat, Shared},
    exit::Exit,
    fault::{Ends, Fault},
    out,
    project::{Project, Secrets, Told},
    site,
};
use std::path::Path;
use wharf_plan::Plan;
use wharf_report::{Layout, Since, html, markdown, svg, terminal, warn};

pub(super) async fn run(
    shared: &Shared,
    detailed_exitcode: bool,
    since: Option<&Path>,
    format: PlanFormat,
) -> Ends<Exit> {
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
    show(&plan, since, format)?;
    Ok(if detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Done })
}

fn show(plan: &Plan, since: Option<&Path>, format: PlanFormat) -> Ends<()> {
    let since = since.map(|file| compare(file, plan)).transpose()?;
    let since = since.as_ref();
    match format {
        PlanFormat::Human => out::result(terminal(plan, since, Layout { width: out::width() })),
        PlanFormat::Json => out::bytes((plan.json() + "\n").as_bytes()),
        PlanFormat::Markdown => out::bytes(markdown(plan, since).as_bytes()),
        PlanFormat::Svg => out::bytes(svg(plan).as_bytes()),
        PlanFormat::Html => out::bytes(html(plan, since).as_bytes()),
    }
    Ok(())
}

fn compare(file: &Path, plan: &Plan) -> Ends<Since> {
    let failed = format!("cannot compare with {}", file.display());
    let earlier = std::fs::read_to_string(file).map_err(|cause| Fault::new(&failed).because(cause))?;
    let help = "`wharf plan --format json` prints a plan that can be compared with";
    Since::between(&earlier, plan).map_err(|cause| Fault::new(&failed).because(cause).help(help))
}
