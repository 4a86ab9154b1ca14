//! `wharf diff-env`: in what two environments differ, resource by resource and field by field.

use super::provenance::{place, place_json};
use crate::{
    arguments::{Format, Shared},
    exit::Exit,
    fault::Ends,
    out,
    project::{Project, Secrets, Told},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};
use wharf_lang::ResolvedField;
use wharf_model::Origin;
use wharf_report::{bold, dim};

/// The format of the JSON.
const FORMAT: u32 = 1;
/// Longer values are cut in the middle of a page.
const LONGEST: usize = 40;

/// What differs between two environments.
struct Comparison<'a> {
    only_left: Vec<&'a ResolvedField>,
    only_right: Vec<&'a ResolvedField>,
    fields: Vec<Unlike<'a>>,
}

/// A field that differs; at least one side has it.
struct Unlike<'a> {
    left: Option<&'a ResolvedField>,
    right: Option<&'a ResolvedField>,
}

pub(super) fn run(shared: &Shared, left: &str, right: &str, format: Format) -> Ends<Exit> {
    let load = |name: &str| Project::load_in(shared, name, Secrets::Ignored, Told::Errors);
    let (one, other) = (load(left)?.resolved.fields(), load(right)?.resolved.fields());
    let comparison = compare(&one, &other);
    match format {
        Format::Human => out::result(comparison.page(left, right)),
        Format::Json => out::result(format_args!("{:#}\n", comparison.json(left, right))),
    }
    Ok(Exit::Done)
}

fn compare<'a>(left: &'a [ResolvedField], right: &'a [ResolvedField]) -> Comparison<'a> {
    let addresses = |fields: &'a [ResolvedField]| fields.iter().map(|field| &*field.address).collect::<BTreeSet<_>>();
    let (in_left, in_right) = (addresses(left), addresses(right));
    let declared = |fields: &'a [ResolvedField], others: &BTreeSet<&str>| {
        let only = fields.iter().filter(|field| field.path.is_empty() && !others.contains(&*field.address));
        only.collect::<Vec<_>>()
    };
    let in_both = |field: &&ResolvedField| {
        !field.path.is_empty() && in_left.contains(&*field.address) && in_right.contains(&*field.address)
    };
    let names: BTreeMap<_, _> = right.iter().filter(in_both).map(|field| (field.name(), field)).collect();
    let known: BTreeSet<_> = left.iter().filter(in_both).map(ResolvedField::name).collect();
    let mut fields = Vec::new();
    for field in left.iter().filter(in_both) {
        let other = names.get(&field.name()).copied();
        if other.is_none_or(|other| other.value != field.value) {
            fields.push(Unlike { left: Some(field), right: other });
        }
    }
    let added = right.iter().filter(in_both).filter(|field| !known.contains(&field.name()));
    fields.extend(added.map(|field| Unlike { left: None, right: Some(field) }));
    fields.sort_by(|one, two| one.address().cmp(two.address()));
    Comparison { only_left: declared(left, &in_right), only_right: declared(right, &in_left), fields }
}

impl<'a> Unlike<'a> {
    fn field(&self) -> Option<&'a ResolvedField> {
        self.left.or(self.right)
    }

    fn address(&self) -> &'a str {
        self.field().map_or("", |field| &field.address)
    }

    fn path(&self) -> &'a str {
        self.field().map_or("", |field| &field.path)
    }

    fn json(&self) -> Value {
        let side = |field: Option<&ResolvedField>| {
            field.map(|field| json!({ "value": field.value, "at": origin(field).map(place_json) }))
        };
        json!({ "address": self.address(), "path": self.path(), "left": side(self.left), "right": side(self.right) })
    }
}

/// Where the last word was said.
fn origin(field: &ResolvedField) -> Option<&Origin> {
    field.chain.first().and_then(|said| said.at.as_ref())
}

impl Comparison<'_> {
    fn json(&self, left: &str, right: &str) -> Value {
        let declared = |fields: &[&ResolvedField]| {
            let one = |field: &&ResolvedField| json!({ "address": field.address, "at": origin(field).map(place_json) });
            fields.iter().map(one).collect::<Vec<_>>()
        };
        json!({
            "format": FORMAT,
            "left": left,
            "right": right,
            "only_left": declared(&self.only_left),
            "only_right": declared(&self.only_right),
            "fields": self.fields.iter().map(Unlike::json).collect::<Vec<_>>(),
        })
    }

    fn page(&self, left: &str, right: &str) -> String {
        let mut page = String::new();
        for (name, only) in [(left, &self.only_left), (right, &self.only_right)] {
            if !only.is_empty() {
                let _ = writeln!(page, "{}", bold(format!("only in {name}")));
            }
            for field in only {
                let at = origin(field).map(place).unwrap_or_default();
                let _ = writeln!(page, "    {}  {}", field.address, dim(at));
            }
        }
        self.rows(&mut page);
        if page.is_empty() {
            return format!("{left} and {right} ask for the same.\n");
        }
        format!("{} → {}\n\n{page}", bold(left), bold(right))
    }

    /// Each field with both values and places, in columns, under its resource.
    fn rows(&self, page: &mut String) {
        let values: Vec<_> = self.fields.iter().map(Unlike::values).collect();
        let widest = values.iter().map(|value| value.chars().count()).max().unwrap_or(0);
        let longest = self.fields.iter().map(|field| field.path().chars().count()).max().unwrap_or(0);
        let mut address = "";
        for (field, value) in self.fields.iter().zip(values) {
            if field.address() != address {
                address = field.address();
                let _ = writeln!(page, "{}", bold(address));
            }
            let (path, places) = (field.path(), dim(field.places()));
            let _ = writeln!(page, "    {path:longest$}  {value:widest$}  {places}");
        }
    }
}

impl Unlike<'_> {
    fn values(&self) -> String {
        let side =
            |field: Option<&ResolvedField>| field.map_or_else(|| "nothing".to_owned(), |field| short(&field.value));
        format!("{} → {}", side(self.left), side(self.right))
    }

    fn places(&self) -> String {
        let side = |field: Option<&ResolvedField>| match field.map(origin) {
            None => "–".to_owned(),
            Some(None) => "default".to_owned(),
            Some(Some(origin)) => place(origin),
        };
        format!("{} → {}", side(self.left), side(self.right))
    }
}

fn short(value: &str) -> String {
    if value.chars().count() <= LONGEST {
        return value.to_owned();
    }
    let kept: String = value.chars().take(LONGEST - 1).collect();
    format!("{kept}…")
}
