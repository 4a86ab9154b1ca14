//! A folder of a bucket that the program reads itself: nothing is copied, and the program has all that it takes.

use crate::support::{Site, http};
use std::fs;
use wharf_bucket_server::{ACCESS_KEY, Habit, SECRET_KEY, Server};

const PROGRAM: &str = include_str!("support/stream.py");

#[test]
fn a_program_reads_a_streamed_folder_by_its_variables() {
    let server = Server::start(Habit::Honours);
    let models = server.bucket("weights").join("chat");
    fs::create_dir(&models).unwrap();
    fs::write(models.join("weights.txt"), "one").unwrap();
    let mut site = Site::empty("streams");
    site.write("app/app.py", PROGRAM);
    let project = r#"project "streams"
secret "id" { env "BUCKET_ID" }
secret "key" { env "BUCKET_KEY" }
gateway "public" { listen @PORT }
service "chat" {
    command "python3" "/mnt/app/app.py"
    port 8000
    health { readiness { http "/health"; every "200ms" } }
    rollout { min-ready "0s" }
    mount "/mnt/app" { folder "app" read-only=#true }
    mount "/mnt/models" {
        s3 "weights/chat/" endpoint="http://@SERVER" region="eu-central-1" mode="stream" read-only=#true access-key=(secret)"id" secret-key=(secret)"key"
    }
    expose "public"
}
"#;
    site.write("wharf.kdl", &site.filled(&project.replace("@SERVER", &server.address().to_string())));
    let keys = [("BUCKET_ID", ACCESS_KEY), ("BUCKET_KEY", SECRET_KEY)];
    site.env.extend(keys.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let plan = site.done(&["plan"]);
    assert!(plan.contains("AWS_SECRET_ACCESS_KEY") && !plan.contains(SECRET_KEY), "{plan}");
    site.done(&["apply", "--yes", "-q"]);
    let read = || http::get(site.port, "/api/predict/chat/", None).unwrap();
    assert_eq!((read().status, read().body.as_str()), (200, "one"));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert_eq!(site.run(&["drift"]).code, 0);

    // What the folder holds is the program's affair: it sees the change, and there is nothing to plan.
    fs::write(models.join("weights.txt"), "two").unwrap();
    assert_eq!(read().body, "two");
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    assert!(site.done(&["mounts", "status"]).contains("Nothing is kept"));

    // The key is nowhere but with the program.
    let record = fs::read_to_string(site.dir.join(".wharf/default/commits/0000001.json")).unwrap();
    assert!(record.contains("AWS_SECRET_ACCESS_KEY") && !record.contains(SECRET_KEY), "{record}");
    site.env.insert("BUCKET_KEY".to_owned(), "another-key".to_owned());
    let plan = site.done(&["plan"]);
    assert!(plan.contains("1 to roll") && plan.contains("AWS_SECRET_ACCESS_KEY"), "{plan}");
    assert!(!plan.contains("another-key"), "{plan}");
    site.done(&["destroy", "--yes", "-q"]);
    assert!(site.processes().is_empty());
}
