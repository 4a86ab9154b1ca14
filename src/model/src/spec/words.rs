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
