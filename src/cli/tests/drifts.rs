//! Golden drift: `testdata/drift/<case>/` holds `project.kdl`, which is applied to a runtime in memory (or `before.kdl`,
//! when the files have changed since), then what somebody does by hand (`meddle.txt`), and what is then told: `drift.txt`,
//! `drift.json`, `drift.md`, `drift.sarif` and `drift.prom`.
//!
//! Beside what [`memory`] knows, a line of `meddle.txt` may say `look`, which takes a report that the last look is given,
//! `wait HOURS`, and `today DAY`. After each case an apply of the same files repairs what was found, and nothing else.
//! `UPDATE=1` rewrites what is expected.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "cases are files")]

mod memory;

use memory::{CANARY, Site, parse};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use wharf_lang::{SourceFile, edited};
use wharf_model::{Address, Date, Deployment, Timestamp};
use wharf_plan::{
    Cause, Plan,
    drift::{Aspect, Drift, DriftInput, Former, drift},
};
use wharf_report::{EditedFile, Layout, drift_markdown, drift_prometheus, drift_sarif};

/// The morning of the 21st of September 2026.
const NOW: Timestamp = Timestamp(1_789_977_600_000);

struct Look {
    now: Timestamp,
    former: Former,
}

impl Look {
    async fn take(&self, site: &Site, files: &Deployment) -> Drift {
        let Self { now, former } = self;
        site.plan_with(files, |_, input| {
            let &wharf_plan::Input { capabilities, recorded, observed, .. } = input;
            drift(&DriftInput { files, capabilities, recorded, observed, former, now: *now })
        })
        .await
    }

    /// Does what a line says, if it is about looking.
    async fn heed(&mut self, line: &str, site: &Site, files: &Deployment) -> bool {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["look"] => {
                let json = self.take(site, files).await.json();
                self.former = Former::read(&json, "shop", "default").unwrap();
            }
            ["wait", hours] => self.now = self.now + Duration::from_secs(hours.parse::<u64>().unwrap() * 3_600),
            ["today", day] => {
                let day: Date = day.parse().unwrap();
                while self.now.date() < day {
                    self.now = self.now + Duration::from_secs(24 * 3_600);
                }
            }
            _ => return false,
        }
        true
    }
}

fn text(case: &Path, name: &str) -> Option<String> {
    fs::read_to_string(case.join(name)).ok()
}

struct Told {
    drift: Drift,
    pages: Vec<(&'static str, String)>,
}

async fn run(case: &Path) -> Told {
    let mut site = Site::new();
    let project = text(case, "project.kdl").unwrap();
    let before = parse(&text(case, "before.kdl").unwrap_or_else(|| project.clone()), "project.kdl");
    site.apply(&before).await;
    let files = parse(&project, "project.kdl");
    let mut look = Look { now: NOW, former: Former::default() };
    assert!(look.take(&site, &files).await.is_none(), "{}: after an apply there is no drift", case.display());
    for line in text(case, "meddle.txt").unwrap_or_default().lines() {
        if !look.heed(line, &site, &files).await {
            site.meddle(line);
        }
    }
    let found = look.take(&site, &files).await;
    assert_eq!(found, look.take(&site, &files).await, "the same in, the same out");
    let pages = pages(&found, &project);
    repaired(case, &site, &look, &before, &files).await;
    Told { drift: found, pages }
}

fn pages(found: &Drift, project: &str) -> Vec<(&'static str, String)> {
    let sources = [SourceFile { name: "project.kdl".into(), text: project.into() }];
    let edits: Vec<_> = found.findings.iter().flat_map(|finding| finding.accept.clone().unwrap_or_default()).collect();
    let accepted: Vec<_> = edited(&sources, &edits)
        .into_iter()
        .inspect(|(_, after)| drop(parse(after, "project.kdl")))
        .map(|(file, after)| EditedFile { name: file.name.clone(), before: file.text.clone(), after })
        .collect();
    vec![
        ("drift.txt", plain(&wharf_report::drift(found, &accepted, Layout { width: 100 }))),
        ("drift.json", found.json() + "\n"),
        ("drift.md", drift_markdown(found, &accepted)),
        ("drift.sarif", drift_sarif(found, "0.1.0")),
        ("drift.prom", drift_prometheus(found)),
    ]
}

/// An apply of what was applied before changes what was found, and nothing else; then nothing is found any more.
async fn repaired(case: &Path, site: &Site, look: &Look, before: &Deployment, files: &Deployment) {
    let found = look.take(site, before).await;
    let plan = site.plan(before).await;
    let all: BTreeSet<_> = found
        .findings
        .iter()
        .chain(found.ignored.iter().map(|one| &one.finding))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|one| one.address.clone())
        .collect();
    let asked = |cause: &Cause| matches!(cause, Cause::Written { .. } | Cause::Source { .. });
    for change in plan.changes().iter().filter(|change| !change.what.causes().iter().any(asked)) {
        assert!(explained(&change.address, &all), "{}: nothing explains {:?}", case.display(), change);
    }
    site.carry_out(&plan).await;
    let after = look.take(site, files).await;
    let left: Vec<_> = after.findings.iter().filter(|one| one.aspect != Aspect::Readiness).collect();
    assert!(left.is_empty(), "{}: after an apply there is no drift: {left:#?}", case.display());
    let again: Plan = site.plan(before).await;
    assert!(again.is_empty(), "{}: after an apply the plan is empty", case.display());
}

/// Whether a change repairs something that was found, or something that it takes along.
fn explained(change: &Address, found: &BTreeSet<Address>) -> bool {
    let takes_along = |one: &Address| match (one, change) {
        (Address::Gateway(gone), Address::Route(gateway, _)) => gone == gateway,
        // Without its gateway, or its route there, an instance gets no requests.
        (Address::Gateway(_), Address::Instance(..)) => true,
        (Address::Route(_, service), Address::Instance(of, _)) => service == of,
        // One of a service that nobody knows goes with all there is of that.
        (Address::Instance(of, _), Address::Service(service)) => service == of,
        _ => one == change,
    };
    found.iter().any(takes_along)
}

/// Takes the colours out.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

fn compare(path: &Path, found: &str, wrong: &mut Vec<PathBuf>) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, found).unwrap();
    }
    if fs::read_to_string(path).unwrap_or_default() != found {
        wrong.push(path.to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn drift_is_told_as_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/drift");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let (mut wrong, mut classes) = (Vec::new(), BTreeSet::new());
    for case in cases {
        let told = run(&case).await;
        classes.extend(told.drift.findings.iter().map(|finding| finding.class));
        for (name, page) in told.pages {
            assert!(!page.contains(CANARY), "{} tells a secret", case.display());
            compare(&case.join(name), &page, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "these read otherwise (UPDATE=1 takes them over): {wrong:#?}");
    assert_eq!(classes.len(), 5, "every class is shown");
}
