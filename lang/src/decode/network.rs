//! Networks, balancers of connections, logins for images, and what of a service is about them.

use super::{Decode, found, name, plain, resources::flag};
use crate::{
    block::Block,
    problem::{Code, Problem},
    source::Place,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wharf_model::{
    Address, Cidr, Confidential, Direction, ExistingNetwork, Field, FieldPath, Nacos, NetworkName, NetworkPlace,
    NetworkRule, NetworkSpec, NlbName, NlbSpec, RegistryHost, RegistrySpec, SecretName, ServiceName,
};

impl Decode<'_> {
    pub(super) fn network(&mut self, block: &Block) -> Option<(NetworkName, NetworkSpec)> {
        let (at, network) = name::<NetworkName>(block)?;
        let address = Address::Network(network.clone());
        self.declare(address.clone(), at);
        self.was(block, &address, Address::Network);
        let range = block.property::<Cidr>("cidr");
        self.note(&address, FieldPath::of(Field::NetworkRange), range.as_ref().and_then(|range| range.at));
        let fields = [("vpc", Field::NetworkExisting), ("id", Field::NetworkAdopted), ("egress", Field::NetworkEgress)];
        self.note_each(&address, block, &fields);
        let existing = self.existing_network(block);
        if let (Some(range), Some(vpc)) = (&range, block.child("vpc")) {
            let message = "`cidr` makes a network, and `vpc` names one that exists";
            let problem = Problem::error(Code::OnlyOneOf, message).at(vpc.title_at(), "exists");
            self.report(problem.and(range.at, "would be made").help("keep one of them".to_owned()));
        }
        self.check_adopted(block, range.as_ref().and_then(|range| range.at));
        let rules = ["allow-in", "allow-out"].into_iter().flat_map(|name| block.every(name));
        let rules: Vec<_> = rules.filter_map(|node| self.network_rule(node, &address)).collect();
        let adopted = plain(block, "id").map(NetworkPlace::Adopted);
        let place = existing.map(NetworkPlace::Existing).or(adopted);
        let place = place.unwrap_or_else(|| NetworkPlace::Own(range.map(|range| range.value)));
        let sealed = plain::<Arc<str>>(block, "egress").is_some_and(|word| &*word == "off");
        Some((network, NetworkSpec { place, rules, sealed }))
    }

    /// What a network that somebody else made is like is not for the files to say.
    fn check_adopted(&mut self, block: &Block, range: Option<Place>) {
        let Some(id) = block.child("id") else { return };
        let sealed = plain::<Arc<str>>(block, "egress").is_some_and(|word| &*word == "off");
        let said = ["vpc", "egress", "allow-in", "allow-out"].into_iter().filter(|name| *name != "egress" || sealed);
        let said = said.filter_map(|name| {
            let what = if name == "vpc" { "names another" } else { "is for its owner to say" };
            Some((format!("`{name}`"), block.every(name).next()?.title_at(), what))
        });
        let range = range.map(|at| ("`cidr`".to_owned(), Some(at), "would be made"));
        for (other, at, what) in range.into_iter().chain(said).collect::<Vec<_>>() {
            let message = format!("`id` names a network that exists as it is, and {other} says otherwise");
            let problem = Problem::error(Code::OnlyOneOf, message).at(id.title_at(), "exists").and(at, what);
            self.report(problem.help("keep one of them".to_owned()));
        }
    }

    /// A network of the platform is named by three things together.
    fn existing_network(&mut self, block: &Block) -> Option<ExistingNetwork> {
        let parts = ["vpc", "vswitches", "security-group"];
        let there = parts.iter().find_map(|part| block.child(part)).cloned()?;
        let missing = parts.iter().filter(|part| block.child(part).is_none() && !block.refused.contains(part));
        let missing: Vec<_> = missing.copied().collect();
        if !missing.is_empty() {
            let why = "`vpc`, `vswitches` and `security-group` name a network of the platform together";
            self.requires(&there, &missing.join("` and `"), why);
        }
        Some(ExistingNetwork {
            vpc: plain(block, "vpc")?,
            vswitches: block.child("vswitches")?.all()?,
            security_group: plain(block, "security-group")?,
        })
    }

    fn network_rule(&mut self, node: &Block, address: &Address) -> Option<NetworkRule> {
        self.note(address, FieldPath::of(Field::NetworkRules), node.title_at());
        Some(NetworkRule {
            direction: Direction::of_word(node.row.name())?,
            range: node.argument(0)?.value,
            port: found::<u32>(node, "port").and_then(|port| u16::try_from(port).ok()),
        })
    }

    /// The network that a block says it is in.
    pub(super) fn in_network(&mut self, block: &Block, address: &Address, field: Field) -> Option<NetworkName> {
        let node = block.child("network")?;
        let (at, network) = name::<NetworkName>(node)?;
        self.note(address, FieldPath::of(field), at);
        self.must_be_declared(Code::UnknownNetwork, "network", network.as_str(), at);
        Some(network)
    }

    pub(super) fn nlb(&mut self, block: &Block) -> Option<(NlbName, NlbSpec)> {
        let (at, nlb) = name::<NlbName>(block)?;
        let address = Address::Nlb(nlb.clone());
        self.declare(address.clone(), at);
        self.note_each(&address, block, &[("id", Field::NlbExisting), ("public", Field::NlbPublic)]);
        self.was(block, &address, Address::Nlb);
        let mut listeners = BTreeMap::new();
        for node in block.every("listener") {
            let (Some(port), Some(target)) = (node.argument::<u32>(0), node.property::<Arc<str>>("target")) else {
                continue;
            };
            self.note(&address, FieldPath::at(Field::NlbListener, port.value.to_string()), port.at);
            if port.value == 8080 {
                self.reserved(port.value, port.at);
            }
            self.must_be_declared(Code::UnknownService, "service", &target.value, target.at);
            if let (Ok(port), Ok(target)) = (u16::try_from(port.value), target.value.parse::<ServiceName>()) {
                listeners.insert(port, target);
            }
        }
        let network = self.in_network(block, &address, Field::NlbNetwork);
        if let (None, true) = (&network, self.known.eas) {
            self.requires(block, "network", "on eas, a balancer reaches instances through their network");
        }
        self.check_eas_nlb(block);
        Some((nlb, NlbSpec { listeners, existing: plain(block, "id"), public: flag(block, "public"), network }))
    }

    pub(super) fn registry(&mut self, block: &Block) -> Option<(RegistryHost, RegistrySpec)> {
        let host = block.argument::<Arc<str>>(0)?;
        let password = block.property::<SecretName>("password");
        if let Some(password) = &password {
            self.must_be_declared(Code::UnknownSecret, "secret", password.value.as_str(), password.at);
            // Where the host stands in for images, nobody logs in, and nobody needs the value.
            if !self.known.local {
                self.use_secret(&password.value, password.at);
            }
        }
        let registry = match host.value.parse::<RegistryHost>() {
            Ok(registry) => registry,
            Err(error) => {
                let problem = Problem::error(Code::InvalidValue, error.to_string()).at(host.at, "not a host");
                self.report(problem.help("write the host alone, such as \"registry.example.com\"".to_owned()));
                return None;
            }
        };
        let address = Address::Registry(registry.clone());
        self.declare(address.clone(), host.at);
        Some((registry, RegistrySpec { username: found(block, "username")?, password: password?.value }))
    }

    pub(super) fn nacos(&mut self, service: &Block, address: &Address) -> BTreeMap<Arc<str>, Nacos> {
        let mut found_nacos = BTreeMap::new();
        for node in service.every("nacos") {
            let Some(id) = node.argument::<Arc<str>>(0) else { continue };
            self.note(address, FieldPath::at(Field::Nacos, &*id.value), id.at);
            if self.known.eas && service.child("network").is_none() {
                self.requires(node, "network", "on eas, instances are entered with their addresses in a network");
            }
            found_nacos.insert(id.value, Nacos { namespace: found(node, "namespace"), group: found(node, "group") });
        }
        found_nacos
    }

    pub(super) fn confidential(&mut self, service: &Block, address: &Address) -> Option<Confidential> {
        let block = service.child("confidential")?;
        self.note(address, FieldPath::of(Field::Confidential), block.at);
        if service.child("mount").is_none() {
            self.requires(block, "mount", "it is for the model or the code in a mount, which is encrypted");
        }
        let key = block.property::<Arc<str>>("key")?;
        if !key.value.starts_with("kbs:///") {
            let message = format!("`{}` is not the name of a key", key.value);
            let problem = Problem::error(Code::InvalidValue, message).at(key.at, "not such a name");
            self.report(problem.help("write for example \"kbs:///default/key/model\"".to_owned()));
        }
        Some(Confidential { trustee: found(block, "trustee")?, key: key.value })
    }
}

/// The networks of a platform that have one part, and so are in one zone.
pub(super) fn narrow(blocks: &[Block]) -> BTreeSet<String> {
    let networks = blocks.iter().filter(|block| block.row.path == "network");
    let one = |block: &&Block| block.child("vswitches").is_some_and(|parts| parts.arguments.len() == 1);
    networks.filter(one).filter_map(Block::key).collect()
}

/// A service to which a balancer of connections leads.
pub(super) struct Balanced {
    /// Where that is written.
    pub(super) at: Place,
    /// The first balancer that exists, and the first that is made.
    pub(super) by: [Option<Place>; 2],
}

/// The services to which a balancer of connections leads.
pub(super) fn balanced(blocks: &[Block]) -> BTreeMap<String, Balanced> {
    let mut services: BTreeMap<String, Balanced> = BTreeMap::new();
    for nlb in blocks.iter().filter(|block| block.row.path == "nlb") {
        let made = usize::from(nlb.child("id").is_none());
        for target in nlb.every("listener").filter_map(|node| node.property::<Arc<str>>("target")) {
            let Some(at) = target.at else { continue };
            let service = services.entry(target.value.to_string()).or_insert(Balanced { at, by: [None; 2] });
            service.by[made] = service.by[made].or(Some(at));
        }
    }
    services
}
