//! Services, and what one instance of them is.

use super::{Decode, name, plain, resources::flag};
use crate::{
    block::{Block, Found},
    problem::{Code, Problem},
    source::Place,
    syntax::Word,
    value::Typed,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wharf_model::{
    Address, EnvName, EnvValue, Field, FieldPath, ServiceName, ServiceSpec, Template, Timeouts, Traffic,
};

/// Ports that EAS keeps for its own engine; kept free everywhere, so that a service can move.
pub(super) const RESERVED: [u32; 2] = [8080, 9090];
/// The variable that tells a process where to listen.
const PORT: &str = "PORT";
/// Variables whose names end like this hold secrets.
const SECRETIVE: [&str; 5] = ["_TOKEN", "_SECRET", "_PASSWORD", "_API_KEY", "_ACCESS_KEY"];

impl Decode<'_> {
    pub(super) fn service(&mut self, block: &Block) -> Option<(ServiceName, ServiceSpec)> {
        let (at, service) = name::<ServiceName>(block)?;
        let address = Address::Service(service.clone());
        self.declare(address.clone(), at);
        self.was(block, &address, Address::Service);
        self.check_eas_service(block);
        self.check_alb(block);
        let template = self.template(block, &service, &address);
        let instances =
            self.take(&address, Field::Instances, block.value::<u32>("instances").map(|found| scaled(block, found)));
        let rollout = self.rollout(block, &address, instances.unwrap_or(1));
        let shutdown = self.shutdown(block, &address);
        let timeout = self.take(&address, Field::Timeout, block.value("timeout"));
        let tokens = self.tokens(block, &address);
        let exposes = self.exposes(block, &service, &address);
        let timeouts = self.timeouts(block, &address);
        let traffic = self.traffic(block, &address);
        let group = self.membership(block, &address);
        self.note_each(&address, block, &[("web-app", Field::WebApp), ("grpc", Field::Grpc)]);
        let nacos = self.nacos(block, &address);
        let elastic = self.elastic(block, &service, &address);
        let router = self.router(block, &address);
        let labels = self.labels(block, &address);
        let raw = self.raw(block, &address);
        for rule in block.every("ignore") {
            let rule = self.ignore(rule, Some(&service));
            self.notes.ignores.extend(rule);
        }
        let spec = ServiceSpec {
            template: template?,
            instances: instances?,
            rollout: rollout?,
            shutdown: shutdown?,
            timeout: timeout?,
            tokens,
            exposes,
            timeouts,
            traffic,
            group,
            web_app: flag(block, "web-app"),
            grpc: flag(block, "grpc"),
            nacos,
            elastic,
            router,
            call_records: self.call_records(block),
            labels,
            raw,
        };
        Some((service, spec))
    }

    fn timeouts(&mut self, block: &Block, address: &Address) -> Timeouts {
        let Some(block) = block.child("timeout") else { return Timeouts::default() };
        let fields = [
            ("connect", Field::TimeoutConnect),
            ("first-byte", Field::TimeoutFirstByte),
            ("between-bytes", Field::TimeoutBetweenBytes),
        ];
        self.note_each(address, block, &fields);
        let total = block.argument::<Duration>(0);
        for (name, _) in fields {
            let (Some(part), Some(total)) = (block.child(name).and_then(|node| node.argument::<Duration>(0)), &total)
            else {
                continue;
            };
            if part.value > total.value {
                let message = format!("`{name}` is longer than the whole request may take");
                let problem = Problem::error(Code::Contradiction, message).at(part.at, "longer than the whole");
                self.report(problem.and(total.at, "the whole").help("shorten it, or lengthen `timeout`".to_owned()));
            }
        }
        Timeouts {
            connect: plain(block, "connect"),
            first_byte: plain(block, "first-byte"),
            between_bytes: plain(block, "between-bytes"),
        }
    }

    fn traffic(&mut self, service: &Block, address: &Address) -> Traffic {
        let Some(block) = service.child("traffic") else { return Traffic::default() };
        let fields = [
            ("rate-limit", Field::TrafficRate),
            ("concurrency-limit", Field::TrafficConcurrency),
            ("instance-rate-limit", Field::TrafficInstanceRate),
            ("queue-size", Field::TrafficQueue),
        ];
        self.note_each(address, block, &fields);
        let own = service.child("processor").and_then(|processor| processor.child("queue-size"));
        if let (Some(own), Some(size)) = (own, block.child("queue-size")) {
            self.exclusive(own, size, "both say how many requests wait");
        }
        Traffic {
            rate_limit: plain(block, "rate-limit"),
            concurrency_limit: plain(block, "concurrency-limit"),
            instance_rate_limit: plain(block, "instance-rate-limit"),
            queue_size: plain(block, "queue-size"),
        }
    }

    fn template(&mut self, block: &Block, service: &ServiceName, address: &Address) -> Option<Template> {
        self.note(address, FieldPath::of(Field::ImageContent), block.child("image").and_then(Block::title_at));
        let image = self.take(address, Field::Image, block.value::<Arc<str>>("image"));
        let program = self.program(block, address);
        let port = self.port(block, address);
        let packages = self.packages(block, service, address);
        let mut env = self.env(block, address);
        let mounts = self.mounts(block, service, address);
        self.streams(block, address, &mounts, &mut env);
        let readiness = self.readiness(block, address);
        let probes = self.probes(block, address);
        let resources = self.resources(block, address);
        let unit = self.unit(block, address);
        self.note_each(address, block, &[("crash-block", Field::CrashBlock)]);
        let (resources, crash_block) = (resources?, flag(block, "crash-block"));
        let pull = self.pull(block, address);
        let packages_file = plain(block, "packages-file");
        let containers = self.containers(block, address);
        let network = self.in_network(block, address, Field::Network);
        self.note_each(address, block, &[("role", Field::Role)]);
        let role = plain(block, "role");
        let confidential = self.confidential(block, address);
        let weights = self.weights(block, address);
        if block.child("port").is_some() && port.is_none() {
            return None;
        }
        Some(Template {
            image,
            program: program?,
            port,
            packages: packages?,
            env,
            mounts,
            readiness,
            probes,
            resources,
            unit,
            crash_block,
            pull,
            packages_file,
            containers,
            network,
            role,
            confidential,
            weights,
            tracing: flag(block, "tracing"),
            log_paths: block.child("logs").and_then(Block::all).unwrap_or_default(),
        })
    }

    /// A service that answers nobody has no port; what asks it needs one.
    fn port(&mut self, block: &Block, address: &Address) -> Option<u16> {
        let Some(port) = block.value::<u32>("port") else {
            // A node that nobody knows may be meant for it.
            if block.child("port").is_none() && block.child("processor").is_none() && !self.known.misspelt {
                self.check_portless(block);
            }
            return None;
        };
        if RESERVED.contains(&port.value) {
            self.reserved(port.value, port.at);
            return None;
        }
        let port = self.take(address, Field::Port, Some(port))?;
        u16::try_from(port).ok()
    }

    pub(super) fn reserved(&mut self, port: u32, at: Option<Place>) {
        let problem = Problem::error(Code::ReservedPort, format!("port {port} is reserved"));
        let help =
            "8080 and 9090 belong to the engine on EAS, so no service may use them: choose another, such as 8000";
        self.report(problem.at(at, "reserved").help(help.to_owned()));
    }

    fn check_portless(&mut self, block: &Block) {
        let health = block.child("health");
        let probes = health.into_iter().flat_map(|health| &health.children);
        let asks = |check: &&Block| {
            matches!(check.row.name(), "http" | "tcp" | "grpc") && check.properties.get("port").is_none()
        };
        let checks = probes.filter_map(|probe| probe.children.iter().find(asks));
        let callers = ["expose", "grpc", "web-app", "nacos"].iter().filter_map(|name| block.child(name));
        let first = callers.chain(checks).next().cloned();
        let balanced = block.key().and_then(|name| self.known.balanced.get(&name)).map(|balanced| balanced.at);
        if let (None, Some(listener)) = (&first, balanced) {
            let message = format!("an nlb leads to {}, which has no port", block.title());
            let problem = Problem::error(Code::MissingNode, message).at(listener, "asks on a port");
            self.report(problem.and(block.title_at(), "listens nowhere").help("add `port 8000`".to_owned()));
        }
        if let Some(caller) = first {
            let message = format!("`{}` needs `port`", caller.row.name());
            let problem = Problem::error(Code::MissingNode, message).at(caller.title_at(), "asks on a port");
            self.report(problem.and(block.title_at(), "listens nowhere").help("add `port 8000`".to_owned()));
        }
    }

    fn packages(&mut self, block: &Block, service: &ServiceName, address: &Address) -> Option<Vec<Arc<str>>> {
        let Some(node) = block.child("packages") else { return Some(Vec::new()) };
        self.declare(Address::Packages(service.clone()), node.at);
        for field in [Field::Packages, Field::Interpreter] {
            self.note(address, FieldPath::of(field), node.at);
        }
        node.all()
    }

    fn env(&mut self, block: &Block, address: &Address) -> BTreeMap<EnvName, EnvValue> {
        self.variables(block, |name| FieldPath::at(Field::Env, name), address)
    }

    /// The variables in `env` of a block; `path` says as which field each is known.
    pub(super) fn variables(
        &mut self,
        block: &Block,
        path: impl Fn(&str) -> FieldPath,
        address: &Address,
    ) -> BTreeMap<EnvName, EnvValue> {
        let mut env = BTreeMap::new();
        for (word, found) in block.child("env").map_or(&[][..], |node| &node.entries) {
            let name = match word.text.parse::<EnvName>() {
                Ok(name) => name,
                Err(error) => {
                    let problem = Problem::error(Code::InvalidValue, error.to_string());
                    self.report(problem.at(word.at, "not the name of a variable"));
                    continue;
                }
            };
            self.check_variable(word, found, block.child("port").and_then(Block::title_at));
            if let Typed::Variable(value) = &found.value {
                if let EnvValue::Secret(secret) = value {
                    self.use_secret(secret, found.at);
                }
                self.note(address, path(name.as_str()), found.at);
                env.insert(name, value.clone());
            }
        }
        env
    }

    fn check_variable(&mut self, name: &Word, found: &Found<Typed>, port: Option<Place>) {
        if &*name.text == PORT {
            let problem = Problem::error(Code::ReservedVariable, "wharf sets the variable `PORT` itself");
            let problem = problem.at(name.at, "would be overwritten").and(port, "from this");
            self.report(problem.help("remove it; `port` says where the service listens".to_owned()));
        }
        let secretive = SECRETIVE.iter().any(|end| name.text.ends_with(end));
        let plain = matches!(&found.value, Typed::Variable(EnvValue::Plain(text)) if text.len() >= 8);
        if secretive && plain {
            self.problems.hide(found.at);
            let message = format!("`{}` looks like a secret, and its value is in the file", name.text);
            let problem = Problem::warning(Code::LiteralSecret, message).at(name.at, "a secret by its name");
            let help =
                format!("declare `secret \"name\" {{ env \"{0}\" }}` and write `{0} (secret)\"name\"`", name.text);
            self.report(problem.help(help));
        }
    }
}

/// Where the count follows the work, it begins within its range, unless the file says where.
fn scaled(service: &Block, instances: Found<u32>) -> Found<u32> {
    let range = service.child("autoscale").and_then(|range| Some((plain(range, "min")?, plain(range, "max")?)));
    match range {
        Some((min, max)) if instances.at.is_none() && min <= max => {
            Found { value: instances.value.clamp(min, max), ..instances }
        }
        _ => instances,
    }
}
