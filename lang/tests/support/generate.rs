//! Projects made from the table of the language, so that a node that the table gains is in them as well. Each holds one
//! service with a few nodes and whatever these need; what it comes to is for the caller to see, since nodes that were
//! chosen by chance need not go together.

use super::random::Random;
use std::{collections::BTreeSet, fmt::Write};
use wharf_lang::{Count, NodeSchema, Type, schema};

/// A project, and what is in it.
pub(crate) struct Generated {
    pub(crate) text: String,
    /// The paths of its nodes, and of their properties with `=` before each name.
    pub(crate) rows: BTreeSet<String>,
}

/// What an environment lays over the service, so that nodes that need others find them.
const NEEDED: &[&str] = &[
    "",
    "",
    "queue",
    "remove { health }",
    "mount \"/mnt/model\" { memory size=\"1GiB\" }",
    "resources { dedicated \"d\"; instance-type \"t\" { spot max-price=2 }; burst }",
    "resources { dedicated \"d\"; instance-type \"t\"; burst }",
    "resources { quota \"q\" type=\"lingjun\" }",
    "resources { gpu 0 { memory \"1GiB\" } }",
    "resources { gpu 1 }",
    "instances 3",
    "timeout \"1h\"",
    "group \"weighted\" weight=7",
    "network \"n\"",
    "autoscale { min 0; max 1000; wake 1 }",
];

/// Texts of which not every one will do, by the path of their node and the name of the value.
const TEXTS: &[(&str, &str)] = &[
    ("registry host", "registry.example.com:5000"),
    ("ignore path", "gateway.public.listen"),
    ("service.confidential key", "kbs:///default/key/a"),
    ("service.processor code", "pmml"),
    ("service.weights path", "/mnt/model"),
    ("service.mirror.target service", "other"),
    ("service.network network", "n"),
    ("nlb.network network", "n"),
    ("gateway.network network", "n"),
    ("service.expose gateway", "g"),
    ("nlb.listener target", "other"),
    ("project requires-wharf", ">=0.1"),
    ("policy environment", "e"),
    ("notify environment", "e"),
    ("notify.url url", "https://hooks.example.com/wharf"),
    ("gateway.traces.otlp address", "http://collector:4318"),
];

/// Nodes whose properties do not all go together: their path, and those that do.
const TOGETHER: &[(&str, &[&[&str]])] =
    &[("policy.require", &[&["min-ready", "service"], &["max-changes"], &["approval", "kind", "service", "risk"]])];

/// Nodes with a value that asks for a part of its block: their path, that value, and that part, which no other value
/// admits.
const ODD: &[(&str, &str, &[&str])] =
    &[("service.processor", "\"own\"", &["own"]), ("service.resources.gpu", "0", &["memory", "cores"])];

/// A project by chance.
pub(crate) fn project(random: &mut Random) -> Generated {
    let mut maker = Maker { random, rows: BTreeSet::new(), names: 0 };
    let mut text = "project \"p\"\nsecret \"s\" { env \"S\" }\ngroup \"even\"\ngroup \"weighted\" policy=\"weights\"\n\
                    network \"n\" cidr=\"10.0.0.0/24\"\ngateway \"g\" { shared }\n\
                    service \"other\" { command \"x\"; port 8000; health { readiness { tcp } } }\n"
        .to_owned();
    let top = |name: &str| schema().iter().copied().find(|row| row.path == name).unwrap();
    for name in ["registry", "network", "nlb", "gateway", "group", "secret", "policy", "notify", "ignore"] {
        if maker.random.once_in(6) {
            maker.node(&mut text, top(name), 0);
        }
    }
    maker.service(&mut text, top("service"));
    let needed = maker.random.of(NEEDED);
    let over = if maker.random.once_in(4) { maker.some(top("service")) } else { String::new() };
    let _ = write!(
        text,
        "environment \"e\" {{\n    provider \"docker\"\n    service \"chat\" {{ {needed}\n{over} }}\n}}\n"
    );
    Generated { text, rows: maker.rows }
}

struct Maker<'r> {
    random: &'r mut Random,
    rows: BTreeSet<String>,
    /// How many names were given, so that each is given once.
    names: usize,
}

impl Maker<'_> {
    fn service(&mut self, text: &mut String, row: &'static NodeSchema) {
        self.rows.insert(row.path.to_owned());
        let nodes = self.some(row);
        let has = |name: &str| nodes.lines().any(|line| line.split_whitespace().next() == Some(name));
        let program = ["command", "script", "args", "processor"].into_iter().any(has);
        let bare = has("processor");
        let _ = writeln!(text, "service \"chat\" {{");
        for (is_missing, node) in [
            (!program, "command \"serve\""),
            (!bare && !has("port"), "port 8001"),
            (!bare && !has("image"), "image \"i:1\""),
            (!bare && !has("health"), "health { readiness { tcp } }"),
        ] {
            if is_missing {
                let _ = writeln!(text, "    {node}");
            }
        }
        let _ = writeln!(text, "{nodes}}}");
    }

    /// A few of the nodes that a block may hold, and not those that it must.
    fn some(&mut self, row: &'static NodeSchema) -> String {
        // What holds much is chosen more often, so that all of it is seen.
        let rows = row.children().iter().copied().filter(|row| row.reuse.is_none());
        let rows: Vec<_> = rows.flat_map(|row| std::iter::repeat_n(row, 1 + row.children().len())).collect();
        let mut chosen: Vec<&'static NodeSchema> = Vec::new();
        for _ in 0..=self.random.below(4) {
            let row = self.random.of(&rows);
            if !is_there(&chosen, row) {
                chosen.push(row);
            }
        }
        let mut text = String::new();
        chosen.into_iter().for_each(|row| self.node(&mut text, row, 1));
        text
    }

    fn node(&mut self, text: &mut String, row: &'static NodeSchema, depth: usize) {
        self.rows.insert(row.path.to_owned());
        let _ = write!(text, "{}{}", "    ".repeat(depth), row.name());
        let odd = self.odd(row);
        for (index, argument) in row.arguments.iter().enumerate() {
            let more = row.repeats && index + 1 == row.arguments.len();
            for _ in 0..if more { 1 + self.random.below(3) } else { 1 } {
                let value = odd.map_or_else(|| self.value(row, argument.name, argument.ty), str::to_owned);
                let _ = write!(text, " {value}");
            }
        }
        let opened = self.random.once_in(2);
        let together = TOGETHER.iter().find(|(path, _)| *path == row.path).map(|(_, sets)| self.random.of(sets));
        for property in row.properties {
            if let Some(names) = together {
                if names.contains(&property.name) {
                    self.rows.insert(format!("{}={}", row.path, property.name));
                    let _ = write!(text, " {}={}", property.name, self.value(row, property.name, property.ty));
                }
                continue;
            }
            let opens = ["username", "password", "access-key", "secret-key"].contains(&property.name);
            if property.required || if opens { opened } else { self.random.once_in(2) } {
                self.rows.insert(format!("{}={}", row.path, property.name));
                let _ = write!(text, " {}={}", property.name, self.value(row, property.name, property.ty));
            }
        }
        let block = self.block(row, depth, odd.is_some());
        if !block.is_empty() {
            let _ = write!(text, " {{\n{block}{}}}", "    ".repeat(depth));
        }
        text.push('\n');
    }

    /// The value of a node that asks for more of its block than the others: what is in [`ODD`].
    fn odd(&mut self, row: &NodeSchema) -> Option<&'static str> {
        ODD.iter().find(|(path, ..)| *path == row.path).map(|(_, value, _)| *value).filter(|_| self.random.once_in(2))
    }

    /// What stands in the block of a node: all that must, and by chance what may.
    fn block(&mut self, row: &'static NodeSchema, depth: usize, odd: bool) -> String {
        let mut text = String::new();
        if let Some(ty) = row.entries {
            for name in
                ["A", "B_1", "\"c d\""].into_iter().filter(|name| ty != Type::Variable || !name.starts_with('"'))
            {
                let _ = writeln!(text, "{}{name} {}", "    ".repeat(depth + 1), self.value(row, name, ty));
            }
        }
        let mut choices: Vec<(&str, &'static NodeSchema)> = Vec::new();
        for child in row.children().iter().copied().filter(|child| child.reuse.is_none()) {
            match child.count {
                _ if ODD.iter().any(|(path, _, own)| *path == row.path && own.contains(&child.name())) => {
                    if odd {
                        self.node(&mut text, child, depth + 1);
                    }
                }
                Count::Once | Count::Some => self.node(&mut text, child, depth + 1),
                Count::OneOf(choice) => match choices.iter_mut().find(|(known, _)| *known == choice) {
                    Some(_) if !self.random.once_in(3) => {}
                    Some(chosen) => chosen.1 = child,
                    None => choices.push((choice, child)),
                },
                Count::Optional | Count::Many | Count::List => {
                    if self.random.once_in(3) {
                        self.node(&mut text, child, depth + 1);
                    }
                }
            }
        }
        choices.into_iter().for_each(|(_, child)| self.node(&mut text, child, depth + 1));
        text
    }

    fn name(&mut self) -> usize {
        self.names += 1;
        self.names
    }

    fn value(&mut self, row: &NodeSchema, name: &str, ty: Type) -> String {
        let key = format!("{} {name}", row.path);
        if let Some((_, text)) = TEXTS.iter().find(|(known, _)| *known == key) {
            return format!("\"{text}\"");
        }
        let (number, random) = (self.name(), &mut *self.random);
        if key == "service.group group" {
            return random.of(&["\"even\"", "\"weighted\""]).to_owned();
        }
        match ty {
            Type::Text => {
                random.of(&["\"text\"", "\"a b \\\"c\\\"\"", "\"é\\n\\t\\\\ $${x}\"", "#\"raw \\ \"#"]).to_owned()
            }
            Type::Literal | Type::Parameter => random.of(&["\"text\"", "7", "#true", "0.5"]).to_owned(),
            Type::Variable => random.of(&["\"text\"", "7", "#false", "-1.5", "(secret)\"s\""]).to_owned(),
            Type::Name => format!("\"name-{number}\""),
            Type::Integer { from, to } => (from as usize + random.below((to - from).min(30) as usize + 1)).to_string(),
            Type::Boolean => random.of(&["#true", "#false"]).to_owned(),
            Type::Flag => random.of(&["", "#true", "#false"]).to_owned(),
            Type::Duration { .. } => random.of(&["\"30s\"", "\"1500ms\"", "\"2m\"", "\"1h\""]).to_owned(),
            Type::Size => random.of(&["\"1GiB\"", "\"64MiB\"", "\"1536KiB\""]).to_owned(),
            Type::Share => random.of(&["1", "2", "\"25%\"", "\"60%\""]).to_owned(),
            Type::Word(words) => format!("\"{}\"", random.of(words)),
            Type::Secret => "(secret)\"s\"".to_owned(),
            Type::Address => random.of(&["\"127.0.0.1\"", "\"::1\""]).to_owned(),
            Type::MountPath => format!("\"/mnt/{number}/\""),
            Type::UrlPath { .. } => format!("\"/path/{number}\""),
            Type::Image => "\"registry.example.com/name:1\"".to_owned(),
            Type::Requirement => {
                random.of(&["\"flask==2.3.3\"", "\"uvicorn[standard]>=0.2; python_version > '3'\""]).to_owned()
            }
            Type::Cron => random.of(&["\"0 8 * * 1-5\"", "\"*/10 0,12 1 1 7\""]).to_owned(),
            Type::TimeZone => random.of(&["\"UTC\"", "\"Asia/Shanghai\""]).to_owned(),
            Type::Day => random.of(&["\"2027-01-01\"", "\"2028-02-29\""]).to_owned(),
            Type::Json => random.of(&["7", "\"text\"", "#true", "(json)\"[1, {\\\"a\\\": null}]\""]).to_owned(),
            Type::Percent => random.of(&["40", "\"7%\""]).to_owned(),
            Type::Sample => random.of(&["40", "0.5", "\"7%\"", "\"0.1%\""]).to_owned(),
            Type::Decimal => random.of(&["2", "0.5", "1.25"]).to_owned(),
            Type::Cidr => random.of(&["\"10.0.0.0/8\"", "\"fd00::/64\""]).to_owned(),
            Type::HttpsUrl => "\"https://example.com/team/code.git\"".to_owned(),
            Type::Bucket => random.of(&["\"bucket\"", "\"bucket/models/chat/\""]).to_owned(),
            Type::AbsolutePath => "\"/export/models\"".to_owned(),
            Type::Warning => "\"no_readiness\"".to_owned(),
            Type::Versions => "\">=0.1\"".to_owned(),
        }
    }
}

fn is_many(row: &NodeSchema) -> bool {
    matches!(row.count, Count::Many | Count::List | Count::Some)
}

/// Whether a node, or another that excludes it, was chosen.
fn is_there(chosen: &[&NodeSchema], row: &NodeSchema) -> bool {
    let excludes = |other: &&NodeSchema| match (other.count, row.count) {
        (Count::OneOf(one), Count::OneOf(two)) => one == two,
        _ => other.path == row.path,
    };
    !is_many(row) && chosen.iter().any(excludes)
}
