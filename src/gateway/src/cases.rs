//! Runs the cases of `testdata/gateway`: requests come, are let in or refused, wait, go to an instance, end, while the
//! time stands still unless a script lets it pass.
//!
//! A case has a configuration, `config.json`, and a script. Each line that begins with `>` is a command; the lines below
//! it are what came of it. `UPDATE=1` writes them anew.
//!
//! | command | |
//! | --- | --- |
//! | `ask NAME PATH [token=T] [host=H] [HEADER=V]…` | a request, known by its name from here on |
//! | `asks COUNT PATH …` | so many requests, each ended at once; says how many went where |
//! | `answer NAME STATUS` | the instance answers, and the answer ends |
//! | `fail NAME unreachable` or `silent` | it does not |
//! | `leave NAME` | the client goes away |
//! | `ready INSTANCE` and `unready INSTANCE` | its probe says so |
//! | `drain INSTANCE` and `serve INSTANCE` | the configuration says so |
//! | `wait TIME` | the time passes |

mod script;

use std::fs;
use std::path::{Path, PathBuf};

use script::Script;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/gateway");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

#[test]
fn every_case_goes_as_it_is_written() {
    let cases = cases();
    assert!(cases.len() >= 8, "{cases:?}");
    let mut wrong = Vec::new();
    for case in cases {
        let file = case.join("script.txt");
        let text = fs::read_to_string(&file).unwrap();
        let config = serde_json::from_slice(&fs::read(case.join("config.json")).unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let seen = runtime.block_on(Script::new(config).run(&text));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &seen).unwrap();
        } else if seen != text {
            wrong.push(format!("{}\n{seen}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "it went otherwise than written (UPDATE=1 writes it down):\n{}", wrong.join("\n"));
}
