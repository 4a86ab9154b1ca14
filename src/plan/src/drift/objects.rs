//! The other objects of a platform: networks, balancers, groups, logins, data.

use super::{Aspect, Class, Finding};
use wharf_model::{ObjectId, Observed, Record, Value};

pub(super) fn findings(recorded: &Record, observed: &Observed) -> Vec<Finding> {
    let mut found = Vec::new();
    for (address, known) in &recorded.objects {
        let id = ObjectId { address: address.clone(), generation: known.generation };
        match observed.objects.get(&id) {
            None => found.push(Finding::new(address.clone(), Class::Missing, Aspect::Object)),
            Some(seen) if seen.fingerprint != Some(known.spec.fingerprint()) => {
                let text = |text: &str| Some(Value::Text(text.to_owned()));
                let finding = Finding::new(address.clone(), Class::Changed, Aspect::Settings);
                found.push(finding.sides(text("as recorded"), text("its label says that it was made from others")));
            }
            Some(_) => {}
        }
    }
    let is_recorded =
        |id: &&ObjectId| recorded.objects.get(&id.address).is_some_and(|known| known.generation == id.generation);
    for id in observed.objects.keys().filter(|id| !is_recorded(id)) {
        let finding = Finding::new(id.address.clone(), Class::Extra, Aspect::Object);
        found.push(finding.sides(None, Some(Value::Text(format!("{id} is there")))));
    }
    found
}
