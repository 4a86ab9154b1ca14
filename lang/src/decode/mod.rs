//! From blocks that fit the schema to the deployment, with everything that values mean together: names that lead
//! somewhere, ports and paths that do not collide, limits that leave room.
//!
//! Each file decodes one noun and reports all that is wrong with it; a noun that lacks something yields nothing, and
//! goes on being checked. Where each written value stands is noted on the way.

mod allow;
mod drift;
mod eas;
mod elastic;
mod entrance;
mod environment;
mod gateway;
mod group;
mod health;
mod limits;
mod mount;
mod network;
mod notes;
mod notify;
mod policy;
mod program;
mod resources;
mod rollout;
mod secret;
mod service;
mod state;
mod stream;
mod traces;
mod was;
mod watch;

pub(crate) use environment::{Chosen, choose};

use crate::{
    SecretCheck,
    block::{Block, Found},
    problem::{Code, Problem, Problems},
    source::{Place, Sources},
    suggest::did_you_mean,
    threads::Threads,
    value::FromTyped,
};
use notes::Notes;
use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    sync::Arc,
};
use wharf_model::{Address, Deployment, Field, FieldPath, Origin, ProjectName, ProviderSpec, SecretName, Shared};

/// The work of decoding one environment of a project.
pub(crate) struct Decode<'a> {
    sources: &'a Sources<'a>,
    problems: &'a mut Problems,
    known: Arc<Known>,
    notes: Notes,
    /// What was noted of the project before these services.
    before: Option<&'a Notes>,
    threads: Threads,
}

/// What can be asked about the project wherever one is in it.
struct Known {
    gateways: BTreeSet<String>,
    groups: BTreeMap<String, group::Group>,
    secrets: BTreeSet<String>,
    networks: BTreeSet<String>,
    services: BTreeSet<String>,
    /// The environments.
    environments: BTreeSet<String>,
    /// Everything that could have been called otherwise; nothing where nobody says that he was.
    named: BTreeSet<Address>,
    /// The gateways that are of one's own on a platform, and of which kind.
    dedicated: BTreeMap<String, gateway::Kind>,
    /// The networks that are in one zone.
    narrow: BTreeSet<String>,
    /// The services to which a balancer of connections leads.
    balanced: BTreeMap<String, network::Balanced>,
    /// Whether it runs on EAS, which has rules of its own.
    eas: bool,
    /// Whether it runs on this host, which stands in for images.
    local: bool,
    /// Some text could not be read, so names that seem to lead nowhere may be declared there.
    incomplete: bool,
    /// A node that nobody knows may be meant for any that seems to be missing.
    misspelt: bool,
}

/// The blocks of a project, with the overlays of the environment laid over them.
pub(crate) struct Project<'a> {
    pub(crate) blocks: &'a [Block],
    pub(crate) environment: Option<Chosen>,
}

impl<'a> Decode<'a> {
    pub(crate) fn new(
        sources: &'a Sources<'a>,
        problems: &'a mut Problems,
        project: &Project<'_>,
        incomplete: bool,
        threads: Threads,
    ) -> Self {
        let blocks = project.blocks;
        let named = |kind: &str| blocks.iter().filter(|block| block.row.path == kind).filter_map(Block::key).collect();
        let runs_on =
            |fits: fn(&ProviderSpec) -> bool| project.environment.as_ref().is_some_and(|chosen| fits(&chosen.provider));
        let renames = blocks.iter().any(|block| block.child("was").is_some());
        let known = Known {
            gateways: named("gateway"),
            groups: group::declared(blocks),
            secrets: named("secret"),
            networks: named("network"),
            services: named("service"),
            environments: named("environment"),
            named: blocks.iter().filter(|_| renames).filter_map(address_of).collect(),
            dedicated: gateway::dedicated(blocks),
            narrow: network::narrow(blocks),
            balanced: network::balanced(blocks),
            eas: runs_on(|spec| matches!(spec, ProviderSpec::Eas { .. })),
            local: runs_on(|spec| matches!(spec, ProviderSpec::Local { .. })),
            incomplete,
            misspelt: problems.has(Code::UnknownNode),
        };
        Self { sources, problems, known: Arc::new(known), notes: Notes::default(), before: None, threads }
    }

    /// Decodes everything; the deployment is there when nothing needed is missing.
    pub(crate) fn deployment(mut self, project: &Project<'_>, check: Option<SecretCheck<'_>>) -> Option<Deployment> {
        let every = |path: &'static str| project.blocks.iter().filter(move |block| block.row.path == path);
        // Each is decoded, whatever became of those before it; only then is it asked whether all came to something.
        let secrets: Vec<_> = every("secret").map(|block| self.secret(block)).collect();
        let gateways: Vec<_> = every("gateway").map(|block| self.allowing(block, Self::gateway)).collect();
        let networks: Vec<_> = every("network").map(|block| self.network(block)).collect();
        let nlbs: Vec<_> = every("nlb").map(|block| self.nlb(block)).collect();
        let registries: Vec<_> = every("registry").map(|block| self.registry(block)).collect();
        let groups: Vec<_> = every("group").map(|block| self.group(block)).collect();
        let services = self.services(&every("service").collect::<Vec<_>>());
        let ignores: Vec<_> = every("ignore").map(|block| self.ignore(block, None)).collect();
        let here = project.environment.as_ref().map(|chosen| chosen.name.as_str());
        let notifies: Vec<_> = every("notify").filter_map(|block| self.notify(block, here)).collect();
        let policies: Vec<_> = every("policy").filter_map(|block| self.policy(block, here)).collect();
        self.check_weights();
        self.check_routed_groups(&every("service").collect::<Vec<_>>());
        self.check_doors(&every("service").collect::<Vec<_>>());
        self.check_allowances(project);
        if let Some(check) = check {
            let declared: Vec<_> = every("secret").collect();
            self.check_secrets(&declared, &secrets.iter().flatten().cloned().collect(), check);
        }
        let Chosen { name: environment, provider, state } = project.environment.clone()?;
        let project: ProjectName = every("project").find_map(name)?.1;
        Some(Deployment {
            project,
            environment,
            provider,
            state,
            secrets: secrets.into_iter().collect::<Option<_>>()?,
            gateways: gateways.into_iter().collect::<Option<_>>()?,
            services: services.into_iter().collect::<Option<_>>()?,
            shared: Shared {
                groups: groups.into_iter().collect::<Option<_>>()?,
                networks: networks.into_iter().collect::<Option<_>>()?,
                nlbs: nlbs.into_iter().collect::<Option<_>>()?,
                registries: registries.into_iter().collect::<Option<_>>()?,
            },
            ignores: ignores.into_iter().collect::<Option<Vec<_>>>()?.into_iter().chain(self.notes.ignores).collect(),
            renamed: self.notes.renamed,
            policies: policies.into_iter().collect(),
            notifies: notifies.into_iter().collect(),
            origins: self.notes.origins,
        })
    }

    fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn origin(&self, at: Option<Place>) -> Option<Origin> {
        at.map(|at| self.sources.origin(at))
    }

    /// Notes where a resource is declared.
    fn declare(&mut self, address: Address, at: Option<Place>) {
        if let Some(origin) = self.origin(at) {
            self.notes.origins.declare(address, origin);
        }
    }

    /// Notes where a field is written; nothing when it is a default.
    fn note(&mut self, address: &Address, path: FieldPath, at: Option<Place>) {
        if let Some(origin) = self.origin(at) {
            self.notes.origins.write(address, path, origin);
        }
    }

    /// Takes a value and notes where it is written.
    fn take<T>(&mut self, address: &Address, field: Field, found: Option<Found<T>>) -> Option<T> {
        let found = found?;
        self.note(address, FieldPath::of(field), found.at);
        Some(found.value)
    }

    /// Reports a name that is not declared.
    fn must_be_declared(&mut self, code: Code, kind: &str, name: &str, at: Option<Place>) {
        let known = match code {
            Code::UnknownGateway => &self.known.gateways,
            Code::UnknownNetwork => &self.known.networks,
            Code::UnknownService => &self.known.services,
            _ => &self.known.secrets,
        };
        if self.known.incomplete || known.contains(name) {
            return;
        }
        let help = did_you_mean(name, known.iter().map(String::as_str))
            .unwrap_or_else(|| format!("declare it: `{kind} \"{name}\" {{ … }}`"));
        let problem = Problem::error(code, format!("there is no {kind} `{name}`")).at(at, "not declared");
        self.report(problem.help(help));
    }

    /// Notes where the nodes of a block are written.
    fn note_each(&mut self, address: &Address, block: &Block, fields: &[(&str, Field)]) {
        for (name, field) in fields {
            self.note(address, FieldPath::of(*field), block.child(name).and_then(Block::title_at));
        }
    }

    /// Reports two nodes that exclude each other.
    fn exclusive(&mut self, one: &Block, other: &Block, why: &str) {
        let message = format!("`{}` and `{}` exclude each other", one.row.name(), other.row.name());
        let problem = Problem::error(Code::OnlyOneOf, message).at(other.title_at(), "the other here");
        self.report(problem.and(one.title_at(), "first here").help(format!("{why}: keep one of them")));
    }

    /// Reports a node that means something only beside another.
    fn requires(&mut self, block: &Block, missing: &str, why: &str) {
        let message = format!("`{}` needs `{missing}`", block.row.name());
        let problem = Problem::error(Code::Requires, message).at(block.title_at(), "not without it");
        self.report(problem.help(why.to_owned()));
    }

    /// The secret that a property of a block names.
    fn secret_of(&mut self, block: &Block, name: &str) -> Option<SecretName> {
        let secret = block.property::<SecretName>(name)?;
        self.use_secret(&secret.value, secret.at);
        Some(secret.value)
    }

    /// Reports a property that must be there because others are.
    fn needs(&mut self, block: &Block, missing: &str, why: &str) {
        if block.refused.contains(&missing) {
            return;
        }
        let message = format!("`{}` needs `{missing}=`", block.row.name());
        let problem = Problem::error(Code::MissingValue, message).at(block.at, "incomplete");
        self.report(problem.help(why.to_owned()));
    }

    /// A secret that is used here.
    fn use_secret(&mut self, name: &SecretName, at: Option<Place>) {
        self.must_be_declared(Code::UnknownSecret, "secret", name.as_str(), at);
        if let Some(at) = at {
            self.notes.used.entry(name.clone()).or_insert(at);
        }
    }
}

/// The address of a block that declares something which may be renamed.
fn address_of(block: &Block) -> Option<Address> {
    let kind = block.row.path;
    let renamable = matches!(kind, "service" | "gateway" | "network" | "nlb" | "group");
    if renamable { format!("{kind}.{}", block.key()?).parse().ok() } else { None }
}

/// The name of a block and where it is written.
fn name<N: FromStr>(block: &Block) -> Option<(Option<Place>, N)> {
    let found = block.argument::<Arc<str>>(0)?;
    Some((found.at, found.value.parse().ok()?))
}

/// The value of a node in the block, without its place.
fn plain<T: FromTyped>(block: &Block, name: &str) -> Option<T> {
    block.value(name).map(|found| found.value)
}

/// The value of a property, without its place.
fn found<T: FromTyped>(block: &Block, name: &str) -> Option<T> {
    block.property(name).map(|found| found.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Request, SourceFile, load};

    /// Where the service `s` of a project has its field written, as line and column.
    fn check(service: &str, address: &str, field: FieldPath, expected: Option<(u32, u32)>) {
        let text = format!(
            "project \"p\"; gateway \"g\" {{ listen 8600; max-body \"2MiB\" }}; secret \"t\" {{ env \"T\" }}\n\
             service \"s\" {{ command \"x\"; port 8000; health {{ readiness {{ tcp }} }}\n{service}\n}}"
        );
        let files = [SourceFile { name: "a.kdl".into(), text: text.into() }];
        let request = Request { files: &files, wharf_version: "0.1.0", ..Request::default() };
        let origins = load(&request).deployment.unwrap().origins;
        let address: Address = address.parse().unwrap();
        let declared = origins.declared(&address).unwrap();
        let written = origins.of(&address, &field).filter(|origin| *origin != declared);
        assert_eq!(written.map(|origin| (origin.line, origin.column)), expected, "{service}");
    }

    #[test]
    fn every_written_field_knows_its_place() {
        let of = FieldPath::of;
        check("packages \"flask\"", "service.s", of(Field::Packages), Some((3, 1)));
        check("packages \"flask\"", "service.s", of(Field::Interpreter), Some((3, 1)));
        check("packages \"flask\"", "packages.s", of(Field::Packages), None);
        let mount = "mount \"/mnt/a/\" { folder \".\" read-only=#true }";
        check(mount, "service.s", FieldPath::at(Field::Mount, "/mnt/a"), Some((3, 7)));
        check(mount, "service.s", FieldPath::at(Field::Content, "/mnt/a"), Some((3, 7)));
        check(mount, "mount.s:/mnt/a", of(Field::Content), None);
        check("", "service.s", of(Field::Instances), None);
        check("", "service.s", of(Field::Readiness), Some((2, 48)));
        let route = "expose \"g\" path=\"/a\"; auth { token (secret)\"t\" }; timeout \"9s\"";
        check(route, "route.g/s", FieldPath::at(Field::Path, "/a"), Some((3, 17)));
        check(route, "route.g/s", FieldPath::at(Field::Token, "t"), Some((3, 44)));
        check(route, "route.g/s", of(Field::Timeout), Some((3, 59)));
        check(route, "route.g/s", of(Field::MaxBody), Some((1, 50)));
    }
}
