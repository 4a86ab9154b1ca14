//! Where the record of an environment is kept.

use super::found;
use crate::{
    admit::Admit,
    block::{Block, Found},
    problem::{Code, Problem},
};
use std::sync::Arc;
use wharf_model::{BucketSpec, BucketStyle, StateSpec};

/// What a value must look like, and how to say so.
struct Shape {
    name: &'static str,
    fits: fn(&str) -> bool,
    what: &'static str,
    help: &'static str,
}

const RECIPIENT: Shape = Shape {
    name: "recipient",
    fits: is_recipient,
    what: "a recipient of age",
    help: "write what `age-keygen -y FILE` prints of an identity: `age1` and 58 letters and digits",
};

const SHAPES: [Shape; 4] = [
    Shape {
        name: "bucket",
        fits: is_bucket,
        what: "the name of a bucket",
        help: "a bucket has 3 to 63 lower-case letters, digits, `-` and `.`; a folder in it is `prefix=`",
    },
    Shape {
        name: "prefix",
        fits: is_prefix,
        what: "a folder in a bucket",
        help: "write for example `prefix=\"chat/prod\"`, without a slash at either end",
    },
    Shape { name: "region", fits: is_region, what: "a region", help: "write for example `region=\"eu-central-1\"`" },
    Shape {
        name: "endpoint",
        fits: is_endpoint,
        what: "the address of a server",
        help: "write for example `endpoint=\"https://storage.example.com\"`, without the bucket and without a path",
    },
];

/// Refuses values that no server could be asked for.
pub(super) fn check(admit: &mut Admit<'_>, block: &Block) {
    SHAPES.iter().for_each(|shape| look_at(admit, block, shape));
    encrypts(block).for_each(|child| look_at(admit, child, &RECIPIENT));
}

fn look_at(admit: &mut Admit<'_>, block: &Block, Shape { name, fits, what, help }: &Shape) {
    let Some(Found { value, at, .. }) = block.property::<Arc<str>>(name) else { return };
    if !fits(&value) {
        let problem = Problem::error(Code::InvalidValue, format!("`{value}` is not {what}"));
        admit.problems.push(problem.at(at, "not this").help((*help).to_owned()));
    }
}

fn encrypts(block: &Block) -> impl Iterator<Item = &Block> {
    block.children.iter().filter(|child| child.row.name() == "encrypt")
}

/// Where the record is kept; none when that is not said soundly.
pub(super) fn state(environment: &Block) -> Option<StateSpec> {
    let Some(block) = environment.child("state") else { return Some(StateSpec::Folder) };
    let style = found::<Arc<str>>(block, "style").map(|word| match &*word {
        "host" => BucketStyle::Host,
        _ => BucketStyle::Path,
    });
    let spec = BucketSpec {
        bucket: found(block, "bucket")?,
        prefix: found(block, "prefix"),
        region: found(block, "region"),
        endpoint: found(block, "endpoint"),
        style,
    };
    let recipients = encrypts(block).map(|child| found(child, "recipient")).collect::<Option<_>>()?;
    Some(StateSpec::Bucket { spec, recipients })
}

fn is_bucket(text: &str) -> bool {
    let fits = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, b'-' | b'.');
    (3..=63).contains(&text.len()) && text.bytes().all(fits)
}

fn is_prefix(text: &str) -> bool {
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_' | b'.');
    let part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(fits);
    text.len() <= 512 && text.split('/').all(part)
}

/// Whether it is one by its look; whether its letters hold together is seen when it is used.
fn is_recipient(text: &str) -> bool {
    let fits = |letter: u8| letter.is_ascii_digit() || letter.is_ascii_lowercase();
    text.strip_prefix("age1").is_some_and(|rest| rest.len() == 58 && rest.bytes().all(fits))
}

fn is_region(text: &str) -> bool {
    let fits = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
    (1..=40).contains(&text.len()) && text.bytes().all(fits)
}

fn is_endpoint(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'.');
    let six = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host =
        six.map_or_else(|| !host.is_empty() && host.bytes().all(fits), |six| six.parse::<std::net::Ipv6Addr>().is_ok());
    is_host && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}
