//! `wharf recover`: finds out what became of calls whose outcome nobody wrote down, and nothing else.

use crate::{
    arguments::Shared,
    exit::Exit,
    fault::Ends,
    out,
    project::{Project, Secrets, Told},
    site,
};
use std::time::Duration;
use wharf_apply::{Found, look_into, recover};
use wharf_report::{bad, bold, dim, good, warn};
use wharf_store::Writer;

pub(super) async fn run(shared: &Shared, explain: bool, wait: Duration) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let provider = site::provider(&project)?.execute();
    let mut writer = site::lock(&project, "recover", wait)?;
    if explain {
        return explained(&mut writer, &*provider).await;
    }
    let recovered = recover(&*provider, &mut writer, &site::author(&project), site::now()).await?;
    if !recovered.unfinished {
        out::note("Every apply has come to its end; there is nothing to find out.");
        return Ok(Exit::Done);
    }
    for (intent, made) in &recovered.resolved {
        out::note(format!("  {} {}", intent.operation, if *made { good("was made") } else { dim("was not made") }));
    }
    for (intent, why) in &recovered.unknown {
        out::alert(format!("{} nobody can tell what became of `{}`: {why}", bad("✗"), intent.operation));
    }
    if !recovered.unknown.is_empty() {
        out::alert(format!("  {} what touches the same is left alone until it is known", dim("help:")));
        return Ok(Exit::Error);
    }
    out::note(format!("{}   {}", good("The record is up to date."), dim(format!("commit {}", recovered.serial))));
    Ok(Exit::Done)
}

/// Says of each call what is written down, what was asked, what was answered, and what follows.
async fn explained(writer: &mut Writer, provider: &dyn wharf_provider::Execute) -> Ends<Exit> {
    let standing = writer.read()?;
    if !standing.has_journal {
        out::result("Every apply has come to its end; there is nothing to find out.\n");
        return Ok(Exit::Done);
    }
    let mut text = format!(
        "An apply that began from commit {} did not come to its end. {} of its calls have no outcome on record.\n",
        standing.serial,
        standing.unresolved.len()
    );
    for (intent, found) in look_into(provider, &standing).await {
        let (answer, follows) = match found {
            Found::Applied(_) => (good("it is there"), "it is recorded as made"),
            Found::NotApplied => {
                (dim("it is not there, or making it again changes nothing"), "it is recorded as not made")
            }
            Found::Unknown(why) => (warn(why), "it stays open, and whatever touches the same is left alone"),
        };
        text.push_str(&format!("\n{}\n", bold(&intent.operation)));
        text.push_str(&format!("    written down  about to {} {} at {}\n", intent.verb, intent.object, intent.address));
        text.push_str(&format!("    the platform  {answer}\n"));
        text.push_str(&format!("    follows       {follows}\n"));
    }
    text.push_str("\n`wharf recover` writes this down; so does every command that changes something, first of all.\n");
    out::result(text);
    Ok(Exit::Done)
}
