//! Nothing needs root: the whole way as a user who has no rights beyond the project's folder.

use crate::support::{Site, nobody};

#[test]
fn an_ordinary_user_gets_the_whole_way() {
    let without = (!nobody::has_namespaces()).then_some("the kernel gives an ordinary user no namespaces");
    if let Some(obstacle) = nobody::obstacle().or(without) {
        eprintln!("skipped: {obstacle}");
        return;
    }
    let site = Site::empty("ordinary-user");
    let nobody = nobody::Nobody::at(&site, None);
    nobody.run(&["init"]);
    site.replace("wharf.kdl", "8600", &site.port.to_string());
    site.replace("wharf.kdl", "\"2s\"", "\"300ms\"");
    nobody.run(&["plan"]);
    nobody.run(&["apply", "--yes", "-q"]);
    assert!(nobody.run(&["invoke"]).contains("hello from wharf"));
    assert!(nobody.run(&["status"]).contains("2/2 ready"));
    nobody.run(&["plan", "--detailed-exitcode"]);
    site.replace("wharf.kdl", "hello from wharf", "hello again");
    nobody.run(&["apply", "--yes", "-q"]);
    assert!(nobody.run(&["invoke"]).contains("hello again"));
    assert!(nobody.run(&["logs", "-n", "1"]).contains("hello-0-g2"));
    nobody.run(&["destroy", "--yes", "-q"]);
    assert!(site.processes().is_empty(), "{:#?}", site.processes());
}
