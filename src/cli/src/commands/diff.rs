//! `wharf diff`: holds only what can look.

use crate::{
    arguments::{Format, Shared},
    exit::Exit,
    fault::Ends,
    history, out,
    project::{Project, Secrets, Told},
    site,
};
use wharf_plan::history::between;
use wharf_report::{became, became_between_json};

pub(super) fn run(shared: &Shared, range: &str, format: Format) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let reader = site::record(&project)?;
    let (from, to) = history::range(&reader, range)?;
    let (before, after) = (history::read(&reader, from)?, history::read(&reader, to)?);
    let all = between(&before.record, &after.record);
    match format {
        Format::Human if all.is_empty() => out::note(format!("@{from} and @{to} are the same.")),
        Format::Human => out::result(became(&all, out::width())),
        Format::Json => out::result(format_args!("{:#}\n", became_between_json(from, to, &all))),
    }
    Ok(Exit::Done)
}
