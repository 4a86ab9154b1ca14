//! What a driver tells is what is found: held against a stand-in for its library, which this test builds. All in one test,
//! in a process of its own each: the stand-in is told what to say by a variable of its process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "what is tested is a library of this machine")]

use std::{env, fs, path::Path, process::Command};

/// Looks, in the process that a test starts.
#[test]
fn look_with_what_the_variable_names() {
    let Some(library) = env::var_os("STAND_IN") else { return };
    match wharf_gpu::look_with(Some(&library)) {
        Ok(found) => {
            println!("driver {:?}", found.driver);
            found.cards.iter().for_each(|card| println!("{} {} {}", card.id, card.name, card.memory));
        }
        Err(error) => println!("{error}: {}", std::error::Error::source(&error).unwrap()),
    }
}

fn check(library: &Path, says: &str, expected: &[&str]) {
    let folder = library.parent().unwrap();
    fs::write(folder.join("gpus"), says).unwrap();
    let mut look = Command::new(env::current_exe().unwrap());
    look.args(["--exact", "look_with_what_the_variable_names", "--nocapture"]);
    look.env("STAND_IN", library).env("STAND_IN_GPUS", folder.join("gpus"));
    let said = String::from_utf8(look.output().unwrap().stdout).unwrap();
    let told = said
        .lines()
        .filter(|line| line.starts_with("driver ") || line.starts_with("GPU-") || line.starts_with("cannot"));
    assert_eq!(told.collect::<Vec<_>>(), expected, "{said}");
}

#[test]
fn cards_are_found_as_the_driver_tells_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libnvidia-ml.so.1");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand_in.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status().unwrap();
    assert!(built.success());

    let two = "driver 550.54.15\ncard GPU-2 24564 NVIDIA A10\ncard GPU-1 81559 NVIDIA H100 80GB HBM3\n";
    let first = ["driver Some(\"550.54.15\")", "GPU-1 NVIDIA H100 80GB HBM3 81559MiB", "GPU-2 NVIDIA A10 24564MiB"];
    check(&library, two, &first);
    check(&library, &two.replace("card GPU-2", "lost GPU-2"), &first[..2]);
    check(&library, "driver 550.54.15\n", &first[..1]);
    check(&library, "", &["driver None"]);
    let broken = "cannot ask the driver of the GPUs for anything: an internal driver error occurred";
    check(&library, "broken\n", &[broken]);
    check(&folder.path().join("no.so"), two, &["driver None"]);
}
