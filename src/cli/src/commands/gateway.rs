//! `wharf gateway`: the process that `apply` starts for each gateway of a project.

use crate::{
    exit::Exit,
    fault::{Ends, Fault},
};
use std::path::Path;

pub(super) fn run(folder: &Path) -> Ends<Exit> {
    wharf_gateway::run(folder, None).map_err(|cause| Fault::new("the gateway ended").because(cause))?;
    Ok(Exit::Done)
}
