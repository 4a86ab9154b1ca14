//! `wharf destroy`: an apply of a project that declares nothing.

use super::carry_out::{Reviewed, Work, carry_out};
use crate::{
    arguments::{self, View},
    exit::Exit,
    fault::Ends,
    project::{Project, Secrets, Told},
};
use std::time::Duration;
use wharf_model::{Deployment, Shared};

pub(super) async fn run(
    shared: &arguments::Shared,
    yes: bool,
    approve: &[String],
    wait: Duration,
    view: &View,
) -> Ends<Exit> {
    // What instances wrote may have to go back to a bucket.
    let project = Project::load(shared, Secrets::Sought, Told::Errors)?;
    let mut desired: Deployment = project.deployment.clone();
    desired.services.clear();
    desired.gateways.clear();
    desired.shared = Shared::default();
    desired.renamed.clear();
    let work = Work {
        project: &project,
        desired: &desired,
        doing: "destroy",
        yes,
        select: None,
        reviewed: Reviewed::Nothing,
        approved: approve,
        wait,
        view,
    };
    let (exit, runtime) = carry_out(work).await?;
    if exit == Exit::Done {
        runtime.clean_up().await?;
    }
    Ok(exit)
}
