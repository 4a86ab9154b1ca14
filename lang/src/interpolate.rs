//! `${input.name}` in texts.
//!
//! Every `${` must be an interpolation, so that a slip of the pen is not taken for text; `$${` stands for `${`.

use std::{collections::BTreeMap, sync::Arc};

/// The inputs that are declared, with their values; none when nobody gave one, which is reported where it is declared.
pub(crate) type Inputs = BTreeMap<Arc<str>, Option<Arc<str>>>;

/// Why a text cannot be resolved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No `}` follows.
    Open,
    /// Not an input at all.
    Foreign(String),
    /// No such input.
    Unknown(String),
    /// An input that has no value.
    NoValue,
}

/// Replaces the inputs in a text. The number beside a trouble says which `${` it is, counted from zero.
pub(crate) fn interpolate(text: &Arc<str>, inputs: &Inputs) -> Result<Arc<str>, Vec<(usize, Trouble)>> {
    if !text.contains("${") {
        return Ok(Arc::clone(text));
    }
    let (mut done, mut rest, mut count, mut troubles) = (String::new(), &**text, 0, Vec::new());
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
            match resolve(inner, inputs) {
                Ok(value) => done.push_str(&value),
                Err(trouble) => troubles.push((count, trouble)),
            }
            rest = after;
        }
        count += 1;
    }
    done.push_str(rest);
    if troubles.is_empty() { Ok(done.into()) } else { Err(troubles) }
}

fn resolve(inner: &str, inputs: &Inputs) -> Result<Arc<str>, Trouble> {
    let name = inner.trim().strip_prefix("input.").ok_or_else(|| Trouble::Foreign(inner.to_owned()))?;
    let value = inputs.get(name).ok_or_else(|| Trouble::Unknown(name.to_owned()))?;
    value.clone().ok_or(Trouble::NoValue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, Vec<(usize, Trouble)>>) {
        let inputs = Inputs::from([("tag".into(), Some("1.2".into())), ("void".into(), None)]);
        assert_eq!(interpolate(&text.into(), &inputs).as_deref(), expected.as_ref().map(|text| *text), "{text}");
    }

    #[test]
    fn inputs_are_filled_in() {
        check("plain", Ok("plain"));
        check("a:${input.tag}-${ input.tag }", Ok("a:1.2-1.2"));
        check("$${HOME} and $HOME", Ok("${HOME} and $HOME"));
        check("$$${input.tag}", Ok("$${input.tag}"));
        check("${input.void}", Err(vec![(0, Trouble::NoValue)]));
        check(
            "${input.tag} ${HOME} ${input.tga} ${x",
            Err(vec![
                (1, Trouble::Foreign("HOME".to_owned())),
                (2, Trouble::Unknown("tga".to_owned())),
                (3, Trouble::Open),
            ]),
        );
    }
}
