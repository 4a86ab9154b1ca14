//! `${input.name}` and `${param.name}` in texts.
//!
//! Every `${` must be an interpolation, so that a slip of the pen is not taken for text; `$${` stands for `${`. A text
//! that is one interpolation and nothing else becomes the value itself, with its type.

use crate::{
    layer::{Filled, Setting},
    syntax::Scalar,
};
use std::{collections::BTreeMap, sync::Arc};

/// Inputs or parameters by name; nothing where nobody gave a value, which is reported elsewhere.
pub(crate) type Values = BTreeMap<Arc<str>, Option<Value>>;

/// The value of an input or a parameter.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// With the type that it was declared with.
    pub(crate) scalar: Scalar,
    /// As it stands in a longer text.
    pub(crate) text: Arc<str>,
    pub(crate) by: Setting,
}

/// What can be filled in.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) inputs: Arc<Values>,
    /// Only in a template.
    pub(crate) parameters: Option<Values>,
}

/// A text with everything filled in.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) scalar: Scalar,
    /// The same as text, where it is none.
    pub(crate) text: Option<Arc<str>>,
    pub(crate) filled: Vec<Filled>,
}

impl Resolved {
    /// Something in which nothing was filled in.
    pub(crate) fn plain(scalar: Scalar) -> Self {
        Self { scalar, text: None, filled: vec![] }
    }
}

/// What a name in a text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Input,
    Parameter,
}

/// Why a text cannot be resolved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No `}` follows.
    Open,
    /// Neither an input nor a parameter.
    Foreign(String),
    /// A parameter outside of a template.
    Outside(String),
    /// No such input or parameter.
    Unknown(Kind, String),
    /// One that has no value.
    NoValue,
}

/// Fills in a text. The number beside a trouble says which `${` it is, counted from zero.
pub(crate) fn interpolate(text: &Arc<str>, scope: &Scope) -> Result<Resolved, Vec<(usize, Trouble)>> {
    if !text.contains("${") {
        return Ok(Resolved::plain(Scalar::Text(Arc::clone(text))));
    }
    let (mut done, mut rest, mut count, mut troubles) = (String::new(), &**text, 0, Vec::new());
    let (mut filled, mut whole) = (Vec::new(), None);
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            done.push_str(before);
            done.push_str("${");
            rest = &rest[at + 2..];
        } else {
            done.push_str(&rest[..at]);
            let Some((inner, after)) = rest[at + 2..].split_once('}') else {
                troubles.push((count, Trouble::Open));
                break;
            };
            match resolve(inner, scope) {
                Ok(value) => {
                    let only = at == 0 && after.is_empty() && rest.len() == text.len();
                    whole = only.then(|| value.scalar.clone());
                    done.push_str(&value.text);
                    let (name, text, by) = (inner.trim().into(), Arc::clone(&value.text), value.by.clone());
                    filled.push(Filled { name, text, by });
                }
                Err(trouble) => troubles.push((count, trouble)),
            }
            rest = after;
        }
        count += 1;
    }
    done.push_str(rest);
    if !troubles.is_empty() {
        return Err(troubles);
    }
    let text: Arc<str> = done.into();
    Ok(match whole {
        Some(scalar) => Resolved { scalar, text: Some(text), filled },
        None => Resolved { scalar: Scalar::Text(text), text: None, filled },
    })
}

/// A text in which nothing is filled in, as it must be written.
pub(crate) fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

fn resolve<'a>(inner: &str, scope: &'a Scope) -> Result<&'a Value, Trouble> {
    let word = inner.trim();
    let (kind, name, values) = if let Some(name) = word.strip_prefix("input.") {
        (Kind::Input, name, &*scope.inputs)
    } else if let Some(name) = word.strip_prefix("param.") {
        (Kind::Parameter, name, scope.parameters.as_ref().ok_or_else(|| Trouble::Outside(inner.to_owned()))?)
    } else {
        return Err(Trouble::Foreign(inner.to_owned()));
    };
    let value = values.get(name).ok_or_else(|| Trouble::Unknown(kind, name.to_owned()))?;
    value.as_ref().ok_or(Trouble::NoValue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<Scalar, Vec<(usize, Trouble)>>) {
        let value = |scalar: Scalar, text: &str| Some(Value { scalar, text: text.into(), by: Setting::Argument });
        let inputs = Values::from([
            ("tag".into(), value(Scalar::Text("1.2".into()), "1.2")),
            ("count".into(), value(Scalar::Integer(4), "4")),
            ("void".into(), None),
        ]);
        let scope = Scope { inputs: inputs.into(), parameters: None };
        assert_eq!(interpolate(&text.into(), &scope).map(|resolved| resolved.scalar), expected, "{text}");
    }

    fn text(text: &str) -> Result<Scalar, Vec<(usize, Trouble)>> {
        Ok(Scalar::Text(text.into()))
    }

    #[test]
    fn inputs_are_filled_in() {
        check("plain", text("plain"));
        check("a:${input.tag}-${ input.tag }", text("a:1.2-1.2"));
        check("$${HOME} and $HOME", text("${HOME} and $HOME"));
        check("$$${input.tag}", text("$${input.tag}"));
        check("${input.void}", Err(vec![(0, Trouble::NoValue)]));
        check(
            "${input.tag} ${HOME} ${input.tga} ${param.x} ${x",
            Err(vec![
                (1, Trouble::Foreign("HOME".to_owned())),
                (2, Trouble::Unknown(Kind::Input, "tga".to_owned())),
                (3, Trouble::Outside("param.x".to_owned())),
                (4, Trouble::Open),
            ]),
        );
    }

    #[test]
    fn alone_a_value_keeps_its_type() {
        check("${input.count}", Ok(Scalar::Integer(4)));
        check("${input.count} ", text("4 "));
        check("${input.count}${input.count}", text("44"));
        check("$${x}${input.count}", text("${x}4"));
    }

    #[test]
    fn what_is_escaped_reads_back() {
        for plain in ["${x}", "$${input.tag}", "$", "$$", "{$}", "a${"] {
            check(&escape(plain), text(plain));
        }
    }
}
