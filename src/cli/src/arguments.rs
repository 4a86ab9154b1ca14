//! What can be typed. The doc comments are the help.

mod action;
mod format;
mod option;

pub(crate) use action::{LockAction, MountsAction, RolloutAction, State};
pub(crate) use format::{DriftFormat, Format, GraphFormat, PlanFormat, SchemaFormat, ValidateFormat};
pub(crate) use option::{Agreement, Invoke, Select, Shared, Since, View};

use clap::{Parser, Subcommand, builder::styling};
use option::since;
use std::{path::PathBuf, time::Duration};

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Cyan.on_default().bold())
    .usage(styling::AnsiColor::Cyan.on_default().bold())
    .literal(styling::AnsiColor::Green.on_default())
    .placeholder(styling::AnsiColor::Yellow.on_default());

const EXIT_CODES: &str = "Exit codes: 0 done, or nothing to do; 1 error; 2 changes or drift found (plan --detailed-exitcode, drift); \
                          3 the plan is stale; 4 locked; 5 refused by policy; 6 rolled back; 7 halted; 8 paused; 130 interrupted.";

/// Infrastructure as code for AI inference services: describe them in KDL, plan, apply.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, styles = STYLES, after_help = EXIT_CODES, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true, infer_long_args = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes a commented starter project into the folder
    Init,
    /// Puts spaces, indentation and line ends of the files in order; every comment stays
    Fmt {
        /// Files, or folders for the *.kdl files in them; `-` reads standard input and prints the result; the whole
        /// project when none is named
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Changes nothing: shows what would change, and ends with exit code 1 if anything would
        #[arg(long)]
        check: bool,
    },
    /// Checks the files, and tells every problem at once
    Validate {
        /// For people with excerpts, for programs, for code scanning, or for annotations of a pull request
        #[arg(long, value_enum, default_value = "human")]
        format: ValidateFormat,
    },
    /// Prints every node that a file may hold
    Schema {
        /// For people, for programs, for programs that read KDL, or for a documentation page
        #[arg(long, value_enum, default_value = "human")]
        format: SchemaFormat,
    },
    /// Prints what was recorded with a commit, or the project as one text with everything filled in and laid together
    Show {
        /// A commit, as `wharf log` lists them
        #[arg(value_name = "@N", required_unless_present = "expanded")]
        at: Option<String>,
        /// The project, with templates, inputs, included files and what the environment changes put in their places
        #[arg(long, conflicts_with = "at")]
        expanded: bool,
        /// Writes down defaults, too; of the project only
        #[arg(long, requires = "expanded")]
        defaults: bool,
        /// For people, or for programs; of a commit only
        #[arg(long, value_enum, default_value = "human", conflicts_with = "expanded")]
        format: Format,
    },
    /// Lists the commits, the newest first: when, who, by which plan, and what became otherwise
    ///
    /// With --operations it lists every call of the platform instead: who made it, when, from which commit of the project
    /// and which run of a pipeline, what came of it, and how long it took.
    Log {
        /// At most so many
        #[arg(short = 'n', long, value_name = "COMMITS", default_value = "20")]
        limit: usize,
        /// Lists calls
        #[arg(long)]
        operations: bool,
        /// Only from this commit on, or what began in so long a time: @3, 24h; of calls only
        #[arg(long, value_name = "@N|TIME", requires = "operations", value_parser = since)]
        since: Option<Since>,
        /// For people, or for programs
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Tells what became otherwise between two commits
    Diff {
        /// From which to which commit: @3..@5; up to the newest when the second is left out
        #[arg(value_name = "@N..@M")]
        range: String,
        /// For people, or for programs
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Goes back to what was recorded before, by a plan that is shown first; the files stay as they are
    ///
    /// A service goes back alone when it is named. Without a commit: to the newest in which something else was asked for.
    Rollback {
        /// A service, a commit, or both: hello @3
        #[arg(value_name = "SERVICE|@N", num_args = 0..=2)]
        what: Vec<String>,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Shows how rollouts stand, and pauses, resumes, finishes or takes back one
    ///
    /// Asks the apply that is at work; where none is, it does it itself, with the lock and a plan that is shown first.
    #[command(subcommand)]
    Rollout(RolloutAction),
    /// Looks at what is recorded, lets go of parts of it, and gives them other names
    #[command(subcommand)]
    State(State),
    /// Records what is there and is what the files describe, after a record was lost; changes nothing that runs
    #[command(visible_alias = "import")]
    Adopt {
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Shows the resources that the files ask for, and what depends on what
    Graph {
        /// For people, for programs, for Graphviz, or as a picture
        #[arg(long, value_enum, default_value = "human")]
        format: GraphFormat,
    },
    /// Tells what a value is and who said so, or what the code of a problem means
    ///
    /// For a value: the files, templates, environments and inputs that had a say, the last word first. For a code: a wrong
    /// and a right example. Lists the codes when nothing is named.
    Explain {
        /// An address with a field, such as `service.hello.instances`; an address alone for all of its fields; or the
        /// code of a problem, such as `wharf::lang::unknown_node`, or its last word
        #[arg(value_name = "WHAT")]
        what: Option<String>,
        /// For people, or for programs; of values only
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Tells in what two environments differ, and where that is written
    DiffEnv {
        /// One environment
        #[arg(value_name = "ENVIRONMENT")]
        left: String,
        /// The other
        #[arg(value_name = "OTHER")]
        right: String,
        /// For people, or for programs
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Shows what apply would do, and why; changes nothing
    Plan {
        /// Ends with exit code 2 when there are changes
        #[arg(long)]
        detailed_exitcode: bool,
        /// Writes the plan to a file too, for `wharf apply FILE`
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        select: Select,
        /// Says first what is planned otherwise than in a plan that you reviewed, which FILE holds as JSON
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
        /// For people, for programs, for a comment on a pull request, as a picture, or as a page for a browser
        #[arg(long, value_enum, default_value = "human")]
        format: PlanFormat,
    },
    /// Makes what runs into what the files describe
    ///
    /// With a FILE that `wharf plan --out` wrote, or with the id of a plan, it does what that plan says and nothing else,
    /// without asking; when what the plan rests on has changed, it does nothing and ends with exit code 3.
    Apply {
        /// A plan that was saved
        #[arg(value_name = "FILE")]
        plan: Option<PathBuf>,
        /// Plans again, and goes on only when the plan has this id
        #[arg(long, value_name = "ID", conflicts_with = "plan")]
        expect_plan: Option<String>,
        /// Stands by what this policy wants approved; may be given several times
        #[arg(long, value_name = "POLICY")]
        approve: Vec<String>,
        /// Does not ask
        #[arg(long, short)]
        yes: bool,
        /// Waits for another who has the lock, at most so long: 90s, 10m
        #[arg(long, value_name = "TIME", value_parser = wharf_model::parse_duration, default_value = "0s", hide_default_value = true)]
        wait: Duration,
        #[command(flatten)]
        view: View,
        #[command(flatten)]
        select: Select,
    },
    /// Removes everything that apply made
    Destroy {
        /// Does not ask
        #[arg(long, short)]
        yes: bool,
        /// Stands by what this policy wants approved; may be given several times
        #[arg(long, value_name = "POLICY")]
        approve: Vec<String>,
        /// Waits for another who has the lock, at most so long: 90s, 10m
        #[arg(long, value_name = "TIME", value_parser = wharf_model::parse_duration, default_value = "0s", hide_default_value = true)]
        wait: Duration,
        #[command(flatten)]
        view: View,
    },
    /// Finds out what became of calls that an apply did not live to see the end of; apply does so too
    Recover {
        /// Writes nothing down: tells what was asked and answered, and what follows
        #[arg(long)]
        explain: bool,
        /// Waits for another who has the lock, at most so long: 90s, 10m
        #[arg(long, value_name = "TIME", value_parser = wharf_model::parse_duration, default_value = "0s", hide_default_value = true)]
        wait: Duration,
    },
    /// Shows who is at work on the environment, and takes the lock away from one who is not
    Lock {
        #[command(subcommand)]
        action: LockAction,
    },
    /// Shows the copies of folders of buckets that this machine keeps, removes those that nobody needs, and sends back what instances wrote
    Mounts {
        #[command(subcommand)]
        action: MountsAction,
    },
    /// Tells where reality has left what was recorded, and the ways out; changes nothing
    ///
    /// Ends with exit code 2 when there is drift, and with 1 when a rule that ignores some has run out.
    Drift {
        /// For people, for programs, for an issue, for code scanning, or for a monitor
        #[arg(long, value_enum, default_value = "human")]
        format: DriftFormat,
        /// A report of an earlier look, in JSON: what was found then keeps its age. One that is not there yet is fine
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
    },
    /// Shows what runs
    Status {
        /// For people, or for programs
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Shows what goes through the gateways: on a terminal until Ctrl-C, elsewhere once
    Top {
        /// How long it is counted each time
        #[arg(long, value_name = "TIME", value_parser = wharf_model::parse_duration, default_value = "2s")]
        every: Duration,
    },
    /// Prints what instances wrote
    Logs {
        /// Of which services; of all when none is named
        services: Vec<String>,
        /// Goes on as more is written
        #[arg(short, long)]
        follow: bool,
        /// How many of the newest lines of each instance
        #[arg(short = 'n', long, value_name = "LINES", default_value = "100")]
        tail: usize,
    },
    /// Runs a program in an instance, with this command's input and output
    Exec {
        /// Which instance, or the service that has only one
        instance: String,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Sends one request through the gateway, with the service's token, and prints the answer
    Invoke(Invoke),
    /// Prints a completion script for a shell
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Runs a gateway; started by apply
    #[command(hide = true)]
    Gateway {
        /// The gateway's folder
        #[arg(long = "dir", value_name = "FOLDER")]
        folder: PathBuf,
        /// Takes over from the gateway that runs there, without refusing a connection
        #[arg(long)]
        take_over: bool,
        /// Does not start again when it is killed
        #[arg(long)]
        unguarded: bool,
    },
}
