//! The schema of the language as data: one row per node, in [`table`]. Names, types, how often, defaults and help texts
//! are read from these rows alone, by the decoder as well as by the reference that `wharf schema` prints.

mod features;
mod json;
mod kdl;
mod markdown;
mod table;
mod text;

pub use features::{Feature, features};
pub use json::schema_json;
pub use kdl::schema_kdl;
pub use markdown::schema_markdown;
#[cfg(test)]
pub(crate) use table::KINDS;
pub(crate) use table::PROVIDERS;
pub use text::schema_text;

use crate::suggest::either;
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::LazyLock,
};

/// A node of the language.
#[derive(Debug)]
pub struct NodeSchema {
    /// The names of the nodes it lies in and its own, with dots between: `service.health.readiness`.
    pub path: &'static str,
    /// The last of these names.
    name: &'static str,
    /// How often it may be there.
    pub count: Count,
    /// The values that follow its name.
    pub arguments: &'static [Argument],
    /// The last argument may be repeated.
    pub repeats: bool,
    /// Its properties.
    pub properties: &'static [Property],
    /// What each node of its block means when their names are the user's to choose.
    pub entries: Option<Type>,
    /// The path of another node whose block it shares, beside what lies in it alone.
    pub like: Option<&'static str>,
    /// What of it the files say, and not the schema.
    pub reuse: Option<Reuse>,
    /// What other tools call it; not understood, but answered.
    pub elsewhere: &'static [&'static str],
    /// What an overlay of an environment does to it.
    pub overlay: Overlay,
    /// A block that means the same whether it is there or not: what in it has a default has it either way.
    pub implied: bool,
    /// The value of its first argument when the node is not there.
    pub default: Option<&'static str>,
    /// What it is for, in one sentence.
    pub doc: &'static str,
    /// The version of wharf that brought it.
    pub since: &'static str,
}

/// A value that follows the name of a node.
#[derive(Debug)]
pub struct Argument {
    /// What it is called in texts.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
}

/// A property of a node.
#[derive(Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// The value when it is not there.
    pub default: Option<&'static str>,
    /// Whether it must be there.
    pub required: bool,
    /// What it is for, in one sentence.
    pub doc: &'static str,
}

/// How often a node may be in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Exactly once.
    Once,
    /// At most once.
    Optional,
    /// Any number of times; the first argument tells them apart.
    Many,
    /// As `Many`, but at least once.
    Some,
    /// Any number of times, in an order that matters; an overlay replaces them all.
    List,
    /// Exactly one of the nodes with this word is there.
    OneOf(&'static str),
}

/// What an overlay of an environment does to a node of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlay {
    /// Takes its place as a whole.
    Replaces,
    /// Changes those nodes of its block that it names.
    Patches,
}

/// A node that says how files and nodes are used again. What it holds depends on other nodes, so no row can list it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Names one more file.
    Include,
    /// Holds nodes with places for parameters in them.
    Template,
    /// Stands for the nodes of a template; its properties are the parameters.
    Use,
    /// Its block names nodes of the block it stands in, to take them away.
    Remove,
}

impl Reuse {
    /// The kind in one word, for machines.
    fn word(self) -> &'static str {
        match self {
            Self::Include => "include",
            Self::Template => "template",
            Self::Use => "use",
            Self::Remove => "remove",
        }
    }
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Any text.
    Text,
    /// A text in which nothing is replaced; numbers and booleans count as the text they are written as.
    Literal,
    /// The value of a parameter: text, number or boolean.
    Parameter,
    /// The name of something.
    Name,
    /// A whole number.
    Integer {
        /// The least.
        from: u32,
        /// The greatest.
        to: u32,
    },
    /// `#true` or `#false`.
    Boolean,
    /// As `Boolean`, and `#true` when nothing is written.
    Flag,
    /// A duration with its unit.
    Duration {
        /// Whether it may be zero.
        zero: bool,
    },
    /// A size with its unit, more than zero.
    Size,
    /// A count or a percentage.
    Share,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A reference to a secret.
    Secret,
    /// The value of a variable: text, number, boolean, or a reference to a secret.
    Variable,
    /// An IP address.
    Address,
    /// A path to mount at.
    MountPath,
    /// The path of a URL; with or without a query.
    UrlPath {
        /// Whether a query may follow.
        query: bool,
    },
    /// The reference of an image.
    Image,
    /// A pip requirement.
    Requirement,
    /// Times, as cron writes them.
    Cron,
    /// A time zone.
    TimeZone,
    /// A day of the calendar.
    Day,
    /// A value of a runtime's own language.
    Json,
    /// A share of a hundred, from 1 to 100.
    Percent,
    /// A share of a hundred, above 0 up to 100, with at most one digit after the point.
    Sample,
    /// A number that may have a fraction, more than zero.
    Decimal,
    /// A range of IP addresses.
    Cidr,
    /// The address of something on the web, by HTTPS.
    HttpsUrl,
    /// A bucket and a folder in it.
    Bucket,
    /// An absolute path on another machine, or in an image.
    AbsolutePath,
    /// Versions of wharf.
    Versions,
    /// The code of a warning.
    Warning,
}

impl Type {
    /// The type in words that can follow "takes".
    pub fn describe(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Literal | Self::Parameter => "text, a number or a boolean".to_owned(),
            Self::Name => "a name".to_owned(),
            Self::Integer { from, to } => format!("a whole number from {from} to {to}"),
            Self::Boolean | Self::Flag => "#true or #false".to_owned(),
            Self::Duration { zero: true } => "a duration such as \"30s\"".to_owned(),
            Self::Duration { zero: false } => "a duration above zero such as \"30s\"".to_owned(),
            Self::Size => "a size such as \"64MiB\"".to_owned(),
            Self::Share => "a count or a percentage such as 1 or \"25%\"".to_owned(),
            Self::Word(words) => {
                let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                either(&quoted)
            }
            Self::Secret => "a reference such as (secret)\"name\"".to_owned(),
            Self::Variable => "text, a number, a boolean or (secret)\"name\"".to_owned(),
            Self::Address => "an IP address such as \"127.0.0.1\"".to_owned(),
            Self::MountPath => "an absolute path such as \"/mnt/data\"".to_owned(),
            Self::UrlPath { .. } => "a path such as \"/health\"".to_owned(),
            Self::Image => "the reference of an image".to_owned(),
            Self::Requirement => "a pip requirement such as \"flask==2.3.3\"".to_owned(),
            Self::Cron => "five fields such as \"0 8 * * 1-5\"".to_owned(),
            Self::TimeZone => "a time zone such as \"Europe/Berlin\"".to_owned(),
            Self::Day => "a day such as \"2027-01-01\"".to_owned(),
            Self::Json => "text, a number, a boolean or (json)\"[1, 2]\"".to_owned(),
            Self::Percent => "a percentage such as \"40%\"".to_owned(),
            Self::Sample => "a percentage such as \"5%\" or \"0.1%\"".to_owned(),
            Self::Decimal => "a number above zero such as 2 or 0.5".to_owned(),
            Self::Cidr => "a range of addresses such as \"10.0.0.0/8\"".to_owned(),
            Self::HttpsUrl => "an address such as \"https://example.com/team/code.git\"".to_owned(),
            Self::Bucket => "a bucket and a folder such as \"bucket/dir/\"".to_owned(),
            Self::AbsolutePath => "an absolute path such as \"/export/models\"".to_owned(),
            Self::Warning => "the code of a warning such as \"no_readiness\"".to_owned(),
            Self::Versions => "versions such as \">=0.1\" or \">=0.1, <2\"".to_owned(),
        }
    }

    /// The type in one word, for machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Literal => "literal",
            Self::Parameter => "parameter",
            Self::Name => "name",
            Self::Integer { .. } => "integer",
            Self::Boolean => "boolean",
            Self::Flag => "flag",
            Self::Duration { .. } => "duration",
            Self::Size => "size",
            Self::Share => "count-or-percent",
            Self::Word(_) => "word",
            Self::Secret => "secret",
            Self::Variable => "variable",
            Self::Address => "address",
            Self::MountPath => "mount-path",
            Self::UrlPath { .. } => "url-path",
            Self::Image => "image",
            Self::Requirement => "requirement",
            Self::Cron => "cron",
            Self::TimeZone => "time-zone",
            Self::Day => "day",
            Self::Json => "json",
            Self::Percent => "percent",
            Self::Sample => "sample",
            Self::Decimal => "decimal",
            Self::Cidr => "cidr",
            Self::HttpsUrl => "https-url",
            Self::Bucket => "bucket",
            Self::AbsolutePath => "absolute-path",
            Self::Warning => "warning",
            Self::Versions => "versions",
        }
    }
}

impl NodeSchema {
    /// The name of the node.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The path of the node it lies in; empty at the top level.
    pub fn parent(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// The nodes that its block may hold.
    pub fn children(&self) -> &'static [&'static NodeSchema] {
        children(self.path)
    }

    /// The nodes that lie in its block alone, and not in one that it shares.
    pub(crate) fn own_children(&self) -> impl Iterator<Item = &'static NodeSchema> {
        self.children().iter().copied().filter(|row| row.parent() == self.path)
    }

    /// What follows its values where the files say it, and not the schema.
    fn rest(&self) -> &'static str {
        match self.reuse {
            Some(Reuse::Use) => " PARAMETER=<value>…",
            Some(Reuse::Remove) => " { NODE <name>…; … }",
            Some(Reuse::Include | Reuse::Template) | None => "",
        }
    }

    /// The row of a node in its block.
    pub fn child(&self, name: &str) -> Option<&'static NodeSchema> {
        self.children().iter().copied().find(|row| row.name() == name)
    }

    /// The property of that name.
    pub fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// Whether it has a block at all.
    pub fn has_block(&self) -> bool {
        self.entries.is_some() || !self.children().is_empty()
    }

    /// The way to it for people: `service → health → readiness`.
    pub(crate) fn way(&self) -> String {
        self.path.replace('.', " → ")
    }
}

/// Every node of the language, each after the node it lies in.
pub fn schema() -> &'static [&'static NodeSchema] {
    &ROWS
}

static ROWS: LazyLock<Vec<&'static NodeSchema>> = LazyLock::new(|| table::GROUPS.iter().copied().flatten().collect());

type Index = HashMap<&'static str, Vec<&'static NodeSchema>, BuildHasherDefault<Quick>>;

/// Every node of a project asks for the rows of its block, several times; the paths are our own, so nobody can make many of
/// them fall together.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let number = part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

static CHILDREN: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index::default();
    for row in schema() {
        index.entry(row.parent()).or_default().push(row);
    }
    for row in schema() {
        let shared = row.like.and_then(|like| index.get(like)).cloned().unwrap_or_default();
        index.entry(row.path).or_default().extend(shared);
    }
    index
});

/// The nodes that lie in the node with this path; the top-level nodes for the empty path.
pub(crate) fn children(path: &str) -> &'static [&'static NodeSchema] {
    CHILDREN.get(path).map_or(&[], Vec::as_slice)
}

/// Whether a top-level node has this name.
pub(crate) fn is_top_level(name: &str) -> bool {
    children("").iter().any(|row| row.name() == name)
}

/// The name at the end of a path.
const fn last(path: &'static str) -> &'static str {
    let mut start = path.len();
    while start > 0 && path.as_bytes()[start - 1] != b'.' {
        start -= 1;
    }
    path.split_at(start).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fit_together() {
        let mut seen: Vec<&str> = vec![""];
        for row in schema() {
            assert!(seen.contains(&row.parent()), "{} comes before the node it lies in", row.path);
            assert!(!seen.contains(&row.path), "{} is there twice", row.path);
            assert!(row.like.is_none_or(|other| schema().iter().any(|row| row.path == other)), "{}", row.path);
            assert!(row.doc.ends_with(|letter: char| letter != '.'), "{}", row.path);
            assert!(!row.repeats || !row.arguments.is_empty(), "{}", row.path);
            seen.push(row.path);
        }
    }

    #[test]
    fn what_an_environment_may_change_it_may_take_away_from() {
        for row in children("").iter().filter(|row| row.overlay == Overlay::Patches && row.reuse.is_none()) {
            let remove = row.child("remove");
            assert!(remove.is_some_and(|row| row.reuse == Some(Reuse::Remove)), "{} has no `remove`", row.path);
        }
    }

    #[test]
    fn a_block_in_which_everything_has_a_default_is_implied() {
        for row in schema().iter().filter(|row| row.count == Count::Optional && row.arguments.is_empty()) {
            let mut parts = row.children().iter().filter(|part| part.reuse.is_none()).peekable();
            let any = parts.peek().is_some();
            let all = parts.all(|part| part.count == Count::Optional && part.default.is_some());
            assert!(row.implied || !any || !all, "{} means the same whether it is there or not", row.path);
        }
        for row in schema().iter().filter(|row| row.implied) {
            assert!(row.count == Count::Optional && row.arguments.is_empty(), "{}", row.path);
            assert!(row.children().iter().any(|part| part.default.is_some()), "{}", row.path);
        }
    }

    #[test]
    fn what_may_be_there_many_times_is_told_apart_by_its_first_argument() {
        for row in schema().iter().filter(|row| matches!(row.count, Count::Many | Count::Some)) {
            assert!(!row.arguments.is_empty(), "{}", row.path);
        }
    }
}
