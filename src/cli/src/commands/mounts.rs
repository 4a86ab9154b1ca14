//! `wharf mounts`: the copies of folders of buckets that this machine keeps, for all projects of a user, and what the instances
//! of an environment have written to theirs.

use crate::{
    arguments::{Format, MountsAction, Shared},
    exit::Exit,
    fault::{Ends, Fault},
    out,
    project::{Project, Secrets, Told},
    site,
};
use std::{
    io,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};
use wharf_content::{Standing, Store, Usage};
use wharf_model::Bytes;
use wharf_report::{bold, dim};

pub(super) async fn run(shared: &Shared, action: &MountsAction) -> Ends<Exit> {
    let store = Store::at(site::content_dir(&shared.dir));
    match action {
        MountsAction::Status { format } => status(&store, *format),
        MountsAction::Collect => collect(&store),
        MountsAction::WriteBack => write_back(shared).await,
    }
}

fn status(store: &Store, format: Format) -> Ends<Exit> {
    let look = || Ok((store.usage()?, store.standing()?));
    let (usage, standing) = look().map_err(|cause| fault("look at what is kept", store, cause))?;
    match format {
        Format::Json => out::result(format_args!("{:#}\n", as_json(store, usage, &standing))),
        Format::Human => out::result(in_words(store, usage, &standing)),
    }
    Ok(Exit::Done)
}

fn fault(attempt: &str, store: &Store, cause: io::Error) -> Box<Fault> {
    let help = "see that the user who runs wharf may do so, and try again";
    Fault::new(format!("cannot {attempt} in {}", store.root().display())).because(cause).help(help)
}

fn in_words(store: &Store, usage: Usage, standing: &[Standing]) -> String {
    let about = |bytes: u64| Bytes(bytes).about();
    let at = store.root().display();
    if standing.is_empty() && usage.stored + usage.arriving == 0 {
        return format!("Nothing is kept in {at}.\n");
    }
    let mut text = format!(
        "{} kept in {at}, of which {} could go; {} of {} are free there.\n",
        bold(about(usage.stored)),
        about(usage.reclaimable()),
        about(usage.free),
        about(usage.disk)
    );
    if usage.arriving > 0 {
        text.push_str(&format!("{} are taken by downloads that are not at their end.\n", about(usage.arriving)));
    }
    for one in standing {
        let short = &one.content.to_string()[..8];
        text.push_str(&format!("\n  {}  {}\n", bold(short), one.place));
        text.push_str(&format!("    {} files, {}\n", one.files, about(one.bytes)));
        if one.lent.is_empty() {
            text.push_str(&format!("    {}\n", dim("nobody needs it")));
        }
        if one.is_doubtful {
            let why = "read again before it is used, as the machine went down before the disk had all of it";
            text.push_str(&format!("    {}\n", dim(why)));
        }
        one.lent.iter().for_each(|name| text.push_str(&format!("    needed by {}\n", name.display())));
    }
    text
}

fn as_json(store: &Store, usage: Usage, standing: &[Standing]) -> serde_json::Value {
    let since = |made: SystemTime| made.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let copies = standing.iter().map(|one| {
        serde_json::json!({
            "content": one.content.to_string(),
            "from": one.place,
            "files": one.files,
            "bytes": one.bytes,
            "made_ms": since(one.made),
            "is_doubtful": one.is_doubtful,
            "needed_by": one.lent.iter().map(PathBuf::as_path).collect::<Vec<_>>(),
        })
    });
    serde_json::json!({
        "format": "wharf.mounts/1",
        "at": store.root(),
        "stored": usage.stored,
        "reclaimable": usage.reclaimable(),
        "arriving": usage.arriving,
        "disk": { "free": usage.free, "whole": usage.disk },
        "copies": copies.collect::<Vec<_>>(),
    })
}

/// Waits until the disk has what a command has brought, so that nothing of it is read again if the machine goes down. What
/// fails here is left to the next command.
pub(super) fn settle(shared: &Shared) {
    drop(Store::at(site::content_dir(&shared.dir)).settle());
}

/// Everything that can go goes, and everything that cannot is told.
async fn write_back(shared: &Shared) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Sought, Told::Errors)?;
    let (went, failed) = site::provider(&project)?.write_back().await?;
    went.iter().for_each(out::note);
    if went.is_empty() && failed.is_empty() {
        out::note("Nothing was written that is not there.");
    }
    if failed.is_empty() {
        return Ok(Exit::Done);
    }
    for error in failed {
        out::fault(*Box::<Fault>::from(error));
    }
    Err(Fault::told())
}

fn collect(store: &Store) -> Ends<Exit> {
    let gone = store.collect(u64::MAX, SystemTime::now()).map_err(|cause| fault("make room", store, cause))?;
    let Some(gone) = gone else {
        let help = "nothing goes while something is fetched: try again when that apply is over";
        return Err(Fault::new(format!("somebody fetches to {}", store.root().display())).help(help));
    };
    out::note(format!("{} are free again in {}.", Bytes(gone).about(), store.root().display()));
    Ok(Exit::Done)
}
