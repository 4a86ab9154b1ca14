//! How each command can print its result.

use clap::ValueEnum;

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // For people.
    Human,
    // For programs.
    Json,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    // For people.
    Human,
    // For programs.
    Json,
    // For a comment on a pull request.
    Markdown,
    // A picture of the changes and of what waits for what.
    Svg,
    // A page for a browser with all of that.
    Html,
}

/// How problems are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ValidateFormat {
    // For people, with excerpts.
    Human,
    // For programs: every problem with its code, places and help.
    Json,
    // For code scanning: SARIF 2.1.0.
    Sarif,
    // For GitHub Actions: annotations beside the lines of a pull request.
    Github,
}

/// How a graph is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    // For people.
    Human,
    // For programs.
    Json,
    // For Graphviz.
    Dot,
    // As a picture.
    Svg,
}

/// How drift is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriftFormat {
    // For people.
    Human,
    // For programs, and for `--since` of a later look.
    Json,
    // For an issue or a comment.
    Markdown,
    // For code scanning: SARIF 2.1.0.
    Sarif,
    // For a monitor.
    Prometheus,
}

/// How the schema is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    // For people.
    Human,
    // For programs.
    Json,
    // For programs that read KDL.
    Kdl,
    // For a documentation page.
    Markdown,
}
