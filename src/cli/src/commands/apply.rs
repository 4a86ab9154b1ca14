//! `wharf apply`

use super::carry_out::{Reviewed, Work, carry_out};
use crate::{
    arguments::{Select, Shared, View},
    exit::Exit,
    fault::{Ends, Fault},
    out,
    project::{Project, Secrets, Told},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use wharf_model::Deployment;
use wharf_plan::SavedPlan;
use wharf_report::{bold, dim};

/// What was asked for.
pub(super) struct Wanted {
    pub(super) plan: Option<PathBuf>,
    pub(super) expect_plan: Option<String>,
    pub(super) approve: Vec<String>,
    pub(super) yes: bool,
    pub(super) select: Select,
    pub(super) wait: Duration,
    pub(super) view: View,
}

pub(super) async fn run(shared: &Shared, wanted: &Wanted) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Needed, Told::All)?;
    let desired = project.deployment.clone();
    let reviewed = match (&wanted.plan, &wanted.expect_plan) {
        (Some(file), _) => Reviewed::Saved(Box::new(read(file)?)),
        (None, Some(id)) => Reviewed::Id(id),
        (None, None) => Reviewed::Nothing,
    };
    let work = Work {
        project: &project,
        desired: &desired,
        doing: "apply",
        yes: wanted.yes,
        select: Some(&wanted.select),
        reviewed,
        approved: &wanted.approve,
        wait: wanted.wait,
        view: &wanted.view,
    };
    let (exit, _) = carry_out(work).await?;
    if exit == Exit::Done {
        for (name, spec) in &desired.services {
            for gateway in spec.exposes.keys().filter_map(|gateway| desired.gateways.get(gateway)) {
                let address = std::net::SocketAddr::new(gateway.address, gateway.port);
                let url = format!("http://{address}{}/", Deployment::path_of(name, spec));
                out::note(format!("{} {url}   {}", bold(name), dim(format!("try: wharf invoke {name}"))));
            }
        }
    }
    Ok(exit)
}

fn read(file: &Path) -> Ends<SavedPlan> {
    let unreadable = |cause| Fault::new(format!("cannot read the plan {}", file.display())).because(cause);
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    let unfit = |cause| {
        let fault = Fault::new(format!("{} cannot be carried out", file.display())).because(cause);
        fault.help("`wharf plan --out FILE` saves a plan; a plan that was edited is refused")
    };
    SavedPlan::read(&text).map_err(unfit)
}
