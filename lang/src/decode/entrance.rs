//! Who may call a service, and through which gateways.

use super::{Decode, name, notes::Notes};
use crate::{
    block::{Block, Found},
    problem::{Code, Problem},
    source::Place,
};
use std::{collections::BTreeMap, sync::Arc};
use wharf_model::{
    Address, Expose, Field, FieldPath, GatewayName, GroupName, SecretName, ServiceName, TokenName, TokenSpec,
    entry_path,
};

impl Decode<'_> {
    pub(super) fn tokens(&mut self, service: &Block, address: &Address) -> Vec<TokenSpec> {
        let Some(auth) = service.child("auth") else { return Vec::new() };
        let (mut tokens, mut names) = (Vec::new(), BTreeMap::new());
        for node in auth.every("token") {
            let Some(secret) = node.argument::<SecretName>(0) else { continue };
            self.use_secret(&secret.value, secret.at);
            self.note(address, FieldPath::at(Field::Token, secret.value.as_str()), secret.at);
            let name = self.token_name(node, &secret.value, address);
            let token = TokenSpec { secret: secret.value, name };
            // Gateways know one without a name by its secret.
            if let Some(first) = names.insert(token.known_as().to_owned(), secret.at) {
                let problem =
                    Problem::error(Code::DuplicateName, format!("two tokens are called `{}`", token.known_as()));
                let help =
                    "call each by a name of its own: `name=\"…\"`; one without is called as its secret".to_owned();
                self.report(problem.at(secret.at, "again here").and(first, "first here").help(help));
            }
            tokens.push(token);
        }
        if service.child("expose").is_none() {
            let message = format!("{} has tokens, but no gateway leads to it", service.title());
            let problem = Problem::warning(Code::UnusedToken, message).at(auth.at, "nobody is asked for these");
            self.report(problem.help("add `expose \"gateway\"`, or remove `auth`".to_owned()));
        }
        tokens
    }

    /// Who is given a token.
    fn token_name(&mut self, node: &Block, secret: &SecretName, address: &Address) -> Option<TokenName> {
        let found = node.property::<Arc<str>>("name")?;
        self.note(address, FieldPath::at(Field::TokenName, secret.as_str()), found.at);
        found.value.parse().ok()
    }

    pub(super) fn exposes(
        &mut self,
        block: &Block,
        service: &ServiceName,
        address: &Address,
    ) -> BTreeMap<GatewayName, Expose> {
        let mut exposes = BTreeMap::new();
        let group: Option<GroupName> = block.child("group").and_then(name).map(|(_, group)| group);
        for node in block.every("expose") {
            let Some((at, gateway)) = name::<GatewayName>(node) else { continue };
            self.must_be_declared(Code::UnknownGateway, "gateway", gateway.as_str(), at);
            self.note(address, FieldPath::at(Field::Expose, gateway.as_str()), at);
            let route = Address::Route(gateway.clone(), service.clone());
            self.declare(route.clone(), at);
            let path =
                node.property::<Arc<str>>("path").map(|path| Found { value: without_slash(&path.value), ..path });
            if let Some(path) = &path {
                self.note(&route, FieldPath::at(Field::Path, &*path.value), path.at);
                self.claim(&gateway, &path.value, address, path.at);
            }
            if let Some(group) = &group {
                let shared = Address::Group(group.clone());
                self.claim(&gateway, &entry_path(group), &shared, at);
                self.claim(&gateway, &entry_path(&format!("{group}.{service}")), address, at);
            }
            if group.as_ref().is_none_or(|group| group.as_str() != service.as_str()) {
                self.claim(&gateway, &entry_path(service), address, at);
            }
            self.note_route(block, node, &route);
            exposes.insert(gateway, Expose { path: path.map(|path| path.value) });
        }
        exposes
    }

    /// What a route takes over from its service and its gateway stands where they say it.
    fn note_route(&mut self, service: &Block, expose: &Block, route: &Address) {
        let timeout = service.child("timeout").and_then(Block::title_at);
        self.note(route, FieldPath::of(Field::Timeout), timeout);
        self.note(route, FieldPath::of(Field::Group), service.child("group").and_then(Block::title_at));
        for token in service.child("auth").into_iter().flat_map(|auth| auth.every("token")) {
            if let Some(secret) = token.argument::<SecretName>(0) {
                self.note(route, FieldPath::at(Field::Token, secret.value.as_str()), secret.at);
            }
        }
        let Some(gateway) = expose.key().and_then(|key| key.parse().ok()).map(Address::Gateway) else { return };
        let noted = |notes: &Notes| notes.origins.written(&gateway, Field::MaxBody).cloned();
        if let Some(origin) = self.before.and_then(noted).or_else(|| noted(&self.notes)) {
            self.notes.origins.write(route, FieldPath::of(Field::MaxBody), origin);
        }
    }

    /// A path of a gateway leads to one service, or to one group.
    fn claim(&mut self, gateway: &GatewayName, path: &Arc<str>, owner: &Address, at: Option<Place>) {
        let key = (gateway.clone(), Arc::clone(path));
        let Some((other, first)) = self.notes.paths.get(&key) else {
            self.notes.paths.insert(key, (owner.clone(), at));
            return;
        };
        let both = match (other, owner) {
            (one, other) if one == other => return,
            (Address::Service(one), Address::Service(other)) => format!("services `{one}` and `{other}`"),
            (one, other) => format!("{one} and {other}"),
        };
        let message = format!("{both} have the same path on gateway `{gateway}`: {path}");
        let problem = Problem::error(Code::PathConflict, message).at(at, "taken").and(*first, "first taken here");
        self.report(problem.help("give each a path or a name of its own".to_owned()));
    }
}

/// `/chat/` and `/chat` are one prefix.
fn without_slash(path: &Arc<str>) -> Arc<str> {
    match path.strip_suffix('/') {
        Some("") | None => Arc::clone(path),
        Some(shorter) => shorter.into(),
    }
}
