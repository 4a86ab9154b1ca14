//! `wharf adopt`: records what is there and is what the files describe.

use super::{
    carry_out::{begin, finish},
    consent::{Consent, show_only},
};
use crate::{
    arguments::{Agreement, Shared},
    exit::Exit,
    fault::Ends,
    problems,
    project::{Project, Secrets, Told},
    site,
};
use wharf_plan::{Input, Plan, adopt};

pub(super) async fn run(shared: &Shared, agreement: &Agreement) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Needed, Told::Errors)?;
    let desired = &project.deployment;
    if agreement.plan_only {
        let (reader, runtime) = (site::record(&project)?, site::reader(&project)?);
        let record = reader.read()?.record;
        let sight = site::look(&project, desired, reader.key()?.as_ref(), &*runtime).await?;
        return Ok(show_only(&plan(&project, &sight.input(desired, &record, &*runtime))?));
    }
    let begun = begin(&project, "adopt", agreement.wait).await?;
    let sight = begun.look(&project, desired).await?;
    let plan = plan(&project, &sight.input(desired, begun.record(), begun.observe()))?;
    Ok(finish(&project, begun, &plan, Consent::of("adopt", desired, agreement)).await?.0)
}

fn plan(project: &Project, input: &Input) -> Ends<Plan> {
    adopt(input).map_err(|found| problems::show(project, &found))
}
