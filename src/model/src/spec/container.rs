//! Further containers of an instance, and programs that the platform brings.

use super::{
    EnvValue, Program,
    words::{after, words},
};
use crate::{ContainerName, EnvName, Field, Pins, SecretName, Value, entries::List, print_duration};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

words! {
    /// When an image is fetched.
    Pull {
        /// At each start.
        Always => "always",
        /// When it is not there.
        Missing => "missing",
        /// Not at all: it must be there.
        Never => "never",
    }
}

/// A container beside the one of the service; it shares its network and its mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The image.
    pub image: Arc<str>,
    /// What runs; the image's own program when absent.
    pub program: Option<Program>,
    /// Where it listens; none when it answers nobody.
    pub port: Option<u16>,
    /// Environment variables.
    pub env: BTreeMap<EnvName, EnvValue>,
}

impl Container {
    pub(crate) fn list(&self, name: &ContainerName, pins: &Pins, list: &mut List) {
        let Self { image, program, port, env } = self;
        let port = after("\non port ", port);
        let text = format!("{image}{}{port}", after("\n", program));
        list.at(Field::Container, name.as_str(), Value::Lines(text));
        for (variable, value) in env {
            list.at(Field::ContainerEnv, &format!("{name}.{variable}"), value.shown(pins));
        }
    }

    /// The secrets among its variables.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        self.env.values().filter_map(EnvValue::secret)
    }
}

words! {
    /// In which language a processor is written.
    ProcessorKind {
        /// C++.
        Cpp => "cpp",
        /// Java.
        Java => "java",
        /// Python.
        Python => "python",
    }
}

/// A program of the platform that loads a model and answers for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    /// The platform's name for it; none for one of one's own.
    pub code: Option<Arc<str>>,
    /// Where the model lies.
    pub model: Arc<str>,
    /// Where the store of the model answers; in the region itself when absent.
    pub endpoint: Option<Arc<str>>,
    /// The main file of the model.
    pub entry: Option<Arc<str>>,
    /// A text that the processor is given.
    pub config: Option<Arc<str>>,
    /// One of one's own.
    pub own: Option<OwnProcessor>,
    /// A request that is answered before an instance gets others.
    pub warm_up: Option<Arc<str>>,
    /// Several requests are answered together.
    pub batching: Option<Batching>,
    /// How many requests are worked on at once.
    pub worker_threads: Option<u32>,
    /// How many threads read and write.
    pub io_threads: Option<u32>,
    /// How many requests wait at most.
    pub queue_size: Option<u32>,
}

/// A processor of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnProcessor {
    /// Where it lies.
    pub path: Arc<str>,
    /// Its language.
    pub kind: ProcessorKind,
    /// Its main file, in C++ and Python.
    pub entry: Option<Arc<str>>,
    /// Its main class, in Java.
    pub main_class: Option<Arc<str>>,
}

/// Several requests are answered together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batching {
    /// At most so many.
    pub max_size: u32,
    /// After at most so long.
    pub timeout: Duration,
}

impl fmt::Display for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            model,
            endpoint,
            entry,
            config,
            own,
            warm_up,
            batching,
            worker_threads,
            io_threads,
            queue_size,
        } = self;
        let code = code.as_deref().unwrap_or("of one's own");
        write!(f, "processor {code}\nmodel {model}{}", after(" at ", endpoint))?;
        if let Some(OwnProcessor { path, kind, entry, main_class }) = own {
            let (entry, class) = (after(", entry ", entry), after(", main-class ", main_class));
            write!(f, "\npath {path}, type {}{entry}{class}", kind.as_str())?;
        }
        let batching = batching
            .as_ref()
            .map(|Batching { max_size, timeout }| format!("{max_size} together after {}", print_duration(*timeout)));
        f.write_str(&after("\nentry ", entry))?;
        f.write_str(&after("\nconfig ", config))?;
        f.write_str(&after("\nwarm-up ", warm_up))?;
        f.write_str(&after("\nbatching ", &batching))?;
        f.write_str(&after("\nworker-threads ", worker_threads))?;
        f.write_str(&after("\nio-threads ", io_threads))?;
        f.write_str(&after("\nqueue-size ", queue_size))
    }
}
