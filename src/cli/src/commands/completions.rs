//! `wharf completions`

use crate::{arguments::Arguments, exit::Exit, fault::Ends, out};
use clap::CommandFactory;

pub(super) fn run(shell: clap_complete::Shell) -> Ends<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "wharf", &mut script);
    out::bytes(&script);
    Ok(Exit::Done)
}
