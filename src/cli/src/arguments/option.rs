//! Options that several commands share, and what a text has to look like to be the value of one.

use super::Format;
use clap::{ArgAction, Args};
use std::{path::PathBuf, time::Duration};

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Shared {
    /// The project's folder
    #[arg(short = 'C', value_name = "DIR", default_value = ".", global = true, hide_default_value = true)]
    pub(crate) dir: PathBuf,
    /// The environment; needed only when the project has several
    #[arg(long, value_name = "NAME", env = "WHARF_ENV", global = true, hide_env_values = true)]
    pub(crate) env: Option<String>,
    /// Sets an input of the project, as WHARF_INPUT_NAME does; may be given several times
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = input, global = true)]
    pub(crate) inputs: Vec<(String, String)>,
    /// Sets inputs from a file, KDL or JSON; may be given several times
    #[arg(long = "input-file", value_name = "FILE", global = true)]
    pub(crate) input_files: Vec<PathBuf>,
    /// As whom an encrypted record is read: a file with age identities
    #[arg(long, value_name = "FILE", env = "WHARF_IDENTITY", global = true, hide_env_values = true)]
    pub(crate) identity: Option<PathBuf>,
    /// Says nothing about the work, only results and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Says more; twice for still more
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
}

fn input(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What somebody agrees to of a plan that a command makes.
#[derive(Debug, Default, Args)]
pub(crate) struct Agreement {
    /// Shows the plan and ends; exit code 2 when there is something to do, 5 when a policy is against it
    #[arg(long)]
    pub(crate) plan_only: bool,
    /// Goes on only when the plan has this id, and does not ask then
    #[arg(long, value_name = "ID", conflicts_with = "plan_only")]
    pub(crate) expect_plan: Option<String>,
    /// Stands by what this policy wants approved; may be given several times
    #[arg(long, value_name = "POLICY")]
    pub(crate) approve: Vec<String>,
    /// Does not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Waits for another who has the lock, at most so long: 90s, 10m
    #[arg(long, value_name = "TIME", value_parser = wharf_model::parse_duration, default_value = "0s", hide_default_value = true)]
    pub(crate) wait: Duration,
}

/// Who else is told what an apply does.
#[derive(Debug, Args)]
pub(crate) struct View {
    /// Writes every event as a line of JSON into this file, which is made anew
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,
    /// For people, or for programs: then every event is a line of JSON on standard output
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: Format,
}

/// Which services a plan is about.
#[derive(Debug, Args)]
pub(crate) struct Select {
    /// Plans this service and what it needs, and nothing else; may be given several times
    #[arg(long, value_name = "SERVICE")]
    pub(crate) only: Vec<String>,
    /// Leaves this service alone, and what needs it; may be given several times
    #[arg(long, value_name = "SERVICE")]
    pub(crate) except: Vec<String>,
}

/// One request.
#[derive(Debug, Args)]
pub(crate) struct Invoke {
    /// Which service; needed only when the project has several
    pub(crate) service: Option<String>,
    /// The path within the service, with its query
    #[arg(default_value = "/")]
    pub(crate) path: String,
    /// The method; POST with data, else GET
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// The body; @FILE reads it from a file, @- from standard input
    #[arg(short, long, value_name = "BODY")]
    pub(crate) data: Option<String>,
    /// A header, as `Name: value`; may be given several times
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header)]
    pub(crate) headers: Vec<(String, String)>,
    /// Sends no token
    #[arg(long)]
    pub(crate) no_token: bool,
    /// Prints the status and the headers too
    #[arg(short, long)]
    pub(crate) include: bool,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// From when on calls are listed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Since {
    /// From those that led to this commit.
    Commit(u64),
    /// From so long ago.
    Span(Duration),
}

pub(super) fn since(text: &str) -> Result<Since, String> {
    let span = || wharf_model::parse_duration(text).ok().map(Since::Span);
    let commit = text.strip_prefix('@').and_then(|digits| digits.parse().ok()).map(Since::Commit);
    commit.or_else(span).ok_or_else(|| "write a commit as @3, or a time as 24h".to_owned())
}
