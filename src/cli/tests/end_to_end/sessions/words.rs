//! Splits a command into words, as a shell would: quotes of both kinds, and `\n` for a new line within double ones.

/// The words of a line.
pub(super) fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, Some(open)) if letter == open => quote = None,
            ('\\', Some('"')) => match letters.next() {
                Some('n') => word.get_or_insert_default().push('\n'),
                other => word.get_or_insert_default().extend(other),
            },
            (' ', None) => words.extend(word.take()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    assert!(quote.is_none(), "a quote is not closed: {line}");
    words.extend(word);
    words
}

#[test]
fn quotes_keep_words_together() {
    assert_eq!(
        split(r#"replace a.kdl "say \"one\"\n" 'it is "two"' """#),
        ["replace", "a.kdl", "say \"one\"\n", "it is \"two\"", ""]
    );
}
