//! One file per command.

mod adopt;
mod apply;
mod carry_out;
mod completions;
mod consent;
mod destroy;
mod diff;
mod diff_env;
mod drift;
mod ending;
mod exec;
mod explain;
mod fmt;
mod gateway;
mod graph;
mod init;
mod invoke;
mod lock;
mod log;
mod logs;
mod mounts;
mod operations;
mod plan;
mod provenance;
mod recover;
mod rollback;
mod rollout;
mod schema;
mod show;
mod state;
mod status;
mod top;
mod validate;

use crate::{
    arguments::{Arguments, Command, Shared},
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
        Command::Show { at, expanded: _, defaults, format } => {
            show::run(&shared, &show::Wanted { at: at.as_deref(), defaults, format })
        }
        Command::Log { limit, operations: false, since: _, format } => log::run(&shared, limit, format),
        Command::Log { limit, operations: true, since, format } => operations::run(&shared, limit, since, format),
        Command::Diff { range, format } => diff::run(&shared, &range, format),
        Command::Rollback { what, agreement } => settled(&shared, wait(rollback::run(&shared, &what, &agreement))),
        Command::Rollout(action) => wait(rollout::run(&shared, &action)),
        Command::State(command) => wait(state::run(&shared, &command)),
        Command::Adopt { agreement } => wait(adopt::run(&shared, &agreement)),
        Command::Graph { format } => graph::run(&shared, format),
        Command::Explain { what, format } => explain::run(&shared, what.as_deref(), format),
        Command::DiffEnv { left, right, format } => diff_env::run(&shared, &left, &right, format),
        Command::Schema { format } => schema::run(format),
        Command::Plan { detailed_exitcode, out, select, since, format } => {
            wait(plan::run(&shared, &plan::Wanted { detailed_exitcode, out, select, since, format }))
        }
        Command::Apply { plan, expect_plan, approve, yes, select, wait: patience, view } => {
            let wanted = apply::Wanted { plan, expect_plan, approve, yes, select, wait: patience, view };
            settled(&shared, wait(apply::run(&shared, &wanted)))
        }
        Command::Destroy { yes, approve, wait: patience, view } => {
            wait(destroy::run(&shared, yes, &approve, patience, &view))
        }
        Command::Recover { explain, wait: patience } => wait(recover::run(&shared, explain, patience)),
        Command::Lock { action } => lock::run(&shared, &action),
        Command::Mounts { action } => wait(mounts::run(&shared, &action)),
        Command::Drift { format, since } => wait(drift::run(&shared, format, since.as_deref())),
        Command::Status { format } => wait(status::run(&shared, format)),
        Command::Top { every } => wait(top::run(&shared, every)),
        Command::Logs { services, follow, tail } => wait(logs::run(&shared, &services, follow, tail)),
        Command::Exec { instance, command } => wait(exec::run(&shared, &instance, &command)),
        Command::Invoke(request) => wait(invoke::run(&shared, request)),
        Command::Completions { shell } => completions::run(shell),
        Command::Gateway { folder, take_over, unguarded } => gateway::run(&folder, take_over, unguarded),
    }
}

/// What a command that brings folders of buckets has ended with, once the disk has them.
fn settled(shared: &Shared, ended: Ends<Exit>) -> Ends<Exit> {
    mounts::settle(shared);
    ended
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
