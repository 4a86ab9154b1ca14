//! Everything that reaches a person goes through here. Results go to standard output, words about the work to standard
//! error. A reader that has gone away is no error: what was begun goes on without an audience.

use crate::{arguments::Shared, fault::Fault};
use miette::{GraphicalReportHandler, GraphicalTheme, MietteHandlerOpts};
use std::{
    fmt,
    io::{IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

static QUIET: AtomicBool = AtomicBool::new(false);

/// Columns when nobody says how many there are.
const WIDTH: usize = 80;

/// Takes in the options that concern output.
pub(crate) fn set_up(shared: &Shared) {
    QUIET.store(shared.quiet, Ordering::Relaxed);
    let level = match shared.verbose {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    // Set once per process; a second time can only fail, and changes nothing.
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .log_internal_errors(false)
            .try_init(),
    );
    drop(miette::set_hook(Box::new(|_| Box::new(MietteHandlerOpts::new().width(width()).build()))));
}

/// Columns of the terminal.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(WIDTH, |(columns, _)| columns.0.into())
}

/// Whether somebody sits at a terminal and can be asked.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Prints a result.
pub(crate) fn result(text: impl fmt::Display) {
    drop(write!(anstream::stdout().lock(), "{text}"));
}

/// Whether results are seen on a terminal.
pub(crate) fn shows() -> bool {
    std::io::stdout().is_terminal()
}

/// Prints a result in the place of all that a terminal shows.
pub(crate) fn anew(text: impl fmt::Display) {
    result(format_args!("\u{1b}[H\u{1b}[2J{text}"));
}

/// Prints the bytes of a result as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(bytes).and_then(|()| out.flush()));
}

/// Prints a line about the work, unless the user wants none.
pub(crate) fn note(text: impl fmt::Display) {
    if !QUIET.load(Ordering::Relaxed) {
        drop(writeln!(anstream::stderr().lock(), "{text}"));
    }
}

/// Prints what must be seen in any case.
pub(crate) fn alert(text: impl fmt::Display) {
    drop(writeln!(anstream::stderr().lock(), "{text}"));
}

/// A text for a line that something else draws: without colours where nobody wants any.
pub(crate) fn painted(text: String) -> String {
    match anstream::AutoStream::choice(&std::io::stderr()) {
        anstream::ColorChoice::Never => anstream::adapter::strip_str(&text).to_string(),
        _ => text,
    }
}

/// Whether the user wants no words about the work.
pub(crate) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Prints an error.
pub(crate) fn fault(fault: Fault) {
    if !fault.is_told() {
        alert(format!("{:?}", miette::Report::new(fault)).trim_end());
    }
}

/// Prints a diagnostic with its excerpt.
pub(crate) fn diagnostic(diagnostic: &dyn miette::Diagnostic) {
    let terminal = std::io::stderr().is_terminal();
    let theme = if terminal { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(width());
    struct Shown<'a>(&'a GraphicalReportHandler, &'a dyn miette::Diagnostic);
    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.render_report(f, self.1)
        }
    }
    alert(format_args!("{}\n", Shown(&handler, diagnostic).to_string().trim_end()));
}
