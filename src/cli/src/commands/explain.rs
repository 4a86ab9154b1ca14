//! `wharf explain`: what a code means; what a value is, and who said so.

use super::provenance;
use crate::{
    arguments::{Format, Shared},
    exit::Exit,
    fault::{Ends, Fault},
    out,
    project::{Project, Secrets, Told},
};
use serde_json::json;
use std::fmt::Write;
use wharf_lang::{FilledIn, ResolvedField, Said, SetBy, did_you_mean};
use wharf_report::{bold, dim, tame};

/// The format of the JSON.
const FORMAT: u32 = 1;

pub(super) fn run(shared: &Shared, what: Option<&str>, format: Format) -> Ends<Exit> {
    match what {
        None => out::result(wharf_lang::explanations_text()),
        Some(what) if is_address(what) => return value(shared, what, format),
        Some(code) => out::result(explanation(code)?),
    }
    Ok(Exit::Done)
}

/// An address has dots in it, or is one of the few resources that have no name.
fn is_address(what: &str) -> bool {
    what.contains('.') || wharf_lang::schema().iter().any(|row| row.path == what)
}

fn explanation(code: &str) -> Ends<String> {
    if let Some(known) = wharf_lang::explain(code) {
        return Ok(wharf_lang::explanation_text(known, out::width()));
    }
    let help = match wharf_lang::nearest_code(code) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`wharf explain` lists every code; a value is named as in `service.hello.instances`".to_owned(),
    };
    Err(Fault::new(format!("there is no code `{}`", tame(code))).help(help))
}

/// Explains a value by its name, or all of a resource by its address: whatever is no code of a problem.
fn value(shared: &Shared, what: &str, format: Format) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let fields = project.resolved.fields();
    let wanted = provenance::in_files(what);
    let found: Vec<_> = fields.iter().filter(|field| is_below(&field.name(), &wanted)).collect();
    if found.is_empty() {
        let environment = project.resolved.environment();
        let attempt = format!("nothing in environment {environment} is called `{what}`");
        return Err(Fault::new(attempt).help(help(&fields, &wanted)));
    }
    match format {
        Format::Human => out::result(page(&found)),
        Format::Json => {
            let fields: Vec<_> = found.iter().map(|field| provenance::field_json(field)).collect();
            let environment = project.resolved.environment().as_str();
            let answer = json!({ "format": FORMAT, "environment": environment, "fields": fields });
            out::result(format_args!("{answer:#}\n"));
        }
    }
    Ok(Exit::Done)
}

/// Whether it is the thing that is asked for, or lies in it.
fn is_below(name: &str, wanted: &str) -> bool {
    name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':']))
}

/// The nearest name; else what there is in the resource, else the resources.
fn help(fields: &[ResolvedField], wanted: &str) -> String {
    let names: Vec<_> = fields.iter().map(ResolvedField::name).collect();
    let near = did_you_mean(wanted, names.iter().map(String::as_str)).filter(|help| help.starts_with("did you mean"));
    let inside = fields.iter().filter(|field| is_below(wanted, &field.address) && !field.path.is_empty());
    let inside: Vec<_> = inside.map(|field| field.path.as_str()).collect();
    let addresses = fields.iter().filter(|field| field.path.is_empty()).map(|field| field.address.as_str());
    let known: Vec<_> = if inside.is_empty() { addresses.collect() } else { inside };
    near.unwrap_or_else(|| format!("known: {}", known.join(", ")))
}

fn page(fields: &[&ResolvedField]) -> String {
    let mut page = String::new();
    for field in fields {
        match field.path.is_empty() {
            true => line(&mut page, &bold(&field.address)),
            false if field.chain.is_empty() => {
                line(&mut page, &format!("{} = {}  {}", bold(field.name()), field.value, dim("default")));
            }
            false => line(&mut page, &format!("{} = {}", bold(field.name()), field.value)),
        }
        chain(&mut page, &field.chain);
    }
    page
}

fn line(page: &mut String, text: &str) {
    let _ = writeln!(page, "{text}");
}

/// A line for each layer, the last word first, in columns.
fn chain(page: &mut String, chain: &[Said]) {
    let rows: Vec<_> = chain.iter().map(|said| (provenance::speaker(&said.by), said)).collect();
    let width = |text: &str| text.chars().count();
    let speakers = rows.iter().map(|(speaker, _)| width(speaker)).max().unwrap_or(0);
    let values = rows.iter().map(|(_, said)| width(&said.value)).max().unwrap_or(0);
    for (speaker, said) in rows {
        let at = provenance::places(said);
        let (value, gaps) = (&said.value, (speakers - width(&speaker) + 2, values - width(&said.value) + 2));
        line(page, &format!("    {speaker}{:3$}{value}{:4$}{}", "", "", dim(at), gaps.0, gaps.1));
        filled(page, &said.filled, 2);
    }
}

fn filled(page: &mut String, all: &[FilledIn], depth: usize) {
    for one in all {
        let indent = "    ".repeat(depth);
        line(page, &format!("{indent}{} is {}, {}", one.name, tame(&one.value), dim(provenance::set_by(&one.by))));
        if let SetBy::Use(_, inner) = &one.by {
            filled(page, inner, depth + 1);
        }
    }
}
