//! `wharf lock`: who is at work on an environment, and the way out when nobody is.

use crate::{
    arguments::{Format, LockAction, Shared},
    exit::Exit,
    fault::{Ends, Fault},
    out,
    project::{Project, Secrets, Told},
    site,
};
use wharf_model::{Intent, Timestamp};
use wharf_report::{bold, dim, duration, warn};
use wharf_store::{Lease, Presence, Released, release};

pub(super) fn run(shared: &Shared, action: &LockAction) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    match action {
        LockAction::Status { format } => status(&project, *format),
        LockAction::Release => give_up(&project),
    }
}

/// How a lease is called that looks like this.
fn word(lease: &Lease, presence: Presence) -> &'static str {
    match presence {
        _ if lease.ended => "free",
        Presence::Somebody => "held",
        Presence::Nobody => "left",
        Presence::Unknown => "claimed",
    }
}

fn status(project: &Project, format: Format) -> Ends<Exit> {
    let reader = site::record(project)?;
    let (lease, open) = (reader.lease()?, reader.read()?.unresolved);
    match format {
        Format::Json => out::result(format_args!("{:#}\n", as_json(lease.as_ref(), &open))),
        Format::Human => out::result(in_words(lease.as_ref(), &open, site::now())),
    }
    Ok(Exit::Done)
}

fn in_words(lease: Option<&(Lease, Presence)>, open: &[Intent], now: Timestamp) -> String {
    let Some((lease, presence)) = lease else { return "Nobody has the lock, and nobody ever had.\n".to_owned() };
    let holder = bold(&lease.holder);
    let age = duration(now.since(lease.holder.since));
    let mut text = match word(lease, *presence) {
        "free" => format!("Nobody has the lock. {holder} had it last.\n"),
        "held" => format!("{holder} has had the lock for {age}.\n"),
        "left" => format!("{holder} has ended without giving the lock back. The next command takes over at once.\n"),
        _ => format!(
            "{holder} claimed the lock {age} ago. Whether it is still at work cannot be seen from here; a command that \
             wants the lock finds out by waiting.\n"
        ),
    };
    if !open.is_empty() {
        let what = if word(lease, *presence) == "held" { "under way:" } else { "open, to be looked into by the next:" };
        text.push_str(&format!("  {}\n", dim(what)));
        open.iter().for_each(|intent| text.push_str(&format!("    {}\n", intent.operation)));
    }
    text
}

fn as_json(lease: Option<&(Lease, Presence)>, open: &[Intent]) -> serde_json::Value {
    let lease = lease.map(|(lease, presence)| {
        serde_json::json!({
            "state": word(lease, *presence),
            "epoch": lease.epoch.0,
            "who": lease.holder.who,
            "process": lease.holder.pid,
            "doing": lease.holder.doing,
            "since_ms": lease.holder.since.0,
        })
    });
    let open: Vec<_> = open.iter().map(|intent| intent.operation.to_string()).collect();
    serde_json::json!({ "format": "wharf.lock/1", "lease": lease, "under_way": open })
}

fn give_up(project: &Project) -> Ends<Exit> {
    let reader = site::record(project)?;
    match release(site::store(project), &reader)? {
        Released::Nobody => out::note("Nobody has the lock."),
        Released::From(lease) => out::note(format!(
            "Taken away from {}. {} if it still is at work it begins nothing more, and cannot commit.",
            lease.holder,
            warn("note:")
        )),
        Released::AtWork(lease) => {
            let attempt = format!("{} is at work on this machine, so the lock stays its own", lease.holder);
            let help = format!("`kill {}` asks it to stop in order, and the lock ends with it", lease.holder.pid);
            return Err(Fault::new(attempt).help(help));
        }
    }
    Ok(Exit::Done)
}
