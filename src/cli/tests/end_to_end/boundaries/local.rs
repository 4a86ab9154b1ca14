//! The life of a service as processes of this host.

use super::life::{APPLY, Chapter, DESTROY, Stage};
use crate::support::Site;
use std::collections::BTreeMap;

pub(super) struct Local(Site);

/// What a person would see: the slots with their states, what the service answers, and how many processes there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    slots: BTreeMap<String, String>,
    answer: String,
    processes: usize,
    plan: i32,
    chapter: &'static str,
}

/// The second service of the chapter that deletes one.
const OTHER: &str = r#"
service "other" {
    command "python3" "/mnt/data/app.py"
    port 8000
    mount "/mnt/data" { folder "./app" read-only=#true }
    health { readiness { http "/health" } }
    rollout { min-ready "300ms" }
    shutdown { grace "1s" }
}
"#;

impl Local {
    pub(super) fn on(site: Site) -> Self {
        Self(site)
    }
}

impl Stage for Local {
    type Shape = Shape;

    const LIFE: &'static [Chapter] = &[
        Chapter { name: "create all", write: |site| site.write("other.kdl", OTHER), command: APPLY, ends: 0 },
        Chapter {
            name: "roll",
            write: |site| site.replace("wharf.kdl", "\"one\"", "\"two\""),
            command: APPLY,
            ends: 0,
        },
        Chapter {
            name: "roll back",
            write: |site| {
                site.replace("wharf.kdl", "GREETING \"two\"", "GREETING \"two\"; BROKEN \"yes\"");
                site.replace(
                    "wharf.kdl",
                    "\"python3\" \"/mnt/data/app.py\"",
                    "\"python3\" \"-c\" \"raise SystemExit(3)\"",
                );
            },
            command: APPLY,
            ends: 6,
        },
        Chapter {
            name: "mend",
            write: |site| {
                site.replace("wharf.kdl", "; BROKEN \"yes\"", "");
                site.replace(
                    "wharf.kdl",
                    "\"python3\" \"-c\" \"raise SystemExit(3)\"",
                    "\"python3\" \"/mnt/data/app.py\"",
                );
            },
            command: APPLY,
            ends: 0,
        },
        Chapter {
            name: "scale",
            write: |site| site.replace("wharf.kdl", "instances 2", "instances 3"),
            command: APPLY,
            ends: 0,
        },
        Chapter {
            name: "delete",
            write: |site| std::fs::remove_file(site.dir.join("other.kdl")).unwrap(),
            command: APPLY,
            ends: 0,
        },
        Chapter { name: "destroy", write: |_| {}, command: DESTROY, ends: 0 },
    ];

    fn set(name: &str) -> Self {
        Self(Site::hello(name))
    }

    fn site(&self) -> &Site {
        &self.0
    }

    fn shape(&self, chapter: &Chapter) -> Shape {
        let Self(site) = self;
        let slot = |(name, state): (String, String)| (name.rsplit_once("-g").unwrap().0.to_owned(), state);
        let gone = chapter.is_the_last();
        let answer = if gone { String::new() } else { site.done(&["invoke", "hello"]) };
        // Which instance answers is chance.
        let answer = answer.split("instance").next().unwrap().to_owned();
        let plan = if gone { 0 } else { site.run(&["plan", "--detailed-exitcode"]).code };
        Shape {
            slots: site.instances().into_iter().map(slot).collect(),
            answer,
            processes: site.processes().len(),
            plan,
            chapter: chapter.name,
        }
    }

    /// `status` shows what is recorded and what is there, and the processes are its instances'.
    fn assert_recorded(&self, _chapter: &Chapter, note: &str) {
        let Self(site) = self;
        for (name, state) in site.instances() {
            assert_eq!(state, "ready", "{note}: {name}");
            let supervised = site.processes().iter().any(|process| {
                process.has_role("supervise") && process.words().last().is_some_and(|word| word.ends_with(&name))
            });
            assert!(supervised, "{note}: {name} is recorded, and nothing runs it");
        }
    }
}
