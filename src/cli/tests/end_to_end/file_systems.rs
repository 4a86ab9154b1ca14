//! A folder of a bucket that a client of this host serves as a file system: nothing is copied, and what it holds later is no
//! change of the service.

use crate::support::{Site, http, until};
use std::fs;
use wharf_bucket_server::{ACCESS_KEY, Habit, SECRET_KEY, Server};

const PROJECT: &str = r#"project "archive"
secret "id" { env "BUCKET_ID" }
secret "key" { env "BUCKET_KEY" }
environment "box" { provider "local" { @FUSE } }
gateway "public" { listen @PORT }
service "pages" {
    script "exec python3 -m http.server --directory /mnt/pages --bind 127.0.0.1 $PORT"
    port 8000
    health { readiness { http "/"; every "200ms" } }
    rollout { min-ready "0s" }
    mount "/mnt/pages" {
        s3 "pages/public/" endpoint="http://@SERVER" mode="fuse" read-only=#true access-key=(secret)"id" secret-key=(secret)"key"
    }
    expose "public"
}
"#;

#[test]
fn a_service_reads_a_bucket_in_place() {
    if let Err(error) = fs::OpenOptions::new().read(true).write(true).open("/dev/fuse") {
        println!("skipped: /dev/fuse cannot be opened: {error}");
        return;
    }
    let server = Server::start(Habit::Honours);
    let pages = server.bucket("pages").join("public");
    fs::create_dir(&pages).unwrap();
    fs::write(pages.join("one.txt"), "one").unwrap();
    let mut site = Site::empty("archive");
    let project = PROJECT.replace("@SERVER", &server.address().to_string());
    site.write("wharf.kdl", &site.filled(&project.replace("@FUSE", "")));
    let keys = [("BUCKET_ID", ACCESS_KEY), ("BUCKET_KEY", SECRET_KEY)];
    site.env.extend(keys.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let refused = site.run(&["plan"]);
    assert!(refused.code == 1 && refused.said.contains("no client is named that would mount it"), "{refused:?}");

    site.write("wharf.kdl", &site.filled(&project.replace("@FUSE", "fuse \"rclone\"")));
    site.done(&["apply", "--yes", "-q"]);
    let read = |name: &str| http::get(site.port, &format!("/api/predict/pages/{name}"), None).unwrap();
    assert_eq!((read("one.txt").status, read("one.txt").body.as_str()), (200, "one"));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(site.run(&["drift"]).code, 0);

    fs::write(pages.join("two.txt"), "two").unwrap();
    until("the new page is seen", || read("two.txt").status == 200);
    assert_eq!(read("two.txt").body, "two");
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert!(site.done(&["mounts", "status"]).contains("Nothing is kept"));

    site.done(&["destroy", "--yes", "-q"]);
    assert!(site.processes().is_empty());
}
