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
    Address, EnvName, EnvValue, Field, FieldPath, Program, ServiceName, ServiceSpec, Template, Timeouts,
};

/// Ports that EAS keeps for its own engine; kept free everywhere, so that a service can move.
const RESERVED: [u32; 2] = [8080, 9090];
/// The variable that tells a process where to listen.
const PORT: &str = "PORT";
/// Variables whose names end like this hold secrets.
const SECRETIVE: [&str; 5] = ["_TOKEN", "_SECRET", "_PASSWORD", "_API_KEY", "_ACCESS_KEY"];

impl Decode<'_> {
    pub(super) fn service(&mut self, block: &Block) -> Option<(ServiceName, ServiceSpec)> {
        let (at, service) = name::<ServiceName>(block)?;
        let address = Address::Service(service.clone());
        self.declare(address.clone(), at);
        let template = self.template(block, &service, &address);
        let instances = self.take(&address, Field::Instances, block.value::<u32>("instances"));
        let rollout = self.rollout(block, &address, instances.unwrap_or(1));
        let shutdown = self.shutdown(block, &address);
        let timeout = self.take(&address, Field::Timeout, block.value("timeout"));
        let tokens = self.tokens(block, &address);
        let exposes = self.exposes(block, &service, &address);
        let timeouts = self.timeouts(block, &address);
        let group = self.membership(block, &address);
        let spec = ServiceSpec {
            template: template?,
            instances: instances?,
            rollout: rollout?,
            shutdown: shutdown?,
            timeout: timeout?,
            tokens,
            exposes,
            timeouts,
            group,
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

    fn template(&mut self, block: &Block, service: &ServiceName, address: &Address) -> Option<Template> {
        let image = self.take(address, Field::Image, block.value::<Arc<str>>("image"));
        let program = self.program(block, address);
        let port = self.port(block, address);
        let packages = self.packages(block, service, address);
        let env = self.env(block, address);
        let mounts = self.mounts(block, service, address);
        let readiness = self.readiness(block, address);
        let probes = self.probes(block, address);
        let resources = self.resources(block, address);
        let unit = self.unit(block, address);
        self.note_each(address, block, &[("crash-block", Field::CrashBlock)]);
        let (resources, crash_block) = (resources?, flag(block, "crash-block"));
        Some(Template {
            image,
            program: program?,
            port: Some(port?),
            packages: packages?,
            env,
            mounts,
            readiness,
            probes,
            resources,
            unit,
            crash_block,
        })
    }

    fn program(&mut self, block: &Block, address: &Address) -> Option<Program> {
        let node = block.child("command").or_else(|| block.child("script"))?;
        self.note(address, FieldPath::of(Field::Program), node.title_at());
        let words = node.all::<Arc<str>>()?;
        let first = words.first()?;
        if first.trim().is_empty() {
            let message = format!("`{}` of {} is empty", node.row.name(), block.title());
            self.report(Problem::error(Code::InvalidValue, message).at(node.title_at(), "nothing to run"));
            return None;
        }
        Some(if node.row.name() == "script" { Program::Script(Arc::clone(first)) } else { Program::Command(words) })
    }

    fn port(&mut self, block: &Block, address: &Address) -> Option<u16> {
        let port = block.value::<u32>("port")?;
        if RESERVED.contains(&port.value) {
            let problem = Problem::error(Code::ReservedPort, format!("port {} is reserved", port.value));
            let help =
                "8080 and 9090 belong to the engine on EAS, so no service may use them: choose another, such as 8000";
            self.report(problem.at(port.at, "reserved").help(help.to_owned()));
            return None;
        }
        let port = self.take(address, Field::Port, Some(port))?;
        u16::try_from(port).ok()
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
                self.note(address, FieldPath::at(Field::Env, name.as_str()), found.at);
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
