//! How an object that is there differs from what was recorded of it. The planner repairs what is found here, so that
//! drift and `apply` mean the same.

use super::{Aspect, normal};
use std::{borrow::Cow, net::SocketAddr};
use wharf_model::{
    Difference, Entry, Field, FieldPath, GatewaySpec, InstanceId, ObservedGateway, ObservedInstance, ObservedRoute,
    OperationId, RecordedInstance, Revision, RouteSpec, Told, Value, compare,
};

/// One thing that is otherwise than recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alteration {
    pub(crate) aspect: Aspect,
    pub(crate) recorded: Option<Value>,
    pub(crate) observed: Option<Value>,
}

impl Alteration {
    fn of(aspect: Aspect, recorded: impl ToString, observed: impl ToString) -> Self {
        let value = |text: String| Some(Value::Text(text));
        Self { aspect, recorded: value(recorded.to_string()), observed: value(observed.to_string()) }
    }
}

/// How a gateway that runs differs.
pub(crate) fn gateway(recorded: &GatewaySpec, seen: &ObservedGateway) -> Vec<Alteration> {
    let mut found = Vec::new();
    let wanted = SocketAddr::new(recorded.address, recorded.port);
    match (&recorded.managed, seen.listen) {
        (None, Some(listen)) if listen != wanted => found.push(Alteration::of(Aspect::Listen, wanted, listen)),
        (None, None) => found.push(Alteration::of(Aspect::Listen, wanted, "nowhere")),
        _ => {}
    }
    let differs = differences(|| recorded.entries(), &seen.told).into_iter();
    // Told above, as the runtime says it of every gateway.
    found.extend(differs.filter(|one| one.path.field != Field::Listen).map(of_field));
    if found.is_empty() && seen.fingerprint != Some(recorded.fingerprint()) {
        found.push(settings());
    }
    found
}

/// How a route that is there differs.
pub(crate) fn route(recorded: &RouteSpec, seen: &ObservedRoute) -> Vec<Alteration> {
    let told = by_secret(&seen.told, recorded);
    let mut found: Vec<_> = differences(|| recorded.entries(), &told).into_iter().map(of_field).collect();
    if found.is_empty() && seen.fingerprint != Some(recorded.fingerprint()) {
        found.push(settings());
    }
    found
}

/// A gateway knows tokens by the names of those who are given them, and a record by their secrets.
fn by_secret<'a>(told: &'a Told, recorded: &RouteSpec) -> Cow<'a, Told> {
    // Most are called as their secrets are.
    if recorded.tokens.iter().all(|token| token.name.is_none()) {
        return Cow::Borrowed(told);
    }
    let mut told = told.clone();
    let known = |key: &str| recorded.tokens.iter().find(|token| token.known_as() == key);
    for entry in told.entries.iter_mut().filter(|entry| entry.path.field == Field::Token) {
        if let Some(token) = entry.path.key.as_deref().and_then(known) {
            entry.path = FieldPath::at(Field::Token, token.secret.as_str());
            entry.value = Value::Secret(token.secret.clone(), None);
        }
    }
    Cow::Owned(told)
}

/// How an instance that runs differs; `revision` is the one that it was recorded with.
pub(crate) fn instance(
    id: &InstanceId,
    recorded: &RecordedInstance,
    revision: Option<&Revision>,
    seen: &ObservedInstance,
) -> Vec<Alteration> {
    let mut found = Vec::new();
    if seen.revision != recorded.revision {
        found.push(Alteration::of(Aspect::Revision, recorded.revision, seen.revision));
    }
    if seen.endpoint != recorded.endpoint {
        found.push(Alteration::of(Aspect::Listen, recorded.endpoint, seen.endpoint));
    }
    if let Some(operation) = &seen.operation {
        let maker = OperationId::start(id);
        if *operation != maker {
            found.push(Alteration::of(Aspect::Maker, maker, operation));
        }
    }
    let told = revision.map(|revision| differences(|| revision.template.entries(&revision.pins), &seen.told));
    found.extend(told.into_iter().flatten().map(of_field));
    found
}

fn settings() -> Alteration {
    Alteration::of(Aspect::Settings, "as recorded", "its label says that it was made from others")
}

fn of_field(difference: Difference) -> Alteration {
    let Difference { path, before, after } = difference;
    Alteration { aspect: Aspect::Field(path), recorded: before, observed: after }
}

/// The fields that the runtime tells of and that mean something else than was recorded.
fn differences(recorded: impl FnOnce() -> Vec<Entry>, told: &Told) -> Vec<Difference> {
    if *told == Told::default() {
        return Vec::new();
    }
    let spoken_of = recorded().into_iter().filter(|entry| told.about.contains(&entry.path.field)).collect();
    let mut found = compare(spoken_of, told.entries.clone());
    found.retain(|difference| match (&difference.before, &difference.after) {
        (Some(recorded), Some(observed)) => !normal::same(difference.path.field, recorded, observed),
        _ => true,
    });
    found
}
