//! `wharf adopt`: records what is there and is what the files describe.

use super::{
    Review,
    carry_out::{Ask, Consent, begin, finish},
};
use crate::{
    arguments::Shared,
    exit::Exit,
    fault::Ends,
    out, problems,
    project::{Project, Secrets, Told},
    site,
};
use std::time::Duration;
use wharf_plan::{Input, Plan, adopt};
use wharf_report::Layout;

pub(super) async fn run(shared: &Shared, review: Review) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Needed, Told::Errors)?;
    let desired = &project.deployment;
    if review == Review::Only {
        let (reader, runtime) = (site::record(&project), site::reader(&project)?);
        let record = reader.read()?.record;
        let sight = site::look(&project, desired, reader.key()?.as_ref(), &*runtime).await?;
        let plan = plan(&project, &sight.input(desired, &record, &*runtime))?;
        out::result(wharf_report::terminal(&plan, None, Layout { width: out::width() }));
        return Ok(if plan.is_empty() { Exit::Done } else { Exit::Changes });
    }
    let begun = begin(&project, "adopt", Duration::ZERO).await?;
    let sight = begun.look(&project, desired).await?;
    let plan = plan(&project, &sight.input(desired, begun.record(), begun.observe()))?;
    let ask = if review == Review::Yes { Ask::Nobody } else { Ask::First };
    Ok(finish(&project, begun, &plan, Consent::plain("adopt", desired, ask)).await?.0)
}

fn plan(project: &Project, input: &Input) -> Ends<Plan> {
    adopt(input).map_err(|found| problems::show(project, &found))
}
