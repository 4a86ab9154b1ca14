//! What an input of a project and a parameter of a template have in common: a name, a type, a default, and the values
//! that are allowed.

use crate::{
    interpolate::{Value, Values},
    layer::{Filled, Setting},
    problem::{Code, Problem, Problems},
    source::Place,
    suggest::either,
    syntax::{Entry, Node, Scalar},
};
use std::{sync::Arc, time::Duration};
use wharf_model::{Bytes, parse_duration};

/// The type of an input or a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Duration,
    Size,
}

/// An input or a parameter, as it is declared.
#[derive(Debug)]
pub(crate) struct Declared {
    /// `input` or `param`.
    pub(crate) word: &'static str,
    pub(crate) name: Arc<str>,
    pub(crate) at: Place,
    /// None when its type is not known, which is reported where it is admitted.
    kind: Option<Kind>,
    default: Option<(Scalar, Place)>,
    allowed: Vec<(Scalar, Place)>,
}

impl Declared {
    /// Takes the declarations from the tree as it is, since nothing else can be read before their values are known. What
    /// does not fit the schema is reported where the tree is held against it.
    pub(crate) fn gather(nodes: &[Node], word: &'static str) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for node in nodes.iter().filter(|node| &*node.name.text == word) {
            let Some(declared) = Self::read(node, word) else { continue };
            if found.iter().all(|known| known.name != declared.name) {
                found.push(declared);
            }
        }
        found
    }

    fn read(node: &Node, word: &'static str) -> Option<Self> {
        let first = node.entries.iter().find(|entry| entry.key.is_none())?;
        let property = |name: &str| {
            let named = |entry: &&Entry| entry.key.as_ref().is_some_and(|key| &*key.text == name);
            node.entries.iter().find(named)
        };
        // That it stands in the block is reported there.
        let misplaced = || node.block.iter().flatten().find(|child| &*child.name.text == "default")?.entries.first();
        let kind = match property("type").map(|entry| &entry.value) {
            None => Some(Kind::String),
            Some(Scalar::Text(word)) => Kind::parse(word),
            Some(_) => None,
        };
        let values = |node: &Node| node.entries.clone().into_iter().map(|entry| (entry.value, entry.at));
        let allowed = node.block.iter().flatten().filter(|child| &*child.name.text == "allowed").flat_map(values);
        Some(Self {
            word,
            name: text(&first.value)?,
            at: first.at,
            kind,
            default: property("default").or_else(misplaced).map(|entry| (entry.value.clone(), entry.at)),
            allowed: allowed.collect(),
        })
    }

    /// Whether it must be given.
    pub(crate) fn is_needed(&self) -> bool {
        self.default.is_none()
    }

    /// The value that a text stands for, as the caller gives it.
    pub(crate) fn read_text(&self, given: &str, by: Setting) -> Result<Option<Value>, String> {
        let Some(kind) = self.kind else { return Ok(None) };
        let scalar = kind.parse_text(given).ok_or_else(|| format!("takes {}", kind.describe()))?;
        self.must_be_allowed(kind, &scalar)?;
        Ok(Some(Value { scalar, text: given.into(), by }))
    }

    /// The value that stands in a file.
    pub(crate) fn read_scalar(&self, given: &Scalar, by: Setting) -> Result<Option<Value>, String> {
        let Some(kind) = self.kind else { return Ok(None) };
        let scalar = kind.admit(given).ok_or_else(|| format!("takes {}", kind.describe()))?;
        self.must_be_allowed(kind, &scalar)?;
        Ok(text(&scalar).map(|text| Value { scalar, text, by }))
    }

    fn must_be_allowed(&self, kind: Kind, value: &Scalar) -> Result<(), String> {
        let same = |allowed: &Scalar| kind.admit(allowed).is_some_and(|allowed| kind.same(&allowed, value));
        if self.allowed.is_empty() || self.allowed.iter().any(|(allowed, _)| same(allowed)) {
            return Ok(());
        }
        let words: Vec<_> = self.allowed.iter().filter_map(|(allowed, _)| text(allowed)).collect();
        let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        Err(format!("may only be {}", either(&words)))
    }

    /// The default, when nobody gave a value.
    pub(crate) fn default(&self) -> Option<Value> {
        let (scalar, at) = self.default.as_ref()?;
        self.read_scalar(scalar, Setting::Default(*at)).ok().flatten()
    }

    /// Reports a default, or an allowed value, that the type does not admit.
    pub(crate) fn check(&self, problems: &mut Problems) {
        let Some(kind) = self.kind else { return };
        let title = format!("{} `{}`", self.word, self.name);
        let mut refuse = |value: &Scalar, at: Place, why: &str, what: &str| {
            let written = text(value).unwrap_or_else(|| "#null".into());
            let message = format!("{what} of {title} is `{written}`, but it {why}");
            let problem = Problem::error(Code::InputValue, message).at(at, "does not fit");
            problems.push(problem.help(self.way_out(value, &[])));
        };
        for (value, at) in self.allowed.iter().filter(|(value, _)| kind.admit(value).is_none()) {
            refuse(value, *at, &format!("takes {}", kind.describe()), "an allowed value");
        }
        if let Some((value, at)) = &self.default
            && let Err(why) = self.read_scalar(value, Setting::Default(*at))
        {
            refuse(value, *at, &why, "the default");
        }
    }

    /// What to do about a text that would fit if it were no text.
    pub(crate) fn way_out(&self, value: &Scalar, filled: &[Filled]) -> Option<String> {
        let kind = self.kind.filter(|kind| kind.admit(value).is_none())?;
        let Scalar::Text(text) = value else { return None };
        kind.parse_text(text)?;
        Some(match filled {
            [] if kind == Kind::Boolean => format!("write it without quotes: #{}", text.trim_start_matches('#')),
            [] => format!("write it without quotes: {text}"),
            [filled, ..] => format!("`{}` is text; declare it with `type=\"{}\"`", filled.name, kind.word()),
        })
    }

    /// Takes the default of each that has none in `values`.
    pub(crate) fn fill(declared: &[Self], values: &mut Values) {
        for one in declared {
            values.entry(Arc::clone(&one.name)).or_insert_with(|| one.default());
        }
    }
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        let kinds = [Self::String, Self::Integer, Self::Number, Self::Boolean, Self::Duration, Self::Size];
        kinds.into_iter().find(|kind| kind.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Duration => "duration",
            Self::Size => "size",
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Duration => "a duration such as 30s",
            Self::Size => "a size such as 4GiB",
        }
    }

    fn parse_text(self, given: &str) -> Option<Scalar> {
        let integer = || given.parse().ok().map(Scalar::Integer);
        match self {
            Self::String => Some(Scalar::Text(given.into())),
            Self::Integer => integer(),
            Self::Number => integer().or_else(|| {
                let number = given.parse().ok().filter(|number: &f64| number.is_finite());
                number.map(Scalar::Float)
            }),
            Self::Boolean => match given {
                "true" | "#true" => Some(Scalar::Boolean(true)),
                "false" | "#false" => Some(Scalar::Boolean(false)),
                _ => None,
            },
            Self::Duration => parse_duration(given).ok().map(|_| Scalar::Text(given.into())),
            Self::Size => Bytes::parse(given).ok().map(|_| Scalar::Text(given.into())),
        }
    }

    fn admit(self, value: &Scalar) -> Option<Scalar> {
        match (self, value) {
            (Self::String, value) => text(value).map(Scalar::Text),
            (Self::Integer | Self::Number, Scalar::Integer(_))
            | (Self::Number, Scalar::Float(_))
            | (Self::Boolean, Scalar::Boolean(_)) => Some(value.clone()),
            (Self::Duration | Self::Size, Scalar::Text(text)) => self.parse_text(text),
            _ => None,
        }
    }

    /// Whether both mean the same, as `60s` and `1m` do.
    fn same(self, one: &Scalar, other: &Scalar) -> bool {
        match (self, one, other) {
            (Self::Duration, Scalar::Text(one), Scalar::Text(other)) => span(one) == span(other),
            (Self::Size, Scalar::Text(one), Scalar::Text(other)) => Bytes::parse(one).ok() == Bytes::parse(other).ok(),
            _ => one == other,
        }
    }
}

fn span(text: &str) -> Option<Duration> {
    parse_duration(text).ok()
}

/// A value as it stands in a longer text.
fn text(scalar: &Scalar) -> Option<Arc<str>> {
    match scalar {
        Scalar::Text(text) => Some(Arc::clone(text)),
        Scalar::Integer(number) => Some(number.to_string().into()),
        Scalar::Float(number) if number.is_finite() => Some(number.to_string().into()),
        Scalar::Boolean(value) => Some(value.to_string().into()),
        Scalar::Float(_) | Scalar::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::KINDS;

    fn check(kind: Kind, given: &str, expected: Option<Scalar>) {
        assert_eq!(kind.parse_text(given), expected, "{given}");
    }

    #[test]
    fn texts_are_read_as_the_type_says() {
        check(Kind::Integer, "-3", Some(Scalar::Integer(-3)));
        check(Kind::Integer, "3.5", None);
        check(Kind::Number, "3", Some(Scalar::Integer(3)));
        check(Kind::Number, "3.5", Some(Scalar::Float(3.5)));
        check(Kind::Number, "inf", None);
        check(Kind::Boolean, "true", Some(Scalar::Boolean(true)));
        check(Kind::Boolean, "yes", None);
        check(Kind::Duration, "30", None);
        check(Kind::Size, "4GiB", Some(Scalar::Text("4GiB".into())));
    }

    #[test]
    fn the_words_of_the_schema_are_the_types() {
        assert!(KINDS.iter().all(|word| Kind::parse(word).is_some()));
        assert_eq!(Kind::parse("size"), Some(Kind::Size));
        assert_eq!(Kind::parse("int"), None);
    }
}
