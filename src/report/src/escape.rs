//! Texts that come from files and platforms, made harmless for where they are put.

/// For the text and the attributes of HTML and SVG.
pub(crate) fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// For Markdown, as code within a line: nothing in it is a link, a mention or markup. `text` must be of one line.
pub(crate) fn code(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.trim() != text { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// As [`code`], in a cell of a table, where a bar would begin the next one.
pub(crate) fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// A fence for a block of Markdown code that nothing in `text` can close.
pub(crate) fn fence(text: &str) -> String {
    "`".repeat(longest_run(text).max(2) + 1)
}

fn longest_run(text: &str) -> usize {
    text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_cannot_be_left() {
        assert_eq!(code("plain @team #1"), "`plain @team #1`");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code(" a"), "`  a `");
        assert_eq!(cell("a|b"), "`a\\|b`");
        assert_eq!(fence("x\n````\ny"), "`````");
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(html("<b a='1' c=\"2\">&"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;");
    }
}
