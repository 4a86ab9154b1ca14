//! `wharf destroy`: an apply of a project that declares nothing.

use super::carry_out::{Work, carry_out};
use crate::{
    arguments::{Shared, View},
    exit::Exit,
    fault::Ends,
    project::{Project, Secrets, Told},
};
use std::time::Duration;
use wharf_model::Deployment;

pub(super) async fn run(shared: &Shared, yes: bool, wait: Duration, view: &View) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let mut desired: Deployment = project.deployment.clone();
    desired.services.clear();
    desired.gateways.clear();
    let (exit, runtime) =
        carry_out(Work { project: &project, desired: &desired, doing: "destroy", yes, wait, view }).await?;
    if exit == Exit::Done {
        runtime.clean_up().await?;
    }
    Ok(exit)
}
