//! Who may call a service, and through which gateways.

use super::{Decode, name, notes::Notes};
use crate::{
    block::{Block, Found},
    problem::{Code, Problem},
    source::Place,
};
use std::{collections::BTreeMap, sync::Arc};
use wharf_model::{Address, Expose, Field, FieldPath, GatewayName, SecretName, ServiceName, TokenName, TokenSpec};

impl Decode<'_> {
    pub(super) fn tokens(&mut self, service: &Block, address: &Address) -> Vec<TokenSpec> {
        let Some(auth) = service.child("auth") else { return Vec::new() };
        let (mut tokens, mut names) = (Vec::new(), BTreeMap::new());
        for node in auth.every("token") {
            let Some(secret) = node.argument::<SecretName>(0) else { continue };
            self.use_secret(&secret.value, secret.at);
            self.note(address, FieldPath::at(Field::Token, secret.value.as_str()), secret.at);
            let name = self.token_name(node, &secret.value, address, &mut names);
            tokens.push(TokenSpec { secret: secret.value, name });
        }
        if service.child("expose").is_none() {
            let message = format!("{} has tokens, but no gateway leads to it", service.title());
            let problem = Problem::warning(Code::UnusedToken, message).at(auth.at, "nobody is asked for these");
            self.report(problem.help("add `expose \"gateway\"`, or remove `auth`".to_owned()));
        }
        tokens
    }

    /// Who is given a token; nobody is given two by one name.
    fn token_name(
        &mut self,
        node: &Block,
        secret: &SecretName,
        address: &Address,
        names: &mut BTreeMap<TokenName, Option<Place>>,
    ) -> Option<TokenName> {
        let found = node.property::<Arc<str>>("name")?;
        self.note(address, FieldPath::at(Field::TokenName, secret.as_str()), found.at);
        let name: TokenName = found.value.parse().ok()?;
        if let Some(first) = names.insert(name.clone(), found.at) {
            let problem = Problem::error(Code::DuplicateName, format!("two tokens are called `{name}`"));
            self.report(problem.at(found.at, "again here").and(first, "first here"));
        }
        Some(name)
    }

    pub(super) fn exposes(
        &mut self,
        block: &Block,
        service: &ServiceName,
        address: &Address,
    ) -> BTreeMap<GatewayName, Expose> {
        let mut exposes = BTreeMap::new();
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
                self.claim(&gateway, &path.value, service, path.at);
            }
            self.claim(&gateway, &format!("/api/predict/{service}").into(), service, at);
            self.note_route(block, node, &route);
            exposes.insert(gateway, Expose { path: path.map(|path| path.value) });
        }
        exposes
    }

    /// What a route takes over from its service and its gateway stands where they say it.
    fn note_route(&mut self, service: &Block, expose: &Block, route: &Address) {
        let timeout = service.child("timeout").and_then(Block::title_at);
        self.note(route, FieldPath::of(Field::Timeout), timeout);
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

    /// A path of a gateway leads to one service.
    fn claim(&mut self, gateway: &GatewayName, path: &Arc<str>, service: &ServiceName, at: Option<Place>) {
        let key = (gateway.clone(), Arc::clone(path));
        let Some((other, first)) = self.notes.paths.get(&key) else {
            self.notes.paths.insert(key, (service.clone(), at));
            return;
        };
        if other == service {
            return;
        }
        let message = format!("services `{other}` and `{service}` have the same path on gateway `{gateway}`: {path}");
        let problem = Problem::error(Code::PathConflict, message).at(at, "taken").and(*first, "first taken here");
        self.report(problem.help("give each service a path of its own".to_owned()));
    }
}

/// `/chat/` and `/chat` are one prefix.
fn without_slash(path: &Arc<str>) -> Arc<str> {
    match path.strip_suffix('/') {
        Some("") | None => Arc::clone(path),
        Some(shorter) => shorter.into(),
    }
}
