//! `wharf apply`

use super::carry_out::{Work, carry_out};
use crate::{
    arguments::{Shared, View},
    exit::Exit,
    fault::Ends,
    out,
    project::{Project, Secrets, Told},
};
use std::time::Duration;
use wharf_report::{bold, dim};

pub(super) async fn run(shared: &Shared, yes: bool, wait: Duration, view: &View) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Needed, Told::All)?;
    let desired = project.deployment.clone();
    let (exit, _) = carry_out(Work { project: &project, desired: &desired, doing: "apply", yes, wait, view }).await?;
    if exit == Exit::Done {
        for (name, spec) in &desired.services {
            for gateway in spec.exposes.keys().filter_map(|gateway| desired.gateways.get(gateway)) {
                let address = std::net::SocketAddr::new(gateway.address, gateway.port);
                let url = format!("http://{address}/api/predict/{name}/");
                out::note(format!("{} {url}   {}", bold(name), dim(format!("try: wharf invoke {name}"))));
            }
        }
    }
    Ok(exit)
}
