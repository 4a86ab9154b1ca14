//! `wharf log`: holds only what can look.

use crate::{
    arguments::{Format, Shared},
    exit::Exit,
    fault::Ends,
    history, out,
    project::{Project, Secrets, Told},
    site,
};
use wharf_model::{Deployment, Record};
use wharf_plan::history::between;
use wharf_report::{LogEntry, log, log_json};
use wharf_store::{Commit, Reader};

pub(super) fn run(shared: &Shared, limit: usize, format: Format) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let reader = site::record(&project)?;
    let serials = reader.serials()?;
    if serials.is_empty() && format == Format::Human {
        out::note("Nothing was ever applied in this environment.");
    }
    let entries = serials.iter().rev().take(limit).map(|serial| entry(&project, &reader, *serial));
    let entries = entries.collect::<Ends<Vec<_>>>()?;
    match format {
        Format::Human => out::result(log(&entries, out::width())),
        Format::Json => out::result(format_args!("{:#}\n", log_json(&entries))),
    }
    Ok(Exit::Done)
}

fn entry(project: &Project, reader: &Reader, serial: u64) -> Ends<LogEntry> {
    let Commit { record, made, .. } = history::read(reader, serial)?;
    let Deployment { project: name, environment, .. } = &project.deployment;
    let before = match serial {
        1 => Some(Record::empty(name.clone(), environment.clone())),
        _ => reader.commit(serial - 1)?.map(|commit| commit.record),
    };
    Ok(LogEntry {
        serial,
        at: made.as_ref().map(|made| made.at),
        who: made.as_ref().map(|made| made.by.who.clone()),
        plan: made.and_then(|made| made.plan),
        became: before.map(|before| between(&before, &record)),
    })
}
