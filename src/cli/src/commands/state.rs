//! `wharf state`: what is recorded, seen and let go of.

use super::{
    Review,
    carry_out::{Ask, Consent, begin, finish},
};
use crate::{
    arguments::{Format, Shared, State},
    exit::Exit,
    fault::{Ends, Fault},
    out,
    project::{Project, Secrets, Told},
    site,
};
use std::{collections::BTreeSet, time::Duration};
use wharf_lang::did_you_mean;
use wharf_model::{Address, Record};
use wharf_plan::{Input, Plan, forget, history::entries};
use wharf_report::{Layout, addresses, bad, record, record_json, warn};

pub(super) async fn run(shared: &Shared, command: &State) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    match command {
        State::List { format } => list(&project, *format),
        State::Show { address, format } => show(&project, address, *format),
        State::Rm { addresses, plan_only, yes } => rm(&project, addresses, Review::of(*plan_only, *yes)).await,
    }
}

fn list(project: &Project, format: Format) -> Ends<Exit> {
    let standing = site::record(project).read()?;
    match format {
        Format::Human if standing.record.is_empty() => out::note("Nothing is recorded in this environment."),
        Format::Human => out::result(addresses(&standing.record)),
        Format::Json => out::result(format_args!("{:#}\n", record_json(standing.serial, &standing.record, None))),
    }
    Ok(Exit::Done)
}

fn show(project: &Project, address: &str, format: Format) -> Ends<Exit> {
    let standing = site::record(project).read()?;
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

async fn rm(project: &Project, wanted: &[String], review: Review) -> Ends<Exit> {
    let wanted = wanted.iter().map(|address| parse(address)).collect::<Ends<BTreeSet<Address>>>()?;
    let desired = &project.deployment;
    if review == Review::Only {
        let (reader, runtime) = (site::record(project), site::reader(project)?);
        let record = reader.read()?.record;
        let sight = site::look(project, desired, None, &*runtime).await?;
        let plan = plan(&sight.input(desired, &record, &*runtime), &wanted)?;
        out::result(wharf_report::terminal(&plan, None, Layout { width: out::width() }));
        return Ok(Exit::Changes);
    }
    let begun = begin(project, "state rm", Duration::ZERO).await?;
    let sight = begun.look(project, desired).await?;
    let plan = plan(&sight.input(desired, begun.record(), begun.observe()), &wanted)?;
    let ask = if review == Review::Yes { Ask::Nobody } else { Ask::First };
    let exit = finish(project, begun, &plan, Consent::plain("state rm", desired, ask)).await?.0;
    if exit == Exit::Done {
        let asked = wharf_plan::graph(desired).needs;
        for address in wanted.iter().filter(|address| asked.contains_key(address)) {
            let words = "take it out of them, or the next `wharf apply` makes another in its place";
            out::note(format!("{} the files still declare {address}: {words}", warn("note:")));
        }
    }
    Ok(exit)
}

fn plan(input: &Input, wanted: &BTreeSet<Address>) -> Ends<Plan> {
    forget(input, wanted).map_err(|found| {
        found.iter().for_each(|problem| out::alert(format!("{} {problem}", bad("✗"))));
        Fault::new("the record cannot let go of that").help("`wharf state list` lists what is recorded")
    })
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
