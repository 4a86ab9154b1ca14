//! Which environment it is, and on what it runs.

use super::{found, name, plain, state};
use crate::{
    admit::Admit,
    block::Block,
    problem::{Code, Problem},
    schema::{Reuse, children},
    suggest::{did_you_mean, either},
};
use std::num::NonZeroU16;
use std::{collections::BTreeMap, mem, sync::Arc};
use wharf_model::{CopyLimits, EnvironmentName, FuseClient, ProviderSpec, Room, StateSpec};

/// The environment of a project that declares none.
const DEFAULT: &str = "default";

/// The environment that was chosen.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) name: EnvironmentName,
    pub(crate) provider: ProviderSpec,
    pub(crate) state: StateSpec,
}

/// Chooses the environment, and lays its overlays over the blocks.
pub(crate) fn choose(admit: &mut Admit<'_>, blocks: &mut Vec<Block>, wanted: Option<&str>) -> Option<Chosen> {
    // They are taken out while others are changed by them, and put back in their places.
    let is_environment = |block: &&mut Block| block.row.path == "environment";
    let taken = blocks.iter_mut().filter(is_environment).map(|block| mem::replace(block, Block::absent(block.row)));
    let environments: Vec<Block> = taken.collect();
    let chosen = choose_of(admit, blocks, &environments, wanted);
    for (place, environment) in blocks.iter_mut().filter(is_environment).zip(environments) {
        *place = environment;
    }
    chosen
}

fn choose_of(
    admit: &mut Admit<'_>,
    blocks: &mut Vec<Block>,
    environments: &[Block],
    wanted: Option<&str>,
) -> Option<Chosen> {
    let bases = bases(blocks);
    for environment in environments {
        check_overlays(admit, environment, &bases);
        rehearse(admit, environment, blocks, &bases);
        environment.child("provider").into_iter().for_each(|block| check_settings(admit, block));
        environment.child("state").into_iter().for_each(|block| state::check(admit, block));
    }
    if environments.is_empty() && wanted.is_none_or(|wanted| wanted == DEFAULT) {
        let provider = ProviderSpec::Local { host_is_image: false, fuse: None, copying: CopyLimits::default() };
        return Some(Chosen { name: DEFAULT.parse().ok()?, provider, state: StateSpec::Folder });
    }
    let chosen = match wanted {
        Some(wanted) => find(admit, environments, wanted)?,
        None => only(admit, environments)?,
    };
    for over in overlays(chosen) {
        let base = over.key().and_then(|key| bases.get(over.row.name())?.get(&key));
        if let Some(index) = base {
            lay(admit, &mut blocks[*index], over);
        }
    }
    admit.remove_resources(blocks, chosen);
    Some(Chosen { name: name(chosen)?.1, provider: provider(chosen)?, state: state::state(chosen)? })
}

/// Lays an overlay over what it changes. After something was taken away the whole must be complete, else what came.
fn lay(admit: &mut Admit<'_>, base: &mut Block, over: &Block) {
    let laid = admit.lay(base, over);
    if laid.is_sure && over.children.iter().any(|child| child.row.reuse == Some(Reuse::Remove)) {
        admit.complete(base);
    } else {
        laid.added.iter().for_each(|added| admit.complete(added));
    }
}

/// Lays the overlays of an environment that use templates or take something away over copies, so that what is wrong with
/// them is told whichever environment is chosen.
fn rehearse(admit: &mut Admit<'_>, environment: &Block, blocks: &[Block], bases: &Bases) {
    for over in overlays(environment) {
        let reuses = over.children.iter().any(|child| child.row.reuse.is_some());
        let base = over.key().and_then(|key| bases.get(over.row.name())?.get(&key));
        if let (true, Some(index)) = (reuses, base) {
            lay(admit, &mut blocks[*index].clone(), over);
        }
    }
    if environment.children.iter().any(|child| child.row.reuse.is_some()) {
        // What tells them apart is enough.
        let shell = |block: &Block| {
            let key = block.arguments.first().cloned();
            Block { arguments: key.into_iter().collect(), ..Block::absent(block.row) }
        };
        admit.remove_resources(&mut blocks.iter().map(shell).collect(), environment);
    }
}

/// For each kind of node that can be changed, where among the blocks each name stands.
type Bases = BTreeMap<&'static str, BTreeMap<String, usize>>;

/// The nodes of an environment that change something.
fn overlays(environment: &Block) -> impl Iterator<Item = &Block> {
    environment.children.iter().filter(|child| child.row.like.is_some())
}

fn bases(blocks: &[Block]) -> Bases {
    let kinds = children("environment").iter().filter_map(|row| row.like);
    let mut bases: Bases = kinds.map(|kind| (kind, BTreeMap::new())).collect();
    for (index, block) in blocks.iter().enumerate() {
        if let (Some(names), Some(key)) = (bases.get_mut(block.row.path), block.key()) {
            names.insert(key, index);
        }
    }
    bases
}

fn names(environments: &[Block]) -> Vec<String> {
    environments.iter().filter_map(Block::key).collect()
}

fn find<'b>(admit: &mut Admit<'_>, environments: &'b [Block], wanted: &str) -> Option<&'b Block> {
    let found = environments.iter().find(|block| block.key().as_deref() == Some(wanted));
    if found.is_none() && !admit.incomplete {
        let names = names(environments);
        let help = did_you_mean(wanted, names.iter().map(String::as_str))
            .unwrap_or_else(|| format!("the project declares no environment, so there is only `{DEFAULT}`"));
        let problem = Problem::error(Code::UnknownEnvironment, format!("there is no environment `{wanted}`"));
        admit.problems.push(problem.help(help));
    }
    found
}

fn only<'b>(admit: &mut Admit<'_>, environments: &'b [Block]) -> Option<&'b Block> {
    let [first, others @ ..] = environments else { return None };
    if others.is_empty() {
        return Some(first);
    }
    let names: Vec<_> = names(environments).iter().map(|name| format!("`--env {name}`")).collect();
    let problem = Problem::error(Code::NoEnvironment, "the project has several environments, and none is chosen");
    let problem = problem.at(first.title_at(), "one of them").and(others[0].title_at(), "another");
    admit.problems.push(problem.help(format!("choose one: {}", either(&names))));
    None
}

/// Overlays of every environment must be about something, also of those that are not chosen.
fn check_overlays(admit: &mut Admit<'_>, environment: &Block, bases: &Bases) {
    for over in overlays(environment) {
        let (kind, Some(key)) = (over.row.name(), over.key()) else { continue };
        let Some(known) = bases.get(kind).filter(|known| !known.contains_key(&key) && !admit.incomplete) else {
            continue;
        };
        let code = match kind {
            "gateway" => Code::UnknownGateway,
            "network" => Code::UnknownNetwork,
            "group" => Code::UnknownGroup,
            "service" => Code::UnknownService,
            "nlb" => Code::UnknownNlb,
            _ => Code::UnknownRegistry,
        };
        let message = format!("there is no {kind} `{key}` that this environment could change");
        let help = did_you_mean(&key, known.keys().map(String::as_str))
            .unwrap_or_else(|| format!("declare it at the top level: `{kind} \"{key}\" {{ … }}`"));
        admit.problems.push(Problem::error(code, message).at(over.title_at(), "not declared").help(help));
    }
}

/// The settings of each provider beside its name.
const SETTINGS: &[(&str, &[&str])] = &[
    ("local", &[]),
    ("docker", &["host", "certificates"]),
    ("kubernetes", &["context", "namespace"]),
    ("eas", &["region", "workspace"]),
];

/// The settings that are nodes, as they are written, and whose they are. Elsewhere the platform knows who brings files.
const NODES: &[(&str, &str, &[&str])] = &[
    ("image", "image \"host\"", &["local"]),
    ("fuse", "fuse", &["local", "docker"]),
    ("copies", "copies", &["local", "docker"]),
];

/// A setting of another provider would be read and never used.
fn check_settings(admit: &mut Admit<'_>, block: &Block) {
    let Some(provider) = block.key() else { return };
    let provider = provider.as_str();
    let own = SETTINGS.iter().find(|(name, _)| *name == provider).map_or(&[][..], |(_, own)| own);
    for (name, found) in block.properties.iter().filter(|(name, _)| !own.contains(name)) {
        let owner = SETTINGS.iter().find(|(_, settings)| settings.contains(name)).map_or("no", |(owner, _)| owner);
        let message = format!("`{name}` is a setting of the {owner} provider, and this is {provider}");
        admit.problems.push(Problem::error(Code::ForeignSetting, message).at(found.at, "means nothing here"));
    }
    let has = |name: &'static str| block.properties.get(name).is_some() || block.refused.contains(&name);
    if provider == "eas" && !has("region") {
        let problem = Problem::error(Code::MissingValue, "`provider \"eas\"` needs `region=`");
        let help = "write for example `provider \"eas\" region=\"cn-hangzhou\"`";
        admit.problems.push(problem.at(block.title_at(), "in which region?").help(help.to_owned()));
    }
    for (node, said, owners) in NODES.iter().filter(|(.., owners)| !owners.contains(&provider)) {
        let Some(block) = block.child(node) else { continue };
        let (whose, many) = (owners.join(" and "), if owners.len() > 1 { "s" } else { "" });
        let message = format!("`{said}` is a setting of the {whose} provider{many}, and this is {provider}");
        admit.problems.push(Problem::error(Code::ForeignSetting, message).at(block.title_at(), "means nothing here"));
    }
    if let (Some(host), Some(certificates)) =
        (block.property::<Arc<str>>("host"), block.property::<Arc<str>>("certificates"))
        && !host.value.starts_with("tcp://")
    {
        let message = "`certificates` are for an engine at tcp://, and this is none";
        let problem = Problem::error(Code::Contradiction, message).at(certificates.at, "nobody asks for these");
        let help = "leave `certificates` out, or name the engine by `host=\"tcp://…:2376\"`";
        admit.problems.push(problem.and(host.at, "it answers there").help(help.to_owned()));
    }
    if let Some(copies) = block.child("copies") {
        check_copies(admit, copies);
    }
}

/// One that makes room up to less than it began at would never be done.
fn check_copies(admit: &mut Admit<'_>, copies: &Block) {
    let Some(free) = copies.child("free") else { return };
    let (low, high) = (free.argument::<u32>(0), free.property::<u32>("up-to"));
    if let (Some(low), Some(high)) = (low, high)
        && high.value < low.value
    {
        let message = format!("room is made below {}% and up to {}%, which is less", low.value, high.value);
        let problem = Problem::error(Code::Contradiction, message).at(high.at, "less than that");
        let help = format!("write `free \"{0}%\" up-to=\"{1}%\"`, say", low.value, twice(low.value));
        admit.problems.push(problem.and(low.at, "begins here").help(help));
    }
}

/// What copying may take of this host.
fn copying(provider: &Block) -> CopyLimits {
    let Some(block) = provider.child("copies") else { return CopyLimits::default() };
    let room = block.child("free").and_then(|free| {
        let low = free.argument::<u32>(0)?.value;
        let high = found(free, "up-to").unwrap_or_else(|| twice(low));
        Some(Room { low: u8::try_from(low).ok()?, high: u8::try_from(high).ok()? })
    });
    CopyLimits {
        connections: plain::<u32>(block, "connections").and_then(|most| NonZeroU16::new(u16::try_from(most).ok()?)),
        bandwidth: plain(block, "bandwidth"),
        room: room.unwrap_or_default(),
    }
}

/// Where making room ends, in hundredths of the disk, when only is said where it begins.
fn twice(low: u32) -> u32 {
    (low * 2).min(100)
}

/// Who mounts folders of buckets.
fn fuse(provider: &Block) -> Option<FuseClient> {
    plain::<Arc<str>>(provider, "fuse").and_then(|word| FuseClient::of_word(&word))
}

fn provider(environment: &Block) -> Option<ProviderSpec> {
    let block = environment.child("provider")?;
    let name = block.argument::<Arc<str>>(0)?.value;
    Some(match &*name {
        "local" => ProviderSpec::Local {
            host_is_image: block.child("image").is_some(),
            fuse: fuse(block),
            copying: copying(block),
        },
        "docker" => {
            let (host, certificates) = (found(block, "host"), found(block, "certificates"));
            ProviderSpec::Docker { host, certificates, fuse: fuse(block), copying: copying(block) }
        }
        "kubernetes" => {
            ProviderSpec::Kubernetes { context: found(block, "context"), namespace: found(block, "namespace") }
        }
        "eas" => ProviderSpec::Eas { region: found(block, "region")?, workspace: found(block, "workspace") },
        _ => return None,
    })
}
