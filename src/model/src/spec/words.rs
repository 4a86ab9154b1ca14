//! Closed sets of words, and the pieces of sentences that specs are described in.

use std::fmt;

/// Makes an enum whose values are the words of the file.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident => $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$each])* $variant,)* }

        impl $name {
            /// Every one, in the order in which they are told.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word of the file.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The one that the word stands for.
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    };
}
pub(crate) use words;

/// The text behind `word`; nothing when it is absent.
pub(crate) fn after<T: fmt::Display>(word: &str, text: &Option<T>) -> String {
    text.as_ref().map(|text| format!("{word}{text}")).unwrap_or_default()
}

/// What instances may do with what is mounted, after a gap.
pub(crate) fn may(read_only: bool) -> &'static str {
    if read_only { " read-only" } else { " read-write" }
}

/// Words in a row, each as a shell would have to be given it: two lists are the same text only if they are the same.
pub(crate) fn quoted<T: AsRef<str>>(words: &[T]) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "@%+=:./_-".contains(letter);
    let quote = |word: &T| match word.as_ref() {
        word if !word.is_empty() && word.chars().all(plain) => word.to_owned(),
        word => format!("'{}'", word.replace('\'', "'\\''")),
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_that_are_divided_otherwise_are_another_text() {
        let check = |words: &[&str], expected: &str| assert_eq!(quoted(words), expected);
        check(&["python3", "/mnt/data/app.py", "--port=8000"], "python3 /mnt/data/app.py --port=8000");
        check(&["sh", "-c", "a b"], "sh -c 'a b'");
        check(&["sh", "-c", "a", "b"], "sh -c a b");
        check(&["it's", ""], "'it'\\''s' ''");
        check(&["a,", "b"], "'a,' b");
    }
}
