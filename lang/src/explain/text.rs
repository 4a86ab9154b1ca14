//! Explanations for people.

use super::{Example, Explanation, Given, explanations};
use std::fmt::Write;

/// Every code with one line on what it means.
pub fn explanations_text() -> String {
    let widest = explanations().map(|known| known.code.len()).max().unwrap_or_default();
    let mut page = String::new();
    for known in explanations() {
        let _ = writeln!(page, "{:widest$}  {}", known.code, known.brief);
    }
    page
}

/// One explanation as a page of `width` columns.
pub fn explanation_text(explanation: &Explanation, width: usize) -> String {
    let Explanation { code, brief, text, wrong, right } = explanation;
    let mut page = format!("{code}: {brief}\n\n");
    wrap(&mut page, text, width);
    if let Some(allowing) = explanation.allowing() {
        page.push('\n');
        wrap(&mut page, &allowing, width);
    }
    example(&mut page, "Wrong", wrong);
    example(&mut page, "Right", right);
    page
}

fn example(page: &mut String, title: &str, example: &Example) {
    let _ = write!(page, "\n{title}{}:\n\n", given(example.given));
    for line in example.shown().trim_end().lines() {
        let _ = writeln!(page, "{}{line}", if line.is_empty() { "" } else { "    " });
    }
}

fn given(given: &[Given]) -> String {
    let words = given.iter().map(|given| match given {
        Given::Input(name, value) => format!("with `--input {name}={value}`"),
        Given::Environment(name) => format!("with `--env {name}`"),
        Given::Unset(variable) => format!("while {variable} is not set"),
        Given::File(path, text) => format!("with `{}` in {path}", text.trim_end()),
        Given::Values(path, text) => format!("with `--input-file {path}`, which says `{}`", text.trim_end()),
    });
    let words: Vec<_> = words.collect();
    if words.is_empty() { String::new() } else { format!(", {}", words.join(", ")) }
}

fn wrap(page: &mut String, text: &str, width: usize) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let len = word.chars().count();
        if column > 0 && column + 1 + len > width.min(100) {
            page.push('\n');
            column = 0;
        } else if column > 0 {
            page.push(' ');
            column += 1;
        }
        page.push_str(word);
        column += len;
    }
    page.push('\n');
}
