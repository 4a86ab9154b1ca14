//! One value: from what is written to what its type in the schema says.

use crate::{
    cron::{cron, day},
    guess,
    problem::Code,
    schema::{PROVIDERS, Type},
    suggest::did_you_mean,
    syntax::Scalar,
    version::Versions,
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use wharf_model::{
    Bytes, Cidr, CountOrPercent, Decimal, EnvValue, Json, MountPath, ProjectName, QuantityError, Sample, SecretName,
    parse_duration,
};

/// A value that its type admits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Typed {
    Text(Arc<str>),
    Integer(u32),
    Boolean(bool),
    Duration(Duration),
    Size(Bytes),
    Share(CountOrPercent),
    Secret(SecretName),
    Address(IpAddr),
    MountPath(MountPath),
    Variable(EnvValue),
    Sample(Sample),
    Decimal(Decimal),
    Cidr(Cidr),
    Json(Json),
    Versions(Versions),
}

/// Why a value is not admitted.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: Option<String>,
}

impl Refusal {
    fn new(code: Code, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { code, message: message.into(), label: label.into(), help: None }
    }

    pub(crate) fn invalid(message: impl ToString, label: impl Into<String>) -> Self {
        Self::new(Code::InvalidValue, message.to_string(), label)
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A year: longer waits are mistakes, and clocks overflow somewhere above.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// The largest size that anything may be limited to.
const LARGEST: Bytes = Bytes(1 << 50);
/// The largest count of instances beyond or below the count.
const COUNT: i128 = 1_000;

/// Reads a value of the node or property called `what`.
pub(crate) fn read(what: &str, ty: Type, value: &Scalar) -> Result<Typed, Refusal> {
    match (ty, value) {
        (_, Scalar::Text(text)) if text.contains('\0') => {
            Err(Refusal::invalid(format!("`{what}` holds a character with code zero"), "no program can be given that"))
        }
        (Type::Literal | Type::Parameter, _) => {
            literal(value).map(Typed::Text).ok_or_else(|| mismatch(what, ty, value))
        }
        (Type::Variable, _) => {
            literal(value).map(|text| Typed::Variable(EnvValue::Plain(text))).ok_or_else(|| mismatch(what, ty, value))
        }
        (Type::Integer { from, to }, Scalar::Integer(number)) => integer(what, *number, from, to).map(Typed::Integer),
        (Type::Share, Scalar::Integer(number)) => {
            let count = integer(what, *number, 0, COUNT as u32)?;
            Ok(Typed::Share(CountOrPercent::Count(count)))
        }
        (Type::Json, _) => json(value).map(Typed::Json).ok_or_else(|| mismatch(what, ty, value)),
        (Type::Percent, Scalar::Integer(number)) => integer(what, *number, 1, 100).map(Typed::Integer),
        (Type::Sample, Scalar::Integer(number)) => sample(&format!("{number}%")).map(Typed::Sample),
        (Type::Sample, Scalar::Float(number)) => sample(&format!("{number}%")).map(Typed::Sample),
        (Type::Decimal, Scalar::Integer(number)) => decimal(what, &number.to_string()).map(Typed::Decimal),
        (Type::Decimal, Scalar::Float(number)) => decimal(what, &number.to_string()).map(Typed::Decimal),
        (Type::Decimal, Scalar::Text(_)) => Err(mismatch(what, ty, value)),
        (Type::Boolean | Type::Flag, Scalar::Boolean(value)) => Ok(Typed::Boolean(*value)),
        (Type::Integer { .. } | Type::Boolean | Type::Flag | Type::Secret, Scalar::Text(_)) => {
            Err(mismatch(what, ty, value))
        }
        (_, Scalar::Text(text)) => read_text(what, ty, text),
        _ => Err(mismatch(what, ty, value)),
    }
}

/// Reads a reference to a secret.
pub(crate) fn read_secret(what: &str, ty: Type, value: &Scalar) -> Result<Typed, Refusal> {
    let Scalar::Text(text) = value else { return Err(mismatch(what, Type::Secret, value)) };
    let name: SecretName = text.parse().map_err(|error| Refusal::invalid(error, "not a name"))?;
    Ok(if ty == Type::Variable { Typed::Variable(EnvValue::Secret(name)) } else { Typed::Secret(name) })
}

fn read_text(what: &str, ty: Type, text: &Arc<str>) -> Result<Typed, Refusal> {
    match ty {
        Type::Name => text
            .parse::<ProjectName>()
            .map(|_| Typed::Text(Arc::clone(text)))
            .map_err(|error| Refusal::invalid(error, "not a name")),
        Type::Duration { zero } => duration(what, text, zero).map(Typed::Duration),
        Type::Size => size(what, text).map(Typed::Size),
        Type::Share => CountOrPercent::parse(text).map(Typed::Share).map_err(|error| share(text, &error)),
        Type::Word(words) => word(what, text, words),
        Type::Address => text.parse().map(Typed::Address).map_err(|_| {
            Refusal::invalid(format!("`{text}` is not an IP address"), "not an address")
                .help("an address such as 127.0.0.1, 0.0.0.0 or ::1, without a port")
        }),
        Type::MountPath => {
            text.parse().map(Typed::MountPath).map_err(|error| Refusal::invalid(error, "cannot be mounted at"))
        }
        Type::UrlPath { query } => url_path(text, query).map(Typed::Text),
        Type::Image => image(text).map(Typed::Text),
        Type::Requirement => requirement(text).map(Typed::Text),
        Type::Percent => percent(what, text).map(Typed::Integer),
        Type::Sample => sample(text).map(Typed::Sample),
        Type::Cron => cron(text).map(Typed::Text),
        Type::TimeZone => time_zone(text).map(Typed::Text),
        Type::Day => day(text).map(Typed::Text),
        Type::Cidr => text.parse().map(Typed::Cidr).map_err(|error| {
            let help = Code::of_word(text).map(|_| format!("write `allow-warning \"{text}\"` to let a warning pass"));
            Refusal { help, ..Refusal::invalid(error, "not a range of addresses") }
        }),
        Type::HttpsUrl => https_url(text).map(Typed::Text),
        Type::Bucket => bucket(text).map(Typed::Text),
        Type::AbsolutePath => absolute_path(text).map(Typed::Text),
        Type::Warning => warning(text).map(|code| Typed::Text(code.short().into())),
        Type::Versions => Versions::parse(text).map(Typed::Versions).map_err(|error| {
            Refusal::invalid(error, "not versions").help("write for example \">=0.1\", or \">=0.1, <2\"")
        }),
        _ => Ok(Typed::Text(Arc::clone(text))),
    }
}

fn literal(value: &Scalar) -> Option<Arc<str>> {
    match value {
        Scalar::Text(text) => Some(Arc::clone(text)),
        Scalar::Integer(number) => Some(number.to_string().into()),
        Scalar::Float(number) if number.is_finite() => Some(number.to_string().into()),
        Scalar::Boolean(value) => Some(value.to_string().into()),
        Scalar::Float(_) | Scalar::Null => None,
    }
}

fn integer(what: &str, number: i128, from: u32, to: u32) -> Result<u32, Refusal> {
    u32::try_from(number).ok().filter(|number| (from..=to).contains(number)).ok_or_else(|| {
        let message = format!("`{what}` is {number}, but goes from {from} to {to}");
        Refusal::new(Code::OutOfRange, message, "out of range")
    })
}

fn percent(what: &str, text: &str) -> Result<u32, Refusal> {
    match CountOrPercent::parse(text).map_err(|error| share(text, &error))? {
        CountOrPercent::Percent(share) => integer(what, i128::from(share), 1, 100),
        CountOrPercent::Count(count) => integer(what, i128::from(count), 1, 100),
    }
}

fn sample(text: &str) -> Result<Sample, Refusal> {
    text.parse().map_err(|error| {
        let refusal = match error {
            QuantityError::Range { .. } => Refusal::new(Code::OutOfRange, error.to_string(), "out of range"),
            _ => Refusal::invalid(error, "not a percentage"),
        };
        refusal.help("a percentage goes from \"0.1%\" to \"100%\", in steps of \"0.1%\"")
    })
}

/// Reads a value of a runtime's own language from its text.
pub(crate) fn read_json(what: &str, value: &Scalar) -> Result<Typed, Refusal> {
    let Scalar::Text(text) = value else { return Err(mismatch(what, Type::Text, value)) };
    let read: Result<serde_json::Value, _> = serde_json::from_str(text);
    read.map(|value| Typed::Json(Json(value.to_string().into()))).map_err(|error| {
        Refusal::invalid(format!("this is not JSON: {error}"), "not JSON").help("write for example (json)\"[1, 2]\"")
    })
}

fn json(value: &Scalar) -> Option<Json> {
    let value = match value {
        Scalar::Text(text) => serde_json::Value::from(&**text),
        Scalar::Integer(number) => serde_json::Value::from(i64::try_from(*number).ok()?),
        Scalar::Float(number) => serde_json::Value::from(serde_json::Number::from_f64(*number)?),
        Scalar::Boolean(value) => serde_json::Value::from(*value),
        Scalar::Null => serde_json::Value::Null,
    };
    Some(Json(value.to_string().into()))
}

fn time_zone(text: &Arc<str>) -> Result<Arc<str>, Refusal> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_+-".contains(letter);
    let parts: Vec<_> = text.split('/').collect();
    let fits = parts.len() > 1 && parts.iter().all(|part| !part.is_empty() && part.chars().all(plain));
    if &**text != "UTC" && !fits {
        let refusal = Refusal::invalid(format!("`{text}` is not a time zone"), "not a time zone");
        return Err(refusal.help("write \"UTC\", or an area and a place such as \"Asia/Shanghai\""));
    }
    Ok(Arc::clone(text))
}

fn decimal(what: &str, text: &str) -> Result<Decimal, Refusal> {
    let number: Decimal = text.parse().map_err(|_| {
        let message = format!("`{what}` is {text}, but takes {}", Type::Decimal.describe());
        Refusal::new(Code::OutOfRange, message, "out of range")
    })?;
    if number.is_zero() {
        return Err(Refusal::new(Code::OutOfRange, format!("`{what}` must be more than zero"), "nothing at all"));
    }
    Ok(number)
}

/// Whether a text can stand in an address: no blanks, nothing that needs to be written otherwise.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_graphic())
}

fn https_url(text: &Arc<str>) -> Result<Arc<str>, Refusal> {
    let rest = text.strip_prefix("https://").filter(|rest| is_plain(rest) && !rest.starts_with('/'));
    let Some(rest) = rest else {
        let refusal = Refusal::invalid(format!("`{text}` is not an address with https"), "not such an address");
        return Err(refusal.help("it starts with `https://` and holds no blanks"));
    };
    if rest.split('/').next().is_some_and(|host| host.contains('@')) {
        let refusal =
            Refusal::new(Code::SecretExpected, "the address holds a user or a password", "part of it is secret");
        return Err(refusal.help("leave them out; where a login is needed, it has properties of its own"));
    }
    Ok(Arc::clone(text))
}

fn bucket(text: &Arc<str>) -> Result<Arc<str>, Refusal> {
    let refuse = |label: &'static str, help: String| {
        Err(Refusal::invalid(format!("`{text}` is not a bucket and a folder in it"), label).help(help))
    };
    if let Some((scheme @ ("oss" | "s3"), rest)) = text.split_once("://") {
        return refuse("starts with a scheme", format!("the node says that already: `{scheme} \"{rest}\"`"));
    }
    let name = text.split('/').next().unwrap_or_default();
    let fits = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, b'-' | b'.');
    if !(3..=63).contains(&name.len()) || !name.bytes().all(fits) {
        let help = "a bucket has 3 to 63 lower-case letters, digits, `-` and `.`";
        return refuse("begins with no name of a bucket", help.to_owned());
    }
    if !is_plain(text) || text.contains("//") || text.split('/').any(|part| matches!(part, "." | "..")) {
        return refuse("has a part that is no folder", "write for example \"bucket/models/chat/\"".to_owned());
    }
    Ok(Arc::clone(text))
}

fn absolute_path(text: &Arc<str>) -> Result<Arc<str>, Refusal> {
    let parts = || text.split('/').skip(1);
    if !text.starts_with('/') || text.chars().any(char::is_control) || parts().any(|part| matches!(part, "." | "..")) {
        return Err(Refusal::invalid(
            format!("`{text}` is not an absolute path without `.` and `..`"),
            "not such a path",
        ));
    }
    Ok(Arc::clone(text))
}

fn quantity(error: &QuantityError) -> Refusal {
    match error {
        QuantityError::Shape { .. } => Refusal::invalid(error, "not understood"),
        QuantityError::Range { found } => {
            let refusal = Refusal::new(Code::OutOfRange, error.to_string(), "out of range");
            let help = found.ends_with('%').then(|| "a percentage goes from \"0%\" to \"100%\"".to_owned());
            Refusal { help, ..refusal }
        }
    }
}

fn share(text: &str, error: &QuantityError) -> Refusal {
    let refusal = quantity(error);
    let number = text.trim().trim_end_matches('%').trim_end();
    let plain = number.len() <= 3 && number.parse::<u8>().is_ok_and(|number| number <= 100);
    let help = plain.then(|| match text.contains('%') {
        true => format!("write \"{number}%\""),
        false => format!("write {number} without quotes, or \"{number}%\""),
    });
    Refusal { help: refusal.help.clone().or(help), ..refusal }
}

fn duration(what: &str, text: &str, zero: bool) -> Result<Duration, Refusal> {
    let span = parse_duration(text).map_err(|error| Refusal { help: guess::duration(text), ..quantity(&error) })?;
    if span.is_zero() && !zero {
        return Err(Refusal::new(Code::OutOfRange, format!("`{what}` must be more than zero"), "no time at all"));
    }
    if span > LONGEST {
        return Err(Refusal::new(Code::OutOfRange, format!("`{what}` is longer than a year"), "out of range"));
    }
    Ok(span)
}

fn size(what: &str, text: &str) -> Result<Bytes, Refusal> {
    let size = Bytes::parse(text).map_err(|error| Refusal { help: guess::size(text), ..quantity(&error) })?;
    if size.0 == 0 || size > LARGEST {
        let message = format!("`{what}` is {text}, but goes from 1B to {LARGEST}");
        return Err(Refusal::new(Code::OutOfRange, message, "out of range"));
    }
    Ok(size)
}

fn word(what: &str, text: &Arc<str>, words: &'static [&'static str]) -> Result<Typed, Refusal> {
    if words.contains(&&**text) {
        return Ok(Typed::Text(Arc::clone(text)));
    }
    let help = did_you_mean(text, words.iter().copied());
    let refusal = if words == PROVIDERS {
        Refusal::new(Code::UnknownProvider, format!("there is no provider `{text}`"), "not a provider")
    } else {
        Refusal::invalid(format!("`{what}` cannot be `{text}`"), "not one of its words")
    };
    Err(Refusal { help, ..refusal })
}

fn warning(text: &str) -> Result<Code, Refusal> {
    let (message, help) = match Code::of_word(text) {
        Some(code) if code.is_warning() => return Ok(code),
        Some(code) => (format!("`{}` is an error, and only warnings can be allowed", code.short()), None),
        None => {
            let last = text.rsplit("::").next().unwrap_or_default();
            (format!("there is no warning `{text}`"), did_you_mean(last, Code::warnings()))
        }
    };
    let help = help.unwrap_or_else(|| format!("`wharf explain {}` shows the way out", text.trim()));
    Err(Refusal::new(Code::UnknownWarning, message, "not a warning").help(help))
}

fn url_path(text: &Arc<str>, query: bool) -> Result<Arc<str>, Refusal> {
    let refuse = |label: &'static str| Err(Refusal::invalid(format!("`{text}` is not the path of a URL"), label));
    if !text.starts_with('/') {
        return refuse("does not start with `/`");
    }
    if text.chars().any(|letter| letter.is_whitespace() || letter.is_control() || !letter.is_ascii()) {
        return refuse("holds a character that must be percent-encoded");
    }
    if text.contains('#') || (!query && text.contains('?')) {
        return refuse(if query { "`#` has no place in it" } else { "`?` and `#` have no place in it" });
    }
    let path = text.split('?').next().unwrap_or_default();
    if path.contains("//") || path.split('/').any(|part| matches!(part, "." | "..")) {
        return refuse("holds an empty part, `.` or `..`");
    }
    Ok(Arc::clone(text))
}

fn image(text: &Arc<str>) -> Result<Arc<str>, Refusal> {
    if text.is_empty()
        || text.starts_with('-')
        || text.chars().any(|letter| letter.is_whitespace() || letter.is_control())
    {
        let message = format!("`{text}` is not the reference of an image");
        return Err(Refusal::invalid(message, "not an image").help("for example \"registry.example.com/chat:1.4.2\""));
    }
    Ok(Arc::clone(text))
}

/// A requirement is handed to pip as one word, so it must not be an option of pip, nor hide a second one.
fn requirement(text: &Arc<str>) -> Result<Arc<str>, Refusal> {
    if text.starts_with('-') {
        let message = format!("`{text}` is an option of pip, not a requirement");
        return Err(Refusal::invalid(message, "starts with `-`").help("name libraries only, such as \"flask==2.3.3\""));
    }
    let hidden = text.trim().is_empty() || text.starts_with('#') || text.chars().any(char::is_control);
    if hidden {
        let message = format!("{text:?} is not a pip requirement");
        return Err(Refusal::invalid(message, "not a requirement").help("one library each, such as \"flask==2.3.3\""));
    }
    Ok(Arc::clone(text))
}

fn mismatch(what: &str, ty: Type, found: &Scalar) -> Refusal {
    let is = match found {
        Scalar::Text(_) => "text",
        Scalar::Integer(_) => "a number",
        Scalar::Float(number) if number.is_nan() => "NaN",
        Scalar::Float(number) if number.is_infinite() => "infinity",
        Scalar::Float(_) => "a fraction",
        Scalar::Boolean(_) => "a boolean",
        Scalar::Null => "null",
    };
    let message = format!("`{what}` takes {}, not {is}", ty.describe());
    let code = if ty == Type::Secret { Code::SecretExpected } else { Code::WrongType };
    Refusal { help: mismatch_help(ty, found), ..Refusal::new(code, message, format!("this is {is}")) }
}

fn mismatch_help(ty: Type, found: &Scalar) -> Option<String> {
    let help = match (ty, found) {
        (Type::Secret, _) => {
            "declare `secret \"name\" { env \"VARIABLE\" }` and write `(secret)\"name\"`; never the value itself"
                .to_owned()
        }
        (Type::Integer { .. }, Scalar::Text(text)) if text.parse::<u32>().is_ok() => {
            format!("write the number without quotes: {text}")
        }
        (Type::Duration { .. }, Scalar::Integer(number)) => format!("add a unit: {}", guess::durations(*number)),
        (Type::Size, Scalar::Integer(number)) => format!("add a unit: {}", guess::sizes(*number)),
        (Type::Decimal, Scalar::Text(text)) if guess::cores(text).is_some() => guess::cores(text)?,
        (Type::Percent | Type::Share, Scalar::Float(_)) => "write for example \"40%\"".to_owned(),
        (Type::Boolean | Type::Flag, Scalar::Integer(number @ (0 | 1))) => format!("write #{}", *number == 1),
        (Type::Boolean | Type::Flag, Scalar::Text(text)) if said(text).is_some() => format!("write #{}", said(text)?),
        (Type::Decimal, Scalar::Text(text)) if text.parse::<Decimal>().is_ok() => {
            format!("write the number without quotes: {text}")
        }
        (Type::Text | Type::Name, Scalar::Integer(number)) => format!("put it in quotes: \"{number}\""),
        (Type::Text | Type::Name, Scalar::Boolean(value)) => format!("put it in quotes: \"{value}\""),
        _ => return None,
    };
    Some(help)
}

/// What other languages mean by a word.
fn said(text: &str) -> Option<bool> {
    match &*text.to_lowercase() {
        "true" | "yes" | "on" | "enabled" => Some(true),
        "false" | "no" | "off" | "disabled" => Some(false),
        _ => None,
    }
}

/// The value that a default in the schema stands for.
pub(crate) fn read_default(what: &str, ty: Type, text: &str) -> Option<Typed> {
    read(what, ty, &default_scalar(text)).ok()
}

/// A default of the table as it would be written.
pub(crate) fn default_scalar(text: &str) -> Scalar {
    match text {
        "#true" => Scalar::Boolean(true),
        "#false" => Scalar::Boolean(false),
        _ => text.parse().map_or_else(|_| Scalar::Text(text.into()), Scalar::Integer),
    }
}

/// The value as that which tells nodes apart.
pub(crate) fn key(value: &Typed) -> Option<String> {
    match value {
        Typed::Text(text) => Some(text.to_string()),
        Typed::MountPath(path) => Some(path.to_string()),
        Typed::Secret(name) => Some(name.to_string()),
        Typed::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Takes a typed value apart; the schema says of which kind it is.
pub(crate) trait FromTyped: Sized {
    fn from_typed(value: &Typed) -> Option<Self>;
}

macro_rules! from_typed {
    ($($kind:ident => $target:ty,)*) => {
        $(impl FromTyped for $target {
            fn from_typed(value: &Typed) -> Option<Self> {
                match value {
                    Typed::$kind(value) => Some(value.clone()),
                    _ => None,
                }
            }
        })*
    };
}

from_typed! {
    Text => Arc<str>,
    Integer => u32,
    Boolean => bool,
    Duration => Duration,
    Size => Bytes,
    Share => CountOrPercent,
    Secret => SecretName,
    Address => IpAddr,
    MountPath => MountPath,
    Variable => EnvValue,
    Sample => Sample,
    Decimal => Decimal,
    Cidr => Cidr,
    Json => Json,
    Versions => Versions,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::schema;

    fn check(ty: Type, value: Scalar, expected: Result<(), &str>) {
        let found = read("field", ty, &value).map(|_| ()).map_err(|refusal| refusal.message);
        assert_eq!(found, expected.map_err(str::to_owned), "{value:?}");
    }

    fn text(text: &str) -> Scalar {
        Scalar::Text(text.into())
    }

    #[test]
    fn every_default_in_the_schema_is_of_its_type() {
        for row in schema() {
            if let Some(default) = row.default {
                assert!(read_default(row.name(), row.arguments[0].ty, default).is_some(), "{}", row.path);
            }
            for property in row.properties {
                let Some(default) = property.default else { continue };
                assert!(read_default(property.name, property.ty, default).is_some(), "{} {}", row.path, property.name);
            }
        }
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let port = Type::Integer { from: 1, to: 65_535 };
        check(port, Scalar::Integer(1), Ok(()));
        check(port, Scalar::Integer(0), Err("`field` is 0, but goes from 1 to 65535"));
        check(port, Scalar::Integer(i128::MAX), Err(&format!("`field` is {}, but goes from 1 to 65535", i128::MAX)));
        check(port, Scalar::Float(f64::INFINITY), Err("`field` takes a whole number from 1 to 65535, not infinity"));
        check(Type::Duration { zero: false }, text("0s"), Err("`field` must be more than zero"));
        check(Type::Duration { zero: true }, text("0s"), Ok(()));
        check(Type::Duration { zero: true }, text("9000h"), Err("`field` is longer than a year"));
        check(Type::Size, text("0B"), Err("`field` is 0B, but goes from 1B to 1024TiB"));
        check(
            Type::Variable,
            Scalar::Float(f64::NAN),
            Err("`field` takes text, a number, a boolean or (secret)\"name\", not NaN"),
        );
    }

    #[test]
    fn texts_are_what_their_type_says() {
        check(Type::UrlPath { query: true }, text("/health?deep=1"), Ok(()));
        check(Type::UrlPath { query: false }, text("/health?deep=1"), Err("`/health?deep=1` is not the path of a URL"));
        check(Type::UrlPath { query: false }, text("health"), Err("`health` is not the path of a URL"));
        check(Type::UrlPath { query: false }, text("/a/../b"), Err("`/a/../b` is not the path of a URL"));
        check(Type::Requirement, text("uvicorn[standard]>=0.2; python_version > '3'"), Ok(()));
        check(
            Type::Requirement,
            text("-r /etc/passwd"),
            Err("`-r /etc/passwd` is an option of pip, not a requirement"),
        );
        check(Type::Requirement, text("flask\n-r x"), Err("\"flask\\n-r x\" is not a pip requirement"));
        check(Type::Text, text("a\0b"), Err("`field` holds a character with code zero"));
    }
}
