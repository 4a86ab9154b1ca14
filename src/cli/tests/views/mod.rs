//! Every view of one plan, as golden files, and what must hold of each of them whatever the plan says.

use wharf_plan::Plan;
use wharf_report::{Layout, ROOM, html, markdown, svg, terminal};

/// What stands in the golden page for what has a file of its own.
const PICTURE: &str = "<!-- plan.svg -->";

/// All views of a plan, by the name of their files.
pub(crate) fn views(plan: &Plan) -> Vec<(&'static str, String)> {
    for width in [60, 80, 120] {
        fits(&plain(&terminal(plan, None, Layout { width })), width);
    }
    let shown = plain(&terminal(plan, None, Layout { width: 100 }));
    fits(&shown, 100);
    let (comment, picture, page) = (markdown(plan, None), svg(plan), html(plan, None));
    assert!(comment.chars().count() <= ROOM);
    assert!(page.contains(picture.trim_end()) || plan.is_empty(), "the page shows the picture");
    harmless(&page);
    harmless(&picture);
    vec![
        ("plan.txt", shown),
        ("plan.json", plan.json() + "\n"),
        ("plan.md", comment),
        ("plan.html", without_picture(&page, picture.trim_end())),
        ("plan.svg", picture),
    ]
}

fn without_picture(page: &str, picture: &str) -> String {
    let page = page.replace(picture, PICTURE);
    let (head, rest) = page.split_once("<style>\n").unwrap();
    let (_, body) = rest.split_once("</style>\n").unwrap();
    format!("{head}<style></style>\n{body}")
}

/// No line is wider than the terminal.
fn fits(shown: &str, width: usize) {
    for line in shown.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "at {width} columns: {line}");
    }
}

/// Only tags and attributes of our own: nothing that a value brought along, nothing that asks for something or runs.
fn harmless(markup: &str) {
    const TAGS: &str = " ! html head meta title style body main header p h1 h2 ul li b code span details summary pre figure \
                        svg desc rect text path g ";
    for tag in markup.split('<').skip(1) {
        let name = tag.trim_start_matches('/').split(|letter: char| letter != '!' && !letter.is_ascii_alphanumeric());
        let name = name.map(|name| if name.starts_with('!') { "!" } else { name }).next().unwrap_or_default();
        assert!(TAGS.contains(&format!(" {name} ")), "a tag <{tag}");
        let attributes = tag.split('>').next().unwrap_or_default();
        for harm in [" on", "href", "src="] {
            assert!(!attributes.contains(harm), "<{attributes}>");
        }
    }
}

/// Takes the colours out.
pub(crate) fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}
