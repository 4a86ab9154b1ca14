//! What runs: commands, processors, and further containers.

use super::{Decode, found, name, plain, service::RESERVED};
use crate::{
    block::Block,
    problem::{Code, Problem},
    source::Place,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use wharf_model::{
    Address, Batching, Container, ContainerName, Field, FieldPath, OwnProcessor, Processor, ProcessorKind, Program,
    Pull,
};

/// The word for a processor that the platform does not bring.
const OWN: &str = "own";

impl Decode<'_> {
    pub(super) fn program(&mut self, block: &Block, address: &Address) -> Option<Program> {
        let kinds = [
            ("command", Field::Program),
            ("script", Field::Program),
            ("args", Field::Args),
            ("processor", Field::Processor),
        ];
        let (node, field) = kinds.iter().find_map(|(name, field)| Some((block.child(name)?, *field)))?;
        self.note(address, FieldPath::of(field), node.title_at());
        if node.row.name() == "processor" {
            self.check_processor(block, node);
            return self.processor(node).map(|processor| Program::Processor(Box::new(processor)));
        }
        if let (Field::Args, None) = (field, block.child("image")) {
            self.requires(node, "image", "arguments are for the program that an image runs by itself");
        }
        self.words(node, &block.title())
    }

    /// What `command`, `script` or `args` says.
    fn words(&mut self, node: &Block, title: &str) -> Option<Program> {
        let words = node.all::<Arc<str>>()?;
        let first = words.first()?;
        if first.trim().is_empty() && node.row.name() != "args" {
            let message = format!("`{}` of {title} is empty", node.row.name());
            self.report(Problem::error(Code::InvalidValue, message).at(node.title_at(), "nothing to run"));
            return None;
        }
        Some(match node.row.name() {
            "script" => Program::Script(Arc::clone(first)),
            "args" => Program::Args(words),
            _ => Program::Command(words),
        })
    }

    /// A processor brings its own image, port and libraries.
    fn check_processor(&mut self, service: &Block, processor: &Block) {
        for other in ["image", "port", "packages", "packages-file", "container", "health"] {
            if let Some(other) = service.child(other) {
                self.exclusive(processor, other, "a processor is a whole program that the platform runs");
            }
        }
    }

    fn processor(&mut self, block: &Block) -> Option<Processor> {
        let code = block.argument::<Arc<str>>(0)?;
        let own = block.child("own").map(|own| self.own_processor(own));
        if (&*code.value == OWN) != own.is_some() {
            let message =
                if own.is_some() { "`own` is for `processor \"own\"`" } else { "`processor \"own\"` needs `own`" };
            let problem = Problem::error(Code::Requires, message).at(code.at, "which one it is");
            self.report(problem.help(
                "for one of your own, write `processor \"own\" { own \"oss://…\" type=\"python\" … }`".to_owned(),
            ));
        }
        let model = block.child("model")?;
        let batching = block.child("batching").and_then(|batching| {
            Some(Batching { max_size: found(batching, "max-size")?, timeout: found(batching, "timeout")? })
        });
        Some(Processor {
            code: Some(code.value).filter(|code| &**code != OWN),
            model: model.argument(0)?.value,
            endpoint: found(model, "endpoint"),
            entry: found(model, "entry"),
            config: found(model, "config"),
            own: own.flatten(),
            warm_up: plain(block, "warm-up"),
            batching,
            worker_threads: plain(block, "worker-threads"),
            io_threads: plain(block, "io-threads"),
            queue_size: plain(block, "queue-size"),
        })
    }

    fn own_processor(&mut self, block: &Block) -> Option<OwnProcessor> {
        let kind = found::<Arc<str>>(block, "type").and_then(|word| ProcessorKind::of_word(&word))?;
        let own = OwnProcessor {
            path: block.argument(0)?.value,
            kind,
            entry: found(block, "entry"),
            main_class: found(block, "main-class"),
        };
        match kind {
            ProcessorKind::Java if own.main_class.is_none() => {
                self.needs(block, "main-class", "Java starts with a class")
            }
            ProcessorKind::Cpp | ProcessorKind::Python if own.entry.is_none() => {
                self.needs(block, "entry", "it is the file that is loaded");
            }
            _ => {}
        }
        Some(own)
    }

    pub(super) fn pull(&mut self, block: &Block, address: &Address) -> Option<Pull> {
        self.note_each(address, block, &[("pull", Field::Pull), ("packages-file", Field::PackagesFile)]);
        if let (Some(pull), None) = (block.child("pull"), block.child("image")) {
            self.requires(pull, "image", "nothing is fetched without one");
        }
        if let (Some(list), Some(file)) = (block.child("packages"), block.child("packages-file")) {
            self.exclusive(list, file, "libraries are listed here or in a file");
        }
        plain::<Arc<str>>(block, "pull").and_then(|word| Pull::of_word(&word))
    }

    pub(super) fn containers(&mut self, service: &Block, address: &Address) -> BTreeMap<ContainerName, Container> {
        let mut containers = BTreeMap::new();
        let own = service.child("port").and_then(|port| Some((port.argument::<u32>(0)?.value, port.title_at())));
        let mut ports: HashMap<u32, Option<Place>> = own.into_iter().collect();
        for node in service.every("container") {
            let Some((at, name)) = name::<ContainerName>(node) else { continue };
            self.note(address, FieldPath::at(Field::Container, name.as_str()), at);
            self.check_container(node, &mut ports);
            let env = self.variables(
                node,
                |variable| FieldPath::at(Field::ContainerEnv, format!("{name}.{variable}")),
                address,
            );
            let program = ["command", "script", "args"].iter().find_map(|kind| node.child(kind));
            let program = program.and_then(|program| self.words(program, &node.title()));
            let port = plain::<u32>(node, "port").and_then(|port| u16::try_from(port).ok());
            if let Some(image) = plain(node, "image") {
                containers.insert(name, Container { image, program, port, env });
            }
        }
        containers
    }

    /// One program each, on a port that nobody else of the instance has.
    fn check_container(&mut self, node: &Block, ports: &mut HashMap<u32, Option<Place>>) {
        let mut programs =
            node.children.iter().filter(|child| matches!(child.row.name(), "command" | "script" | "args"));
        if let (Some(one), Some(other)) = (programs.next(), programs.next()) {
            self.exclusive(one, other, "a container runs one program");
        }
        let Some(port) = node.child("port").and_then(|port| port.argument::<u32>(0)) else { return };
        if RESERVED.contains(&port.value) {
            return self.reserved(port.value, port.at);
        }
        if let Some(first) = ports.insert(port.value, port.at) {
            let message = format!("two containers of one instance listen on port {}", port.value);
            let problem =
                Problem::error(Code::ListenConflict, message).at(port.at, "taken").and(first, "first taken here");
            self.report(
                problem.help("containers of an instance share its network: give each a port of its own".to_owned()),
            );
        }
    }
}
