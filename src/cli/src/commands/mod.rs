//! One file per command.

mod apply;
mod carry_out;
mod completions;
mod destroy;
mod diff_env;
mod drift;
mod explain;
mod fmt;
mod gateway;
mod init;
mod invoke;
mod logs;
mod plan;
mod provenance;
mod schema;
mod show;
mod status;
mod validate;

use crate::{
    arguments::{Arguments, Command},
    exit::Exit,
    fault::{Ends, Fault},
};

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> Ends<Exit> {
    let Arguments { shared, command } = arguments;
    match command {
        Command::Init => init::run(&shared),
        Command::Fmt { files, check } => fmt::run(&shared, &files, check),
        Command::Validate { format } => validate::run(&shared, format),
        Command::Show { expanded: _, defaults } => show::run(&shared, defaults),
        Command::Explain { what, format } => explain::run(&shared, what.as_deref(), format),
        Command::DiffEnv { left, right, format } => diff_env::run(&shared, &left, &right, format),
        Command::Schema { format } => schema::run(format),
        Command::Plan { detailed_exitcode, out, select, format } => {
            wait(plan::run(&shared, &plan::Wanted { detailed_exitcode, out, select, format }))
        }
        Command::Apply { plan, expect_plan, yes, select } => {
            wait(apply::run(&shared, &apply::Wanted { plan, expect_plan, yes, select }))
        }
        Command::Destroy { yes } => wait(destroy::run(&shared, yes)),
        Command::Drift { format, since } => wait(drift::run(&shared, format, since.as_deref())),
        Command::Status { format } => wait(status::run(&shared, format)),
        Command::Logs { services, follow, tail } => wait(logs::run(&shared, &services, follow, tail)),
        Command::Invoke(request) => wait(invoke::run(&shared, request)),
        Command::Completions { shell } => completions::run(shell),
        Command::Gateway { folder } => gateway::run(&folder),
    }
}

/// Runs a command that waits for others.
fn wait(command: impl Future<Output = Ends<Exit>>) -> Ends<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|cause| Fault::new("cannot start").because(cause))?;
    let ended = runtime.block_on(command);
    // A reader of standard input cannot be stopped, and need not be waited for.
    runtime.shutdown_background();
    ended
}
