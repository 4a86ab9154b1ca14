//! Projects of every shape: what is in each is drawn, and so is what goes on under another name in the next.

use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wharf_model::{
    Access, Address, DataSpec, Deployment, EnvValue, Expose, FolderPath, GatewaySpec, GroupPolicy, GroupSpec,
    Membership, Mount, MountSource, NetworkPlace, NetworkSpec, NlbSpec, Origins, Program, ProviderSpec, RegistrySpec,
    SecretSource, ServiceSpec, Shared, StateSpec, Template, TokenSpec,
};

/// What is drawn for a service.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    image: u8,
    level: u8,
    instances: u32,
    networked: bool,
    grouped: bool,
    mounted: bool,
    data: Option<bool>,
    secret: bool,
    exposed: (bool, bool),
    timeout: u64,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<(bool, bool)>());
    (0_u8..3, 0_u8..2, 0_u32..4, flags, any::<Option<bool>>(), 1_u64..3).prop_map(
        |(image, level, instances, (networked, grouped, mounted, secret, exposed), data, timeout)| Drawn {
            image,
            level,
            instances,
            networked,
            grouped,
            mounted,
            data,
            secret,
            exposed,
            timeout,
        },
    )
}

fn service(drawn: &Drawn, has: &Has) -> ServiceSpec {
    let mut template = Template::of(Program::Command(vec!["serve".into()]));
    template.port = Some(8000);
    template.image = (drawn.image > 0).then(|| format!("registry.example.com/chat:{}", drawn.image).into());
    template.env.insert("LEVEL".parse().unwrap(), EnvValue::Plain(drawn.level.to_string().into()));
    if drawn.secret {
        template.env.insert("TOKEN".parse().unwrap(), EnvValue::Secret("token".parse().unwrap()));
    }
    if drawn.mounted {
        let folder = Mount::folder(FolderPath(format!("./app{}", drawn.level).into()), Access::Snapshot);
        template.mounts.insert("/mnt/app".parse().unwrap(), folder);
    }
    if let Some(keep_on_delete) = drawn.data {
        let data = Mount::of(MountSource::Data(DataSpec { keep_on_delete }));
        template.mounts.insert("/data".parse().unwrap(), data);
    }
    template.network = has.network.filter(|_| drawn.networked).map(|name| name.parse().unwrap());
    let exposes = [(drawn.exposed.0, has.gateways.first()), (drawn.exposed.1, has.gateways.get(1))];
    let exposes = exposes.into_iter().filter_map(|(on, gateway)| gateway.filter(|_| on));
    ServiceSpec {
        instances: drawn.instances,
        timeout: Duration::from_secs(drawn.timeout),
        tokens: vec![TokenSpec { secret: "token".parse().unwrap(), name: None }],
        exposes: exposes.map(|name| (name.parse().unwrap(), Expose { path: None })).collect(),
        group: (drawn.grouped && has.group).then(|| Membership { group: "talk".parse().unwrap(), weight: None }),
        ..ServiceSpec::of(template)
    }
}

/// What a project has beside services.
#[derive(Debug, Clone)]
struct Has {
    network: Option<&'static str>,
    range: u8,
    gateways: Vec<&'static str>,
    group: bool,
    nlb: bool,
}

/// A project, and whether what goes and comes with it is one thing under two names.
pub(crate) fn project() -> impl Strategy<Value = (Deployment, bool)> {
    let networks = prop_oneof![Just(None), Just(Some("inner")), Just(Some("outer"))];
    let gateways = prop_oneof![
        Just(vec![]),
        Just(vec!["public"]),
        Just(vec!["front"]),
        Just(vec!["public", "side"]),
        Just(vec!["front", "side"])
    ];
    let has = (networks, 0_u8..2, gateways, any::<bool>(), any::<bool>())
        .prop_map(|(network, range, gateways, group, nlb)| Has { network, range, gateways, group, nlb });
    let names = prop::sample::subsequence(vec!["alpha", "beta", "gamma"], 0..=3);
    (has, names, prop::collection::vec(drawn(), 3), any::<bool>())
        .prop_map(|(has, names, drawn, renamed)| (deployment(&has, &names, &drawn), renamed))
}

fn deployment(has: &Has, names: &[&'static str], drawn: &[Drawn]) -> Deployment {
    let port = |name: &str| if name == "side" { 8601 } else { 8600 };
    let network = has.network.map(|name| name.parse().unwrap());
    let gateway = |name: &&'static str| {
        let spec = GatewaySpec::listening([127, 0, 0, 1].into(), port(name));
        (name.parse().unwrap(), GatewaySpec { network: network.clone().filter(|_| *name == "side"), ..spec })
    };
    let range = NetworkPlace::Own(format!("10.{}.0.0/24", has.range).parse().ok());
    let group = GroupSpec { policy: GroupPolicy::Instances };
    let nlb = names.first().filter(|_| has.nlb).map(|target| NlbSpec {
        listeners: BTreeMap::from([(9000, target.parse().unwrap())]),
        existing: None,
        public: false,
        network: network.clone(),
    });
    let login = RegistrySpec { username: "ci".into(), password: "token".parse().unwrap() };
    Deployment {
        project: "shop".parse().unwrap(),
        environment: "dev".parse().unwrap(),
        provider: ProviderSpec::Local { host_is_image: true, fuse: None, copying: Default::default() },
        state: StateSpec::default(),
        ignores: Vec::new(),
        secrets: BTreeMap::from([("token".parse().unwrap(), SecretSource::Env(Arc::from("TOKEN")))]),
        gateways: has.gateways.iter().map(gateway).collect(),
        services: names.iter().zip(drawn).map(|(name, drawn)| (name.parse().unwrap(), service(drawn, has))).collect(),
        shared: Shared {
            groups: has.group.then(|| ("talk".parse().unwrap(), group)).into_iter().collect(),
            networks: network
                .clone()
                .map(|name| (name, NetworkSpec { place: range, rules: vec![], sealed: false }))
                .into_iter()
                .collect(),
            nlbs: nlb.map(|spec| ("edge".parse().unwrap(), spec)).into_iter().collect(),
            registries: BTreeMap::from([("registry.example.com".parse().unwrap(), login)]),
        },
        renamed: BTreeMap::new(),
        policies: BTreeMap::new(),
        notifies: BTreeMap::new(),
        origins: Origins::default(),
    }
}

/// Says of the first of each kind that comes that it is the first of that kind that goes.
pub(crate) fn rename(before: &Deployment, after: &mut Deployment) {
    fn pair<N: Ord + Clone, S>(before: &BTreeMap<N, S>, after: &BTreeMap<N, S>) -> Option<(N, N)> {
        let gone = before.keys().find(|name| !after.contains_key(*name))?;
        let come = after.keys().find(|name| !before.contains_key(*name))?;
        Some((come.clone(), gone.clone()))
    }
    let services = pair(&before.services, &after.services);
    let services = services.map(|(to, from)| (Address::Service(to), Address::Service(from)));
    let gateways = pair(&before.gateways, &after.gateways);
    let gateways = gateways.map(|(to, from)| (Address::Gateway(to), Address::Gateway(from)));
    let networks = pair(&before.shared.networks, &after.shared.networks);
    let networks = networks.map(|(to, from)| (Address::Network(to), Address::Network(from)));
    after.renamed = services.into_iter().chain(gateways).chain(networks).collect();
}
