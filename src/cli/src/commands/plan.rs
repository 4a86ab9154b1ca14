//! `wharf plan`: holds only what can look.

use crate::{
    arguments::{PlanFormat, Select, Shared},
    exit::Exit,
    fault::{Ends, Fault},
    notify, out,
    project::{Project, Secrets, Told},
    site,
};
use std::{
    io::Write,
    path::{Path, PathBuf},
};
use wharf_plan::{Plan, Ruling};
use wharf_report::{Layout, Since, html, markdown, svg, terminal, warn};

/// What was asked for.
pub(super) struct Wanted {
    pub(super) detailed_exitcode: bool,
    pub(super) out: Option<PathBuf>,
    pub(super) select: Select,
    pub(super) since: Option<PathBuf>,
    pub(super) format: PlanFormat,
}

pub(super) async fn run(shared: &Shared, wanted: &Wanted) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Needed, Told::All)?;
    let record = site::record(&project)?;
    let (standing, key) = (record.read()?, record.key()?);
    if !standing.unresolved.is_empty() {
        let open = standing.unresolved.len();
        out::note(format!(
            "{} an earlier apply did not finish; {open} calls are looked into by the next",
            warn("note:")
        ));
    }
    let selection = site::selection(&wanted.select, &project.deployment, &standing.record)?;
    let runtime = site::reader(&project)?;
    let plan = site::make_plan(&project, &project.deployment, &standing.record, key.as_ref(), &*runtime).await?;
    let plan = plan.select(&selection);
    if let Some(file) = &wanted.out {
        save(file, &plan.clone().made_from(project.digests()))?;
    }
    show(&plan, wanted.since.as_deref(), wanted.format)?;
    if let (Some(told), false, PlanFormat::Human) =
        (notify::mention(&project.deployment), plan.is_empty(), wanted.format)
    {
        out::note(format!("\n{told}"));
    }
    if let Some(file) = &wanted.out {
        out::note(format!("\nSaved. `wharf apply {}` carries out this plan and no other.", file.display()));
    }
    if plan.verdicts().iter().any(|verdict| verdict.ruling == Ruling::Refused) {
        return Ok(Exit::Refused);
    }
    Ok(if wanted.detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Done })
}

/// Writes the plan beside its place and moves it there, so that nobody reads half of it.
fn save(file: &Path, plan: &Plan) -> Ends<()> {
    let failed = |cause| Fault::new(format!("cannot write the plan to {}", file.display())).because(cause);
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let write = || {
        let mut new = std::fs::File::create(&beside)?;
        new.write_all(plan.json().as_bytes())?;
        new.write_all(b"\n")?;
        new.sync_all()?;
        std::fs::rename(&beside, file)
    };
    write().map_err(failed)
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
