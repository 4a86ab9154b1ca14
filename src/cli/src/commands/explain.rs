//! `wharf explain`: what a code means.

use crate::{
    exit::Exit,
    fault::{Ends, Fault},
    out,
};

pub(super) fn run(what: Option<&str>) -> Ends<Exit> {
    match what {
        None => out::result(wharf_lang::explanations_text()),
        Some(code) => out::result(explanation(code)?),
    }
    Ok(Exit::Done)
}

fn explanation(code: &str) -> Ends<String> {
    if let Some(known) = wharf_lang::explain(code) {
        return Ok(wharf_lang::explanation_text(known, out::width()));
    }
    let help = match wharf_lang::nearest_code(code) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`wharf explain` lists every code".to_owned(),
    };
    Err(Fault::new(format!("there is no code `{}`", wharf_report::tame(code))).help(help))
}
