//! `wharf show`: prints what the files come to.

use crate::{
    arguments::Shared,
    exit::Exit,
    fault::Ends,
    out,
    project::{Project, Secrets, Told},
};
use wharf_lang::Defaults;

pub(super) fn run(shared: &Shared, defaults: bool) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let defaults = if defaults { Defaults::Shown } else { Defaults::Hidden };
    out::result(project.resolved.text(defaults));
    Ok(Exit::Done)
}
