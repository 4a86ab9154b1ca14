//! Names, types, values and properties: what a node is made of, up to its block.

use super::{
    Entry, Scalar, Word,
    character::word,
    number,
    parser::{Parser, Read},
};
use std::sync::Arc;

impl<'a> Parser<'a> {
    /// A type in parentheses, and whether it could be read if it is there.
    pub(super) fn annotation(&mut self) -> (Option<Word>, bool) {
        if self.rest().first() != Some(&b'(') {
            return (None, true);
        }
        let start = self.at;
        self.at += 1;
        self.space();
        let word = if self.at_word() { self.word() } else { None };
        self.space();
        if self.rest().first() != Some(&b')') || word.is_none() {
            self.not_a_type(start);
            return (None, false);
        }
        self.at += 1;
        self.space();
        (word, true)
    }

    /// The name of a node.
    pub(super) fn name(&mut self, annotated: bool) -> Read<Word> {
        if !self.at_word() {
            self.not_a_name(annotated);
            return None;
        }
        let start = self.at;
        let name = self.word();
        if name.is_none() && self.at == start {
            self.not_a_name(annotated);
        }
        name
    }

    /// Whether a text or a word begins here.
    fn at_word(&self) -> bool {
        word(self.rest()) > 0 || self.at_text()
    }

    /// A text or a word that is no number and no keyword of old. Stays where it is if it is one of these.
    fn word(&mut self) -> Read<Word> {
        let start = self.at;
        let text: Arc<str> = if self.at_text() {
            self.text()?
        } else {
            let word = self.bare();
            if !is_name(word) {
                return None;
            }
            self.at += word.len();
            Arc::clone(self.words.entry(word).or_insert_with(|| word.into()))
        };
        Some(Word { text, at: self.place(start, self.at - start) })
    }

    /// The word that begins here, without what it means.
    pub(super) fn bare(&self) -> &'a str {
        &self.text[self.at..self.at + word(self.rest())]
    }

    /// A value, or a property.
    pub(super) fn entry(&mut self) -> Read<Entry> {
        let start = self.at;
        if self.rest().first() == Some(&b'(') || !self.at_word() {
            return self.value(None);
        }
        let bare = self.bare();
        if !bare.is_empty() && !is_name(bare) {
            return self.value(None);
        }
        if self.old_raw_text(start) {
            return None;
        }
        let word = self.word();
        self.spaced = self.space();
        if self.rest().first() == Some(&b'=') {
            self.at += 1;
            self.space();
            self.spaced = false;
            return self.value(word).filter(|entry| entry.key.is_some());
        }
        let Word { text, at } = word?;
        Some(Entry { key: None, annotation: None, value: Scalar::Text(text), at })
    }

    /// Whether an entry could begin here, if there were a space before it.
    pub(super) fn begins_entry(&self) -> bool {
        let begins = self.at_word() || matches!(self.rest(), [b'(' | b'#', ..]);
        begins && self.rest().first() != Some(&b',')
    }

    /// A value with its annotation.
    fn value(&mut self, key: Option<Word>) -> Read<Entry> {
        let (annotation, sound) = self.annotation();
        if !sound {
            return None;
        }
        let start = self.at;
        let value = match self.rest() {
            [b'#', ..] if !self.at_text() => self.keyword(),
            _ if self.at_text() => self.text().map(Scalar::Text),
            rest if word(rest) > 0 => self.bare_value(),
            _ => {
                self.missing_value();
                None
            }
        };
        Some(Entry { key, annotation, value: value?, at: self.place(start, self.at - start) })
    }

    /// `#true` and its like.
    fn keyword(&mut self) -> Read<Scalar> {
        let start = self.at;
        self.at += 1;
        let word = self.bare();
        self.at += word.len();
        match word {
            "true" => Some(Scalar::Boolean(true)),
            "false" => Some(Scalar::Boolean(false)),
            "null" => Some(Scalar::Null),
            "inf" => Some(Scalar::Float(f64::INFINITY)),
            "-inf" => Some(Scalar::Float(f64::NEG_INFINITY)),
            "nan" => Some(Scalar::Float(f64::NAN)),
            _ => {
                self.unknown_keyword(start);
                None
            }
        }
    }

    /// A number, or a word that is a text.
    fn bare_value(&mut self) -> Read<Scalar> {
        let (start, word) = (self.at, self.bare());
        if self.old_raw_text(start) {
            return None;
        }
        self.at += word.len();
        if self.rest().first() == Some(&b'=') && !is_name(word) {
            self.not_a_property_name(start, word);
            return None;
        }
        if number::looks_like_one(word) {
            return number::parse(word).map_err(|fault| self.not_a_number(start, word, fault)).ok();
        }
        if is_keyword(word) {
            self.keyword_of_old(start, word);
            return None;
        }
        Some(Scalar::Text(word.into()))
    }

    /// Skips a raw text as KDL 1 wrote it, and reports it.
    fn old_raw_text(&mut self, start: usize) -> bool {
        let there = self.rest().starts_with(b"r\"") || self.rest().starts_with(b"r#");
        if there {
            let hashes = self.rest()[1..].iter().take_while(|byte| **byte == b'#').count();
            let closing = format!("\"{}", "#".repeat(hashes));
            let body = (self.at + 2 + hashes).min(self.bytes.len());
            let line = self.text[body..].split('\n').next().unwrap_or_default();
            self.at = line.find(&closing).map_or(body + line.len(), |end| body + end + closing.len());
            self.raw_text_of_old(start);
        }
        there
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "true" | "false" | "null" | "inf" | "-inf" | "nan")
}

/// Whether a word may be a name.
fn is_name(word: &str) -> bool {
    !word.is_empty() && !is_keyword(word) && !number::looks_like_one(word)
}
