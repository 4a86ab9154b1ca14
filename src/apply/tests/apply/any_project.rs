//! From any project to any other.

use crate::site::{Site, deployment, names, service};
use proptest::prelude::*;
use std::time::Duration;
use wharf_model::{
    Address, ContentDigest, DataSpec, Deployment, FolderPath, GroupPolicy, GroupSpec, Membership, Mount, MountSource,
    NetworkPlace, NetworkSpec, NlbSpec, RegistrySpec, SecretSource, ServiceSpec, SourceRef,
};

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
    (names, prop::collection::vec(spec(), 3), around()).prop_map(|(names, specs, around)| {
        let mut project = deployment(&names.into_iter().zip(specs).collect::<Vec<_>>());
        around.add(&mut project);
        project
    })
}

/// What there is beside services and their gateway.
#[derive(Debug, Clone)]
struct Around {
    /// The network's name and range.
    network: Option<(&'static str, u8)>,
    group: Option<&'static str>,
    nlb: bool,
    registry: bool,
    /// Data of the first service.
    data: bool,
    /// Whether a network and a group of other names are those that were there before.
    renamed: bool,
}

fn around() -> impl Strategy<Value = Around> {
    let network = prop::option::of((prop_oneof![Just("inner"), Just("outer")], 0_u8..2));
    let group = prop::option::of(prop_oneof![Just("talk"), Just("talks")]);
    (network, group, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(network, group, nlb, registry, data, renamed)| Around { network, group, nlb, registry, data, renamed },
    )
}

impl Around {
    fn add(&self, project: &mut Deployment) {
        let Self { network, group, nlb, registry, data, renamed } = self;
        let (network_name, group_name) = (network.map(|(name, _)| name.parse().unwrap()), group.map(str::parse));
        let group_name = group_name.map(Result::unwrap);
        if let Some((first, spec)) = project.services.iter_mut().next() {
            if *data {
                let mount = Mount::of(MountSource::Data(DataSpec { keep_on_delete: false }));
                spec.template.mounts.insert("/data".parse().unwrap(), mount);
            }
            spec.template.network = network_name.clone();
            spec.group = group_name.clone().map(|group| Membership { group, weight: None });
            let listeners = [(9000, first.clone())].into();
            let balancer = NlbSpec { listeners, existing: None, public: false, network: network_name.clone() };
            project.shared.nlbs.extend(nlb.then(|| ("edge".parse().unwrap(), balancer)));
        }
        let place = |range: u8| NetworkPlace::Own(format!("10.{range}.0.0/24").parse().ok());
        let spec = network.map(|(_, range)| NetworkSpec { place: place(range), rules: Vec::new(), sealed: false });
        project.shared.networks.extend(network_name.zip(spec));
        let policy = GroupPolicy::Instances;
        project.shared.groups.extend(group_name.map(|name| (name, GroupSpec { policy })));
        if *registry {
            let login = RegistrySpec { username: "ci".into(), password: "pull".parse().unwrap() };
            project.secrets.insert("pull".parse().unwrap(), SecretSource::Env("PULL".into()));
            project.shared.registries.insert("registry.example.com".parse().unwrap(), login);
        }
        let other = |name: &str, one: &str, two: &str| if name == one { two.to_owned() } else { one.to_owned() };
        if *renamed {
            let was = |kind: &str, name: &str, before: &str| -> (Address, Address) {
                (format!("{kind}.{name}").parse().unwrap(), format!("{kind}.{before}").parse().unwrap())
            };
            let networks = network.map(|(name, _)| was("network", name, &other(name, "inner", "outer")));
            let groups = group.map(|name| was("group", name, &other(name, "talk", "talks")));
            project.renamed.extend(networks.into_iter().chain(groups));
        }
    }
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
