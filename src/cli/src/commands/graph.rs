//! `wharf graph`: shows what the files ask for, and what depends on what.

use crate::{
    arguments::{GraphFormat, Shared},
    exit::Exit,
    fault::Ends,
    out,
    project::{Project, Secrets, Told},
};

pub(super) fn run(shared: &Shared, format: GraphFormat) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let graph = wharf_plan::graph(&project.deployment);
    match format {
        GraphFormat::Human => out::result(wharf_report::graph(&graph)),
        GraphFormat::Json => out::result(format_args!("{:#}\n", wharf_report::graph_json(&graph))),
        GraphFormat::Dot => out::result(wharf_report::graph_dot(&graph)),
        GraphFormat::Svg => out::result(wharf_report::graph_svg(&graph)),
    }
    Ok(Exit::Done)
}
