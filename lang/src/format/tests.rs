//! What the formatter does, case by case.

use super::*;

fn formatted(text: &str) -> Result<String, String> {
    let file = SourceFile { name: "a.kdl".into(), text: text.into() };
    format(&file).map_err(|problems| problems.iter().map(|problem| format!("{problem}\n")).collect())
}

/// Checks what becomes of a text, and that nothing more becomes of it the second time.
fn check(text: &str, expected: &str) {
    assert_eq!(formatted(text).as_deref(), Ok(expected), "{text}");
    assert_eq!(formatted(expected).as_deref(), Ok(expected), "formatting {text:?} twice");
}

#[test]
fn levels_are_indented_by_four_spaces() {
    check("a{\n b{\n\tc 1\n}\n}", "a {\n    b {\n        c 1\n    }\n}\n");
    check("  a", "a\n");
}

#[test]
fn spaces_are_as_they_should_be() {
    check("a   1\t2  b = 3  ( t ) 4   c=(t)5 ;", "a 1 2 b=3 (t)4 c=(t)5\n");
    check("(t) a{b;c}", "(t)a { b; c }\n");
    check("a { }\nb {\n}", "a {}\nb {}\n");
}

#[test]
fn one_node_stands_on_a_line() {
    check("a 1; b 2; c", "a 1\nb 2\nc\n");
    check("a {\n b; c\n}", "a {\n    b\n    c\n}\n");
}

#[test]
fn blocks_on_one_line_stay_there_if_they_fit() {
    check("a { b; c { d 1 ; }; }", "a { b; c { d 1 } }\n");
    let (long, fits) = ("x".repeat(93), "x".repeat(92));
    check(&format!("a {{ b {fits}; }}"), &format!("a {{ b {fits} }}\n"));
    let inner = format!("c {{ d; {} }}", "x".repeat(87));
    check(&format!("a {{ b; {inner} }}"), &format!("a {{\n    b\n    {inner}\n}}\n"));
    check(&format!("a {{ b {long} }} // c"), &format!("a {{\n    b {long}\n}} // c\n"));
}

#[test]
fn blank_lines_stay_but_only_one_and_only_between() {
    check("\n\na\n\n\n\nb {\n\n c\n\n\n d\n\n}\n\n\n", "a\n\nb {\n    c\n\n    d\n}\n");
}

#[test]
fn comments_stay_where_they_are() {
    check("// a  \nb // c\n/* d */ e /* f */ 1 /* g */\n// h", "// a\nb // c\n/* d */ e /* f */ 1 /* g */\n// h\n");
    check("a { // b\n  // c\n} // d", "a { // b\n    // c\n} // d\n");
    check("a { b /* c */; /* d */ }", "a { b /* c */; /* d */ }\n");
    check("a { /* b */ }", "a { /* b */ }\n");
    check("a; // b\nc; /* d */\ne", "a // b\nc /* d */\ne\n");
    check("a {\n/* b\n c */\n}", "a {\n    /* b\n c */\n}\n");
    check("( /*b*/ t ) a c = /*d*/ 1", "(/*b*/ t)a c=/*d*/ 1\n");
}

#[test]
fn comments_in_a_column_stay_in_it() {
    check("a 1    // x\nbcd    // y\n", "a 1    // x\nbcd    // y\n");
    check("a {\n  b  1   // x\n  c      // y\n}", "a {\n    b 1    // x\n    c      // y\n}\n");
    check("a{b}   // x", "a { b } // x\n");
    check("a; b      // x", "a\nb // x\n");
    check("a {   // x\n  b   // y\n}      // z", "a {   // x\n    b   // y\n}      // z\n");
}

#[test]
fn what_is_commented_out_stays_so() {
    check("/-a 1\n/- b\na /-1 /- 2 /-c=3 /-{ d } { e }", "/-a 1\n/- b\na /-1 /- 2 /-c=3 /-{ d } { e }\n");
    check("/-\na {\n b\n}", "/-\n    a {\n    b\n}\n");
    check("/- // why\na", "/- // why\n    a\n");
}

#[test]
fn lines_that_go_on_do_so() {
    check("a 1 \\\n  2 \\ // b\n  3", "a 1 \\\n    2 \\ // b\n    3\n");
    check("a \\\n \\\n 1 \\\n\nb", "a \\\n    1\n\nb\n");
    check("a \\ // b\n \\ // c\n 1", "a \\ // b\n    \\ // c\n    1\n");
    check("a \\ // b\n\nc", "a \\ // b\n\nc\n");
    check("a \\ /* b */\n 1", "a /* b */ \\\n    1\n");
}

#[test]
fn texts_keep_their_spelling() {
    let texts = "a \"b\\u{e9}\\n\" #\"c \"d\" \"# e \"\"\"\n   f\n     g\n   \"\"\" 0x1F 1_000 1e3 +2 #nan\n";
    check(texts, texts);
    check("a {\n  b \"\"\"\n  c\n  \"\"\"\n}", "a {\n    b \"\"\"\n  c\n  \"\"\"\n}\n");
}

#[test]
fn line_ends_and_marks_of_other_systems_go() {
    check("\u{feff}a {\r\n  b \"\"\"\r\n  c\r\n  \"\"\" // d\r\n}\r\n", "a {\n    b \"\"\"\n  c\n  \"\"\" // d\n}\n");
    check("a \"\"\"\r\r\n  b\r  \"\"\" /* c\r\r\nd */", "a \"\"\"\n\n  b\n  \"\"\" /* c\n\nd */\n");
    check("a\rb\u{2028}c\u{85}d\u{b}e\u{c}f", "a\nb\nc\nd\ne\nf\n");
}

#[test]
fn nothing_stays_nothing() {
    check("", "");
    check(" \n\n \n", "");
    check("// a", "// a\n");
}

#[test]
fn what_cannot_be_parsed_is_told_and_left_alone() {
    assert_eq!(formatted("a {\nb true").unwrap_err(), "this block is never closed\n`true` needs a `#` in KDL 2\n");
    assert_eq!(formatted(&"a {".repeat(100)).unwrap_err().lines().count(), 1);
}
