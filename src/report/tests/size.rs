//! Views of plans from tiny to huge: each stays within its bounds, and says what it leaves out.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../benches/plan/project.rs"]
mod project;

use project::Project;
use wharf_plan::Plan;
use wharf_report::{Layout, ROOM, Since, SinceError, html, markdown, svg, terminal};

fn plan(resources: usize) -> Plan {
    Project::new(resources).plan()
}

#[test]
fn a_comment_keeps_its_room_and_says_what_it_leaves_out() {
    let left_out = [
        (12, None),
        (420, Some("new fields, lines of texts and steps of")),
        (1_800, Some("all but one line of")),
        (12_000, Some("altogether")),
    ];
    for (resources, words) in left_out {
        let page = markdown(&plan(resources), None);
        assert!(page.chars().count() <= ROOM, "{resources} resources");
        assert!(page.starts_with("<!-- wharf plan of bench in bench -->\n<!-- plan id: "), "{resources} resources");
        match words {
            None => assert!(!page.contains("Left out"), "{page}"),
            Some(words) => {
                let told = page.lines().find(|line| line.starts_with("> **Left out**"));
                assert!(
                    told.is_some_and(|told| told.contains(words)),
                    "{resources}: {} characters, {told:?}",
                    page.chars().count()
                );
            }
        }
        assert_eq!(page.matches("<details").count(), page.matches("</details>").count());
    }
}

#[test]
fn what_was_applied_has_nothing_to_show() {
    let mut project = Project::new(60);
    project.apply();
    let plan = project.plan();
    assert!(markdown(&plan, None).contains(": no changes"));
    assert!(html(&plan, None).contains("No changes: "));
    assert!(svg(&plan).contains("no changes"));
}

#[test]
fn a_picture_stays_a_picture() {
    let small = svg(&plan(30));
    assert!(!small.contains("Not drawn"));
    let huge = svg(&plan(12_000));
    assert!(huge.contains("Not drawn: 1984 services (1984 to create)"));
    assert!(huge.len() < 100_000);
}

#[test]
fn a_page_says_what_it_leaves_out() {
    assert!(html(&plan(12_000), None).contains("Left out: "));
    assert!(!html(&plan(60), None).contains("Left out: "));
}

#[test]
fn the_plan_that_was_reviewed_is_recognised() {
    let now = plan(12);
    let same = Since::between(&now.json(), &now).unwrap();
    for view in
        [terminal(&now, Some(&same), Layout { width: 100 }), markdown(&now, Some(&same)), html(&now, Some(&same))]
    {
        assert!(view.contains(&format!("This is plan {}, which you reviewed", now.id())), "{view}");
    }
    let other = Since::between(&plan(6).json(), &now).unwrap();
    let told = markdown(&now, Some(&other));
    assert!(told.contains("#### Since plan ") && told.contains("- `service.service-1` `create is new`"), "{told}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let now = plan(6);
    let check = |text: &str| Since::between(text, &now).unwrap_err();
    assert!(matches!(check("no"), SinceError::Json(_)));
    assert!(matches!(check("[]"), SinceError::Format { .. }));
    assert!(matches!(check(&now.json().replace("wharf.plan/", "other.plan/")), SinceError::Format { .. }));
    let elsewhere = check(&now.json().replace("\"environment\": \"bench\"", "\"environment\": \"prod\""));
    assert_eq!(elsewhere.to_string(), "the earlier plan is of bench in prod, and this one of bench in bench");
}
