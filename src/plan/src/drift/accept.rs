//! How the files would have to read for reality to be right, where they can say so at all: not for a process that ended
//! half-way, not for what nobody declared.

use super::{Aspect, Class, DriftInput, Finding};
use std::collections::BTreeMap;
use wharf_model::{
    Address, Deployment, Edit, Field, FieldPath, GatewayName, Literal, Observed, Phase, RecordedService, ServiceName,
    Value,
};

/// Changes of the files that together accept what is there.
pub type Accept = Vec<Edit>;

/// Notes for each finding the changes of the files that accept it.
pub(super) fn note(findings: &mut [Finding], input: &DriftInput<'_>) {
    let mut counts = BTreeMap::new();
    let exposed = exposed(findings, input.files);
    for finding in findings {
        finding.origin = origin(finding, input.files);
        finding.accept = match (&finding.address, finding.class, &finding.aspect) {
            (Address::Gateway(name), Class::Missing, _) => without_gateway(name, &exposed, input.files),
            (Address::Route(gateway, service), Class::Missing, _) => without_route(gateway, service, input.files),
            (address, Class::Changed, Aspect::Field(path)) => {
                set(address, path, finding.observed.as_ref(), input.files)
            }
            (Address::Gateway(_), Class::Changed, Aspect::Listen) => listen(finding, input.files),
            (Address::Instance(service, _), Class::Missing, _)
            | (Address::Instance(service, _), Class::Unhealthy, Aspect::Process) => {
                let fewer = || fewer(service, input);
                counts.entry(service.clone()).or_insert_with(fewer).clone()
            }
            _ => None,
        };
    }
}

/// Where the files speak of it: the field, else what it belongs to.
fn origin(finding: &Finding, files: &Deployment) -> Option<wharf_model::Origin> {
    let path = match &finding.aspect {
        Aspect::Field(path) => path.clone(),
        Aspect::Listen => FieldPath::of(Field::Listen),
        _ => FieldPath::of(Field::Instances),
    };
    let owner = match &finding.address {
        Address::Instance(service, _) | Address::Packages(service) | Address::Mount(service, _) => {
            Address::Service(service.clone())
        }
        address => address.clone(),
    };
    files.origins.of(&finding.address, &path).or_else(|| files.origins.of(&owner, &path)).cloned()
}

/// The services that the files open through each gateway, where one is missing.
fn exposed<'a>(findings: &[Finding], files: &'a Deployment) -> BTreeMap<&'a GatewayName, Vec<&'a ServiceName>> {
    let missing = |finding: &Finding| finding.class == Class::Missing && matches!(finding.address, Address::Gateway(_));
    let mut exposed: BTreeMap<_, Vec<_>> = BTreeMap::new();
    if findings.iter().any(missing) {
        for (service, spec) in &files.services {
            spec.exposes.keys().for_each(|gateway| exposed.entry(gateway).or_default().push(service));
        }
    }
    exposed
}

fn without_gateway(
    name: &GatewayName,
    exposed: &BTreeMap<&GatewayName, Vec<&ServiceName>>,
    files: &Deployment,
) -> Option<Accept> {
    let at = files.origins.declared(&Address::Gateway(name.clone()))?.clone();
    let exposes = exposed.get(name).into_iter().flatten().filter_map(|service| expose(name, service, files));
    Some(std::iter::once(Edit::Remove { at }).chain(exposes).collect())
}

fn without_route(gateway: &GatewayName, service: &ServiceName, files: &Deployment) -> Option<Accept> {
    Some(vec![expose(gateway, service, files)?])
}

fn expose(gateway: &GatewayName, service: &ServiceName, files: &Deployment) -> Option<Edit> {
    let at = files.origins.declared(&Address::Route(gateway.clone(), service.clone()))?.clone();
    Some(Edit::Remove { at })
}

/// The field with the value that is there: in the place of what is written, else beside what the service says.
fn set(address: &Address, path: &FieldPath, observed: Option<&Value>, files: &Deployment) -> Option<Accept> {
    let Some(Value::Text(text)) = observed else { return None };
    let value = match path.field {
        Field::Timeout | Field::MaxBody | Field::Env | Field::Image => Literal::Text(text.as_str().into()),
        Field::Port => Literal::Number(text.parse().ok()?),
        _ => return None,
    };
    let owner = match (address, path.field) {
        // A route has it from its gateway.
        (Address::Route(gateway, _), Field::MaxBody) => Address::Gateway(gateway.clone()),
        (Address::Instance(service, _) | Address::Route(_, service), _) => Address::Service(service.clone()),
        (address, _) => address.clone(),
    };
    let declared = files.origins.declared(&owner)?;
    let written = files.origins.of(address, path).filter(|at| Some(*at) != files.origins.declared(address));
    let written = written.or_else(|| files.origins.of(&owner, path)).filter(|at| *at != declared);
    Some(vec![match (written, &path.key) {
        (Some(at), _) => Edit::Set { at: at.clone(), value },
        (None, None) => Edit::Add { into: declared.clone(), name: path.field.as_str().into(), value },
        (None, Some(_)) => return None,
    }])
}

/// Another port of the same address.
fn listen(finding: &Finding, files: &Deployment) -> Option<Accept> {
    let socket = |value: &Option<Value>| value.as_ref()?.to_string().parse::<std::net::SocketAddr>().ok();
    let (recorded, observed) = (socket(&finding.recorded)?, socket(&finding.observed)?);
    let at = files.origins.written(&finding.address, Field::Listen)?.clone();
    let value = Literal::Number(observed.port().into());
    (recorded.ip() == observed.ip()).then(|| vec![Edit::Set { at, value }])
}

/// As many instances as run, if those that do not are the last: a count says nothing of any other.
fn fewer(name: &ServiceName, input: &DriftInput<'_>) -> Option<Accept> {
    let recorded = input.recorded.services.get(name)?;
    let running = running(recorded, input.observed);
    let count = u32::try_from(running.len()).ok()?;
    let gapless = running.iter().copied().eq(0..count);
    let value = Literal::Number(count);
    let address = Address::Service(name.clone());
    gapless.then_some(())?;
    Some(vec![match input.files.origins.written(&address, Field::Instances) {
        Some(at) => Edit::Set { at: at.clone(), value },
        None => Edit::Add { into: input.files.origins.declared(&address)?.clone(), name: "instances".into(), value },
    }])
}

fn running(recorded: &RecordedService, observed: &Observed) -> Vec<u32> {
    let runs = |seen: &wharf_model::ObservedInstance| matches!(seen.phase, Phase::Running { .. });
    let recorded = recorded.instances.keys();
    recorded.filter(|id| observed.instances.get(*id).is_some_and(runs)).map(|id| id.slot.0).collect()
}
