//! The gateway's own troubles: killed, or taken over from, while callers go on.

use crate::support::{Running, Site, TOKEN, http, load::Load, until};
use rustix::process::Signal;
use std::time::{Duration, Instant};

const PATH: &str = "/api/predict/hello/";

fn answers(site: &Site) -> bool {
    http::get(site.port, PATH, Some(TOKEN)).is_ok_and(|answer| answer.status == 200)
}

#[test]
fn a_killed_gateway_is_back_by_itself_with_the_same_routes() {
    let site = Site::hello("gateway-kill");
    site.done(&["apply", "--yes", "-q"]);
    until("the gateway answers", || answers(&site));
    // One that is killed again at once is started again a little later.
    std::thread::sleep(Duration::from_secs(1));
    let gateway = |site: &Site| {
        let processes = site.processes().into_iter();
        processes.filter(|process| process.command.contains(" gateway --unguarded ")).map(|process| process.pid).next()
    };
    let before = gateway(&site);
    for process in site.processes().iter().filter(|process| Some(process.pid) == before) {
        process.signal(Signal::KILL);
    }
    let begin = Instant::now();
    until("it answers again", || gateway(&site).is_some_and(|pid| Some(pid) != before) && answers(&site));
    println!("back after {:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    site.assert_settled("after the kill");
}

#[test]
fn a_gateway_is_upgraded_and_no_request_fails() {
    let site = Site::hello("gateway-upgrade");
    site.done(&["apply", "--yes", "-q"]);
    until("the gateway answers", || answers(&site));
    let load = Load::start(site.port, PATH, TOKEN);
    let guard = site.processes().into_iter().find(|process| process.command.contains(" gateway --dir ")).unwrap();
    let folder = guard.words().last().unwrap().to_owned();
    let successor = Running::start(&mut site.wharf(&["gateway", "--take-over", "--dir", &folder]));
    until("the old one and its guard have ended", || !guard.lives());
    let (tally, _) = load.stop();
    assert!(tally.failures.is_empty() && tally.answered() > 0, "{:?}", tally.failures);
    assert!(answers(&site));
    site.done(&["destroy", "--yes", "-q"]);
    assert_eq!(successor.end().code, 0);
}

#[test]
fn an_apply_of_a_newer_wharf_takes_over_from_gateways_and_no_request_fails() {
    let site = Site::hello("gateway-newer");
    site.write("edge.kdl", &site.filled("nlb \"edge\" { listener @NEXT target=\"hello\" }\n"));
    let earlier = site.earlier();
    site.done_by(&earlier, &["apply", "--yes", "-q"]);
    let before: Vec<_> =
        site.processes().into_iter().filter(|process| process.command.contains(" gateway --")).collect();
    assert_eq!(before.len(), 4, "two gateways with their guards: {before:#?}");
    site.done_by(&earlier, &["plan", "--detailed-exitcode"]);

    let plan = site.run(&["plan", "--detailed-exitcode"]);
    assert!(plan.code == 2 && plan.said.contains("2 to update") && !plan.said.contains("downtime"), "{}", plan.said);
    let words = plan.said.split_whitespace().collect::<Vec<_>>().join(" ");
    let why = "0.0.9 runs; 0.1.0 takes over from it without refusing a connection";
    assert_eq!(words.matches(why).count(), 2, "{}", plan.said);
    assert_eq!(site.run(&["drift"]).code, 0, "an earlier release is no drift");

    until("the gateway answers", || answers(&site));
    let (load, through) = (Load::start(site.port, PATH, TOKEN), Load::start(site.port + 1, "/", TOKEN));
    std::thread::sleep(Duration::from_millis(300));
    site.done(&["apply", "--yes", "-q"]);
    std::thread::sleep(Duration::from_millis(300));
    for (what, load) in [("gateway", load), ("balancer", through)] {
        let (tally, took) = load.stop();
        println!("{what}: {} answered in {took:?}, 0 failed, longest gap {:?}", tally.answered(), tally.gap);
        assert!(tally.failures.is_empty() && tally.answered() > 0, "{what}: {:?}", tally.failures);
    }
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
    until("those of before have ended", || before.iter().all(|process| !process.lives()));
    assert!(answers(&site));
}

#[test]
fn calls_are_kept_in_a_file_and_tokens_are_not() {
    let site = Site::hello("gateway-records");
    site.done(&["apply", "--yes", "-q"]);
    site.replace("wharf.kdl", "    expose", "    call-records { file \"calls/hello.jsonl\" }\n    expose");
    let before = site.instances();
    site.done(&["apply", "--yes", "-q"]);
    assert_eq!(site.instances(), before, "nobody is started anew for it");
    until("the gateway answers", || answers(&site));
    let file = site.dir.join("calls/hello.jsonl");
    let kept = || std::fs::read_to_string(&file).unwrap_or_default();
    until("the call is kept", || kept().contains("greeting"));
    let call: serde_json::Value = serde_json::from_str(kept().lines().next_back().unwrap()).unwrap();
    println!("{call:#}");
    assert_eq!(call["status"], 200);
    assert!(!kept().contains(TOKEN), "{}", kept());

    // A part of them, and nothing of the greeting.
    let rules = " { redact-fields \"/greeting\"; sample \"50%\"; rotate \"1KiB\" keep=1 } }";
    site.replace("wharf.kdl", "{ file \"calls/hello.jsonl\" }", &format!("{{ file \"calls/part.jsonl\"{rules}"));
    site.done(&["apply", "--yes", "-q"]);
    let part = site.dir.join("calls/part.jsonl");
    let full = part.with_extension("jsonl.1");
    until("so many are kept that a file is full", || {
        (0..10).for_each(|_| assert!(answers(&site)));
        full.exists()
    });
    let kept = [&part, &full].map(|file| std::fs::read_to_string(file).unwrap_or_default()).concat();
    assert!(kept.contains("(redacted)") && !kept.contains("\\\"one\\\""), "{kept}");
    assert!(!part.with_extension("jsonl.2").exists());
    site.replace("wharf.kdl", "calls/part.jsonl", "calls/hello.jsonl");

    // A place where nothing can be written costs no request.
    site.replace("wharf.kdl", "calls/hello.jsonl", "wharf.kdl/x");
    site.done(&["apply", "--yes", "-q"]);
    (0..20).for_each(|_| assert!(answers(&site)));
    assert_eq!(site.run(&["plan", "--detailed-exitcode"]).code, 0);
}
