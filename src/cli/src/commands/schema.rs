//! `wharf schema`

use crate::{arguments::Format, exit::Exit, fault::Ends, out};

pub(super) fn run(format: Format) -> Ends<Exit> {
    match format {
        Format::Human => out::result(wharf_lang::schema_text(out::width())),
        Format::Json => out::result(format_args!("{}\n", wharf_lang::schema_json())),
    }
    Ok(Exit::Done)
}
