//! `wharf state`: what is recorded, seen, let go of and called otherwise.

use super::{
    carry_out::{begin, finish},
    consent::{Consent, show_only},
};
use crate::{
    arguments::{Agreement, Format, Shared, State},
    exit::Exit,
    fault::{Ends, Fault},
    out,
    place::Place,
    project::{Project, Secrets, Told},
    site,
};
use std::collections::BTreeSet;
use wharf_lang::did_you_mean;
use wharf_model::{Address, Record};
use wharf_plan::{CannotMove, Input, Plan, forget, history::entries, rename};
use wharf_report::{addresses, bad, good, record, record_json, warn};
use wharf_store::Moved;

pub(super) async fn run(shared: &Shared, command: &State) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    match command {
        State::List { format } => list(&project, *format),
        State::Show { address, format } => show(&project, address, *format),
        State::Rm { addresses, agreement } => rm(&project, addresses, agreement).await,
        State::Mv { from, to, agreement } => mv(&project, &parse(from)?, &parse(to)?, agreement).await,
        State::Migrate { from } => migrate(&project, from),
    }
}

fn list(project: &Project, format: Format) -> Ends<Exit> {
    let standing = site::record(project)?.read()?;
    match format {
        Format::Human if standing.record.is_empty() => out::note("Nothing is recorded in this environment."),
        Format::Human => out::result(addresses(&standing.record)),
        Format::Json => out::result(format_args!("{:#}\n", record_json(standing.serial, &standing.record, None))),
    }
    Ok(Exit::Done)
}

fn show(project: &Project, address: &str, format: Format) -> Ends<Exit> {
    let standing = site::record(project)?.read()?;
    let known = entries(&standing.record);
    let address: Address = parse(address)?;
    // An instance is told of with its service.
    let address = match &address {
        Address::Instance(service, _) => Address::Service(service.clone()),
        _ => address,
    };
    if !known.contains_key(&address) {
        return Err(unknown(&standing.record, &address));
    }
    match format {
        Format::Human => out::result(record(&standing.record, out::width(), Some(&address))),
        Format::Json => {
            out::result(format_args!("{:#}\n", record_json(standing.serial, &standing.record, Some(&address))));
        }
    }
    Ok(Exit::Done)
}

/// Brings the record from another place to where the files say.
fn migrate(project: &Project, from: &Place) -> Ends<Exit> {
    let from = from.backend(project)?;
    let Moved { commits, serial, copied } = site::migrate(project, &from)?;
    if commits == 0 && copied == 0 {
        out::note(format!("There is nothing recorded in {}.", from.place("")));
        return Ok(Exit::Done);
    }
    let to = site::store(project).place("");
    out::note(format!("{} {commits} commits, up to {serial}, to {to}; {copied} objects were copied.", good("Moved")));
    out::note(format!("{} says so, and is used no more.", from.place("")));
    if project.bucket.as_ref().is_some_and(|bucket| bucket.encryption.recipients().is_some()) {
        let words = "what it holds is as readable as it was: remove it when you are sure of the new place";
        out::note(format!("{} {words}", warn("note:")));
    }
    Ok(Exit::Done)
}

async fn rm(project: &Project, wanted: &[String], agreement: &Agreement) -> Ends<Exit> {
    let wanted = wanted.iter().map(|address| parse(address)).collect::<Ends<BTreeSet<Address>>>()?;
    let exit = edit(project, "state rm", agreement, &|input| {
        forget(input, &wanted).map_err(|found| {
            found.iter().for_each(|problem| out::alert(format!("{} {problem}", bad("✗"))));
            Fault::new("the record cannot let go of that").help("`wharf state list` lists what is recorded")
        })
    })
    .await?;
    if exit == Exit::Done {
        let asked = wharf_plan::graph(&project.deployment).needs;
        for address in wanted.iter().filter(|address| asked.contains_key(address)) {
            let words = "take it out of them, or the next `wharf apply` makes another in its place";
            out::note(format!("{} the files still declare {address}: {words}", warn("note:")));
        }
    }
    Ok(exit)
}

async fn mv(project: &Project, from: &Address, to: &Address, agreement: &Agreement) -> Ends<Exit> {
    let exit = edit(project, "state mv", agreement, &|input| {
        rename(input, from, to).map_err(|problem| match &problem {
            CannotMove::Unknown(_) => unknown(input.recorded, from),
            other => Fault::new(other.to_string()).help(way_out(other)),
        })
    })
    .await?;
    let asked = wharf_plan::graph(&project.deployment).needs;
    if exit == Exit::Done && !asked.contains_key(to) {
        let words = format!("call it so there, or the next `wharf apply` takes {to} away");
        out::note(format!("{} the files do not declare {to}: {words}", warn("note:")));
    }
    Ok(exit)
}

/// Changes the record by a plan: shows it and no more, or carries it out once somebody agreed.
async fn edit(
    project: &Project,
    doing: &str,
    agreement: &Agreement,
    plan: &dyn Fn(&Input) -> Ends<Plan>,
) -> Ends<Exit> {
    let desired = &project.deployment;
    if agreement.plan_only {
        let (reader, runtime) = (site::record(project)?, site::reader(project)?);
        let record = reader.read()?.record;
        let sight = site::look(project, desired, reader.key()?.as_ref(), &*runtime).await?;
        return Ok(show_only(&plan(&sight.input(desired, &record, &*runtime))?));
    }
    let begun = begin(project, doing, agreement.wait).await?;
    let sight = begun.look(project, desired).await?;
    let plan = plan(&sight.input(desired, begun.record(), begun.observe()))?;
    Ok(finish(project, begun, &plan, Consent::of(doing, desired, agreement)).await?.0)
}

fn way_out(problem: &CannotMove) -> String {
    match problem {
        CannotMove::Lives { from, to, .. } => {
            let (kind, old, new) = (from.kind().as_str(), name(from), name(to));
            format!(
                "write `{kind} \"{new}\" {{ was \"{old}\" … }}` in the files: the next `wharf apply` makes {to} in its place"
            )
        }
        CannotMove::Taken(other) => format!("`wharf state rm {other}` lets go of it, if it is there no more"),
        CannotMove::Kind { from, .. } => format!("it stays a {}: {}.NAME", from.kind().as_str(), from.kind().as_str()),
        CannotMove::Part(_) => {
            "services, gateways, networks, balancers and groups have one; what belongs to them goes along".to_owned()
        }
        CannotMove::Unknown(_) => "`wharf state list` lists what is recorded".to_owned(),
    }
}

/// What an address calls its resource.
fn name(address: &Address) -> String {
    let text = address.to_string();
    text.split_once('.').map_or(text.clone(), |(_, name)| name.to_owned())
}

fn parse(text: &str) -> Ends<Address> {
    text.parse().map_err(|cause| {
        let fault = Fault::new(format!("`{text}` names no resource")).because(cause);
        fault.help("`wharf state list` lists what is recorded")
    })
}

fn unknown(record: &Record, address: &Address) -> Box<Fault> {
    let known: Vec<_> = entries(record).keys().map(ToString::to_string).collect();
    let help = did_you_mean(&address.to_string(), known.iter().map(String::as_str));
    let fault = Fault::new(format!("{address} is not recorded"));
    fault.help(help.unwrap_or_else(|| "`wharf state list` lists what is recorded".to_owned()))
}
