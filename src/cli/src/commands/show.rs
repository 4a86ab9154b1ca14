//! `wharf show`: prints what the files come to, or what was recorded.

use crate::{
    arguments::{Format, Shared},
    exit::Exit,
    fault::Ends,
    history, out,
    project::{Project, Secrets, Told},
};
use wharf_lang::Defaults;

/// What is to be shown.
pub(super) struct Wanted<'a> {
    pub(super) at: Option<&'a str>,
    pub(super) defaults: bool,
    pub(super) format: Format,
}

pub(super) fn run(shared: &Shared, wanted: &Wanted<'_>) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let Wanted { at, defaults, format } = *wanted;
    if let Some(at) = at {
        let commit = history::commit(&project, at)?;
        match format {
            Format::Human => out::result(wharf_report::record(&commit.record, out::width(), None)),
            Format::Json => {
                out::result(format_args!("{:#}\n", wharf_report::record_json(commit.serial, &commit.record, None)));
            }
        }
        return Ok(Exit::Done);
    }
    let defaults = if defaults { Defaults::Shown } else { Defaults::Hidden };
    out::result(project.resolved.text(defaults));
    Ok(Exit::Done)
}
