//! From blocks that fit the schema to the deployment, with everything that values mean together: names that lead
//! somewhere, ports and paths that do not collide, limits that leave room.
//!
//! Each file decodes one noun and reports all that is wrong with it; a noun that lacks something yields nothing, and
//! goes on being checked. Where each written value stands is noted on the way.

mod entrance;
mod environment;
mod gateway;
mod health;
mod mount;
mod rollout;
mod secret;
mod service;

pub(crate) use environment::choose;

use crate::{
    SecretCheck,
    block::{Block, Found},
    problem::{Code, Problem, Problems},
    source::{Place, Sources},
    suggest::did_you_mean,
    value::FromTyped,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    sync::Arc,
};
use wharf_model::{
    Address, Deployment, EnvironmentName, Field, FieldPath, GatewayName, Origin, Origins, ProjectName, ProviderSpec,
    SecretName, ServiceName,
};

/// The work of decoding one environment of a project.
pub(crate) struct Decode<'a> {
    sources: &'a Sources<'a>,
    problems: &'a mut Problems,
    origins: Origins,
    gateways: BTreeSet<String>,
    secrets: BTreeSet<String>,
    /// Some text could not be read, so names that seem to lead nowhere may be declared there.
    incomplete: bool,
    /// Where each secret is used first.
    used: BTreeMap<SecretName, Place>,
    /// Which service each path of a gateway leads to.
    paths: BTreeMap<(GatewayName, Arc<str>), (ServiceName, Option<Place>)>,
    /// The gateways so far, and where it is written on which port each listens.
    listens: Vec<(GatewayName, wharf_model::GatewaySpec, Option<Place>)>,
}

/// The blocks of a project, with the overlays of the environment laid over them.
pub(crate) struct Project<'a> {
    pub(crate) blocks: &'a [Block],
    pub(crate) environment: Option<(EnvironmentName, ProviderSpec)>,
}

impl<'a> Decode<'a> {
    pub(crate) fn new(
        sources: &'a Sources<'a>,
        problems: &'a mut Problems,
        blocks: &[Block],
        incomplete: bool,
    ) -> Self {
        let named = |kind: &str| blocks.iter().filter(|block| block.row.path == kind).filter_map(Block::key).collect();
        Self {
            sources,
            problems,
            origins: Origins::default(),
            gateways: named("gateway"),
            secrets: named("secret"),
            incomplete,
            used: BTreeMap::new(),
            paths: BTreeMap::new(),
            listens: Vec::new(),
        }
    }

    /// Decodes everything; the deployment is there when nothing needed is missing.
    pub(crate) fn deployment(mut self, project: &Project<'_>, check: Option<SecretCheck<'_>>) -> Option<Deployment> {
        let every = |path: &'static str| project.blocks.iter().filter(move |block| block.row.path == path);
        // Each is decoded, whatever became of those before it; only then is it asked whether all came to something.
        let secrets: Vec<_> = every("secret").map(|block| self.secret(block)).collect();
        let gateways: Vec<_> = every("gateway").map(|block| self.gateway(block)).collect();
        let services: Vec<_> = every("service").map(|block| self.service(block)).collect();
        if let Some(check) = check {
            let declared: Vec<_> = every("secret").collect();
            self.check_secrets(&declared, &secrets.iter().flatten().cloned().collect(), check);
        }
        let (environment, provider) = project.environment.clone()?;
        let project: ProjectName = every("project").find_map(name)?.1;
        Some(Deployment {
            project,
            environment,
            provider,
            secrets: secrets.into_iter().collect::<Option<_>>()?,
            gateways: gateways.into_iter().collect::<Option<_>>()?,
            services: services.into_iter().collect::<Option<_>>()?,
            origins: self.origins,
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
            self.origins.declare(address, origin);
        }
    }

    /// Notes where a field is written; nothing when it is a default.
    fn note(&mut self, address: &Address, path: FieldPath, at: Option<Place>) {
        if let Some(origin) = self.origin(at) {
            self.origins.write(address.clone(), path, origin);
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
        let known = if code == Code::UnknownGateway { &self.gateways } else { &self.secrets };
        if self.incomplete || known.contains(name) {
            return;
        }
        let help = did_you_mean(name, known.iter().map(String::as_str))
            .unwrap_or_else(|| format!("declare it: `{kind} \"{name}\" {{ … }}`"));
        let problem = Problem::error(code, format!("there is no {kind} `{name}`")).at(at, "not declared");
        self.report(problem.help(help));
    }

    /// A secret that is used here.
    fn use_secret(&mut self, name: &SecretName, at: Option<Place>) {
        self.must_be_declared(Code::UnknownSecret, "secret", name.as_str(), at);
        if let Some(at) = at {
            self.used.entry(name.clone()).or_insert(at);
        }
    }
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
