//! `wharf schema`

use crate::{arguments::SchemaFormat, exit::Exit, fault::Ends, out};

pub(super) fn run(format: SchemaFormat) -> Ends<Exit> {
    match format {
        SchemaFormat::Human => out::result(wharf_lang::schema_text(out::width())),
        SchemaFormat::Json => out::result(wharf_lang::schema_json()),
        SchemaFormat::Kdl => out::result(wharf_lang::schema_kdl()),
        SchemaFormat::Markdown => out::result(wharf_lang::schema_markdown()),
    }
    Ok(Exit::Done)
}
