//! `wharf exec`: a program in an instance, with the streams of the command.

use crate::{
    arguments::Shared,
    exit::Exit,
    fault::{Ends, Fault},
    out,
    project::{Project, Secrets, Told},
    site::{self, Runtime},
};
use std::io::Write;
use wharf_model::InstanceId;
use wharf_provider::{LogStream, Observe, Scope};

pub(super) async fn run(shared: &Shared, name: &str, command: &[String]) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Ignored, Told::Errors)?;
    let Runtime::Docker(docker) = site::provider(&project)? else {
        let attempt = "on this runtime instances are processes of the host, and there is nothing to run a program in";
        return Err(Fault::new(attempt).help("run it on the host; `wharf logs` shows what an instance writes"));
    };
    let observed = docker.observe(&Scope::default()).await?;
    let known: Vec<_> = observed.instances.keys().collect();
    let instance = choose(&known, name)?;
    let heard = |stream, bytes: &[u8]| match stream {
        LogStream::Out => out::bytes(bytes),
        // When nobody reads, there is nobody to tell.
        LogStream::Err => drop(std::io::stderr().lock().write_all(bytes)),
    };
    match docker.run_in(instance, command, tokio::io::stdin(), heard).await? {
        0 => Ok(Exit::Done),
        code => {
            out::alert(format!("the program ended with code {code}"));
            Ok(Exit::Error)
        }
    }
}

/// The instance of this name, or the only one of the service of this name.
fn choose<'a>(known: &[&'a InstanceId], name: &str) -> Ends<&'a InstanceId> {
    let named: Vec<_> = known.iter().filter(|id| id.to_string() == name || id.service.as_str() == name).collect();
    match named.as_slice() {
        [only] => Ok(only),
        [] => {
            let names: Vec<_> = known.iter().map(ToString::to_string).collect();
            let help =
                if names.is_empty() { "nothing runs".to_owned() } else { format!("known are: {}", names.join(", ")) };
            Err(Fault::new(format!("there is no instance `{name}`")).help(help))
        }
        several => {
            let names: Vec<_> = several.iter().map(ToString::to_string).collect();
            Err(Fault::new(format!("which instance of {name}?")).help(format!("name one of: {}", names.join(", "))))
        }
    }
}
