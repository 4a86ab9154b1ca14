//! Whom an apply tells how it ended.

use super::{Decode, plain};
use crate::{
    block::{Block, Found},
    problem::{Code, Problem},
    value::Typed,
};
use std::{collections::BTreeMap, sync::Arc};
use wharf_model::{EnvValue, NotifyOn, NotifySpec};

/// Headers that belong to how a request is sent.
const OURS: [&str; 5] = ["Host", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding"];

impl Decode<'_> {
    /// Decodes a webhook; one of another environment is checked, and left out.
    pub(super) fn notify(&mut self, block: &Block, here: Option<&str>) -> Option<(Arc<str>, NotifySpec)> {
        let name = block.argument::<Arc<str>>(0)?;
        let holds = self.holds_here(block, here);
        let url = block.child("url").and_then(|url| url.argument::<EnvValue>(0));
        if let Some(url) = &url {
            self.check_url(url);
        }
        let headers = self.headers(block, holds);
        let words: Vec<Arc<str>> = block.child("on").and_then(Block::all).unwrap_or_default();
        let mut on: std::collections::BTreeSet<_> = words.iter().filter_map(|word| NotifyOn::of_word(word)).collect();
        if on.is_empty() {
            on = NotifyOn::ALL.iter().copied().collect();
        }
        let url = url?;
        if let (EnvValue::Secret(secret), true) = (&url.value, holds) {
            self.use_secret(secret, url.at);
        }
        let (timeout, retries) = (plain(block, "timeout")?, plain(block, "retries")?);
        holds.then_some((name.value, NotifySpec { url: url.value, headers, on, timeout, retries }))
    }

    pub(super) fn headers(&mut self, block: &Block, holds: bool) -> BTreeMap<Arc<str>, EnvValue> {
        let mut headers = BTreeMap::new();
        for (name, found) in block.child("headers").map_or(&[][..], |node| &node.entries) {
            let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
            if !name.text.chars().all(fits) {
                let problem = Problem::error(Code::InvalidValue, format!("`{}` is no name of a header", name.text));
                let help = "letters, digits and `-`, such as `X-Token`".to_owned();
                self.report(problem.at(name.at, "not a name").help(help));
                continue;
            }
            if OURS.iter().any(|ours| name.text.eq_ignore_ascii_case(ours)) {
                let problem = Problem::error(Code::InvalidValue, format!("`{}` is written by wharf itself", name.text));
                self.report(problem.at(name.at, "says how the request is sent").help("leave it out".to_owned()));
                continue;
            }
            let Typed::Variable(value) = &found.value else { continue };
            match value {
                EnvValue::Secret(secret) if holds => self.use_secret(secret, found.at),
                EnvValue::Plain(text) if text.chars().any(char::is_control) => {
                    let message = format!("the value of `{}` is in several lines, and a header has one", name.text);
                    let problem = Problem::error(Code::InvalidValue, message).at(found.at, "no value of a header");
                    self.report(problem);
                }
                _ => {}
            }
            headers.insert(name.text.clone(), value.clone());
        }
        headers
    }

    fn check_url(&mut self, url: &Found<EnvValue>) {
        let EnvValue::Plain(text) = &url.value else { return };
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        let fits = |host: &str| !host.is_empty() && !host.contains('@');
        let whole = !text.contains(|letter: char| letter.is_whitespace() || letter.is_control());
        if host.is_some_and(fits) && whole {
            return;
        }
        let (message, help) = if host.is_some_and(|host| host.contains('@')) {
            self.problems.hide(url.at);
            let help = "leave out what stands before the `@`; a token goes with \
                        `headers { Authorization (secret)\"name\" }`, or make the whole address a secret";
            ("the address holds a name or a password".to_owned(), help)
        } else {
            let help = "write the whole address, such as \"https://hooks.example.com/wharf\"";
            (format!("`{text}` is nothing that a summary can be posted to"), help)
        };
        let problem = Problem::error(Code::InvalidValue, message);
        self.report(problem.at(url.at, "not an address").help(help.to_owned()));
    }
}
