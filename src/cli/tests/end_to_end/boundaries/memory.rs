//! The life of a service on a runtime in memory, whose whole inside can be looked at: objects of every kind, each with its
//! labels, and the most instances that there ever were.

use super::life::{APPLY, Chapter, DESTROY, Stage};
use crate::{served::ServedSite, support::Site};
use std::collections::{BTreeMap, BTreeSet};
use wharf_model::{EndpointState, InstanceId, Observed, Phase};
use wharf_provider::{Observe, Scope};

pub(super) struct Memory(ServedSite);

const PROJECT: &str = r#"project "memory"

network "inner" cidr="10.20.0.0/24"
gateway "public" { listen @PORT }
nlb "edge" { listener 9000 target="hello"; network "inner" }

service "hello" {
    command "serve"
    port 8000
    env { GREETING "one" }
    mount "/mnt/data" { folder "./app" read-only=#true }
    mount "/cache" { data }
    instances 2
    health { readiness { http "/health" } }
    rollout { min-ready "100ms"; deadline "30s" }
    shutdown { grace "1s" }
    expose "public"
}
"#;

/// The second service of the chapter that deletes one.
const OTHER: &str = r#"
service "other" {
    command "serve"
    port 8000
    packages "flask==2.3.3"
    health { readiness { http "/health" } }
    rollout { min-ready "100ms" }
    shutdown { grace "1s" }
    expose "public"
}
"#;

/// Everything there is, without the numbers of incarnations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    chapter: &'static str,
    /// By slot: the fingerprint of what runs there.
    slots: BTreeMap<String, String>,
    /// By gateway and service: the slots that get requests.
    routes: BTreeMap<String, BTreeSet<String>>,
    /// By address, their fingerprints.
    objects: BTreeMap<String, String>,
    contents: BTreeSet<String>,
    plan: i32,
    drift: i32,
}

/// At how many instances of `hello` a chapter may end, its surge included.
fn bound(chapter: &Chapter) -> u32 {
    if matches!(chapter.name, "scale" | "delete" | "destroy") { 4 } else { 3 }
}

fn slot(id: &InstanceId) -> String {
    format!("{}-{}", id.service, id.slot)
}

impl Memory {
    fn look(&self) -> Observed {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.0.memory.observe(&Scope::default())).unwrap()
    }
}

impl Stage for Memory {
    type Shape = Shape;

    const LIFE: &'static [Chapter] = &[
        Chapter { name: "create all", write: |site| site.write("other.kdl", OTHER), command: APPLY, ends: 0 },
        Chapter {
            name: "roll",
            write: |site| {
                site.replace("wharf.kdl", "\"one\"", "\"two\"");
                // The network is made anew, and so is what stands in it and can be there but once.
                site.replace("wharf.kdl", "10.20.", "10.30.");
            },
            command: APPLY,
            ends: 0,
        },
        Chapter {
            name: "roll back",
            write: |site| site.replace("wharf.kdl", "\"two\"", "\"three\"; MEMORY_CRASH \"yes\""),
            command: APPLY,
            ends: 6,
        },
        Chapter {
            name: "mend",
            write: |site| site.replace("wharf.kdl", "\"three\"; MEMORY_CRASH \"yes\"", "\"two\""),
            command: APPLY,
            ends: 0,
        },
        Chapter {
            name: "scale",
            write: |site| site.replace("wharf.kdl", "instances 2", "instances 3"),
            command: APPLY,
            ends: 0,
        },
        Chapter {
            name: "delete",
            write: |site| std::fs::remove_file(site.dir.join("other.kdl")).unwrap(),
            command: APPLY,
            ends: 0,
        },
        Chapter { name: "destroy", write: |_| {}, command: DESTROY, ends: 0 },
    ];

    fn set(name: &str) -> Self {
        Self(ServedSite::new(name, PROJECT))
    }

    fn site(&self) -> &Site {
        &self.0
    }

    fn shape(&self, chapter: &Chapter) -> Shape {
        let Observed { gateways, instances, objects, contents, .. } = self.look();
        let serving = |(id, state): (&InstanceId, &EndpointState)| {
            matches!(state, EndpointState::Serving { .. }).then(|| slot(id))
        };
        let routes = gateways.iter().flat_map(|(gateway, seen)| {
            let route = move |(service, route): (&_, &wharf_model::ObservedRoute)| {
                (format!("{gateway}/{service}"), route.endpoints.iter().filter_map(serving).collect())
            };
            seen.routes.iter().map(route)
        });
        let code = |arguments: &[&str]| if chapter.is_the_last() { 0 } else { self.0.run(arguments).code };
        Shape {
            chapter: chapter.name,
            slots: instances.iter().map(|(id, one)| (slot(id), format!("{:?}", one.fingerprint))).collect(),
            routes: routes.collect(),
            objects: objects.iter().map(|(id, one)| (id.address.to_string(), format!("{one:?}"))).collect(),
            contents: contents.iter().map(ToString::to_string).collect(),
            plan: code(&["plan", "--detailed-exitcode"]),
            drift: code(&["drift"]),
        }
    }

    fn assert_recorded(&self, chapter: &Chapter, note: &str) {
        let most = self.0.memory.most_living();
        let most = most.iter().filter(|(service, _)| service.as_str() == "hello").map(|(_, most)| *most);
        assert!(most.max().unwrap_or(0) <= bound(chapter), "{note}: more instances than a rollout may have");
        if chapter.is_the_last() {
            return assert!(self.0.memory.is_empty(), "{note}: something is left: {:?}", self.look());
        }
        let Observed { gateways, instances, objects, contents, .. } = self.look();
        let recorded = self.0.done(&["state", "list"]);
        let lists = |name: String| {
            assert!(recorded.split_whitespace().any(|word| word == name), "{note}: {name} is not in\n{recorded}");
        };
        gateways.keys().for_each(|name| lists(format!("gateway.{name}")));
        instances.keys().for_each(|id| lists(id.to_string()));
        objects.keys().for_each(|id| lists(id.address.to_string()));
        contents.iter().for_each(|content| lists(format!("content.{content}")));
        let listed = recorded.lines().filter(|line| line.starts_with("instance.")).count();
        assert_eq!(listed, instances.len(), "{note}: recorded and not there\n{recorded}");
        let slots: BTreeSet<_> = instances.keys().map(slot).collect();
        assert_eq!(slots.len(), instances.len(), "{note}: a slot is taken twice: {instances:?}");
        assert!(instances.values().all(|one| matches!(one.phase, Phase::Running { .. })), "{note}: {instances:?}");
        assert!(instances.values().all(|one| one.operation.is_some()), "{note}: made without a label: {instances:?}");
    }
}
