//! From any project to any other.

use crate::site::{Site, deployment, names, service};
use proptest::prelude::*;
use std::time::Duration;
use wharf_model::{ContentDigest, Deployment, FolderPath, ServiceSpec, SourceRef};

fn spec() -> impl Strategy<Value = ServiceSpec> {
    let level = prop_oneof![Just("info"), Just("debug")];
    (level, 0_u32..4, any::<bool>(), any::<bool>(), any::<bool>(), 1_u64..3).prop_map(
        |(level, instances, mounted, packaged, exposed, timeout)| {
            let mut spec = service(&[("LOG", level)], instances);
            if !mounted {
                spec.template.mounts.clear();
            }
            if !packaged {
                spec.template.packages.clear();
            }
            if !exposed {
                spec.exposes.clear();
            }
            spec.timeout = Duration::from_secs(timeout);
            spec
        },
    )
}

fn project() -> impl Strategy<Value = Deployment> {
    let names = prop::sample::subsequence(vec!["alpha", "beta", "gamma"], 0..=3);
    (names, prop::collection::vec(spec(), 3))
        .prop_map(|(names, specs)| deployment(&names.into_iter().zip(specs).collect::<Vec<_>>()))
}

/// What somebody does by hand between two applies.
#[derive(Debug, Clone)]
enum Meddling {
    Nothing,
    Kill(usize),
    ChangeSource(u8),
}

fn meddling() -> impl Strategy<Value = Meddling> {
    prop_oneof![
        Just(Meddling::Nothing),
        (0_usize..8).prop_map(Meddling::Kill),
        any::<u8>().prop_map(Meddling::ChangeSource),
    ]
}

async fn live_through(history: Vec<(Deployment, Meddling)>) {
    let site = Site::new();
    for (desired, meddling) in history {
        site.settle(&desired).await;
        let wanted: u32 = desired.services.values().map(|spec| spec.instances).sum();
        assert_eq!(site.shape().len(), wanted as usize);
        match meddling {
            Meddling::Nothing => {}
            Meddling::Kill(which) => {
                if let Some(name) = names(&site).get(which) {
                    site.memory.kill(&name.parse().unwrap());
                }
            }
            Meddling::ChangeSource(content) => {
                let source = SourceRef::Folder(FolderPath("./app".into()));
                site.memory.change_source(source, ContentDigest::of([[content].as_slice()]));
            }
        }
    }
    site.settle(&deployment(&[])).await;
    assert!(site.memory.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// From any project to any other, whatever is done by hand between: after an apply the plan is empty, and after
    /// the last project is gone nothing is left.
    #[test]
    fn after_an_apply_the_plan_is_empty(history in prop::collection::vec((project(), meddling()), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(live_through(history));
    }
}
