//! The fields of each spec as a list. A spec takes itself apart completely, so a new field does not compile until it is
//! listed.

use crate::spec::words::quoted;
use crate::{
    CallRecords, Entry, Field, FieldPath, Fingerprint, GatewaySpec, Pins, Program, RouteSpec, ServiceSpec, Template,
    Value, print_duration,
};
use std::fmt;

/// The entries of a spec while they are listed.
#[derive(Default)]
pub(crate) struct List(Vec<Entry>);

impl List {
    pub(crate) fn text(&mut self, field: Field, value: impl fmt::Display) {
        self.0.push(Entry { path: FieldPath::of(field), value: Value::Text(value.to_string()) });
    }

    pub(crate) fn at(&mut self, field: Field, key: &str, value: Value) {
        self.0.push(Entry { path: FieldPath::at(field, key), value });
    }

    /// Adds the field, if it has a value.
    pub(crate) fn some(&mut self, field: Field, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.text(field, value);
        }
    }

    /// Adds the field, if it is switched on.
    pub(crate) fn flag(&mut self, field: Field, on: bool) {
        if on {
            self.text(field, "yes");
        }
    }

    pub(crate) fn value(&mut self, field: Field, value: Value) {
        self.0.push(Entry { path: FieldPath::of(field), value });
    }

    pub(crate) fn sorted(mut self) -> Vec<Entry> {
        self.0.sort_by(|one, two| one.path.cmp(&two.path));
        self.0
    }
}

impl Template {
    /// The fields whose change means new instances, with what the pins add.
    pub fn entries(&self, pins: &Pins) -> Vec<Entry> {
        let mut list = List(Vec::new());
        self.list(pins, &mut list);
        list.sorted()
    }

    fn list(&self, pins: &Pins, list: &mut List) {
        let Self {
            image,
            program,
            port,
            packages,
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
            tracing,
            log_paths,
        } = self;
        if let Some(probe) = readiness {
            probe.list_readiness(list);
        }
        probes.list(list);
        resources.list(list);
        list.some(Field::Unit, unit.as_ref());
        list.flag(Field::UnitRdma, unit.as_ref().is_some_and(|unit| unit.rdma));
        list.flag(Field::UnitCheck, unit.as_ref().is_some_and(|unit| unit.check));
        list.flag(Field::CrashBlock, *crash_block);
        list.some(Field::Pull, pull.map(crate::Pull::as_str));
        list.some(Field::PackagesFile, packages_file.as_ref());
        for (name, container) in containers {
            container.list(name, pins, list);
        }
        list.some(Field::Network, network.as_ref());
        list.some(Field::Role, role.as_ref());
        list.some(Field::Confidential, confidential.as_ref());
        if let Some(weights) = weights {
            list.value(weights.field(mounts), Value::Text(weights.to_string()));
        }
        list.flag(Field::Tracing, *tracing);
        list.some(Field::LogPaths, Some(quoted(log_paths)).filter(|paths| !paths.is_empty()));
        if let Some(image) = image {
            list.text(Field::Image, image);
        }
        list.value(program.field(), Value::Lines(program.to_string()));
        list.some(Field::Port, *port);
        if !packages.is_empty() {
            list.0.push(Entry { path: FieldPath::of(Field::Packages), value: Value::Lines(packages.join("\n")) });
        }
        for (name, value) in env {
            list.at(Field::Env, name.as_str(), value.shown(pins));
        }
        for (path, mount) in mounts {
            mount.list(path, pins, list);
        }
        let Pins { mounts: contents, packages: libraries, secrets: _, image: image_content, objects } = pins;
        if let Some(content) = image_content {
            list.value(Field::ImageContent, Value::Content(*content));
        }
        for (address, generation) in objects {
            list.at(Field::Incarnation, &address.to_string(), Value::Text(generation.to_string()));
        }
        for (path, content) in contents {
            list.at(Field::Content, path.as_str(), Value::Content(*content));
        }
        if let Some(content) = libraries {
            list.0.push(Entry { path: FieldPath::of(Field::Interpreter), value: Value::Content(*content) });
        }
    }
}

impl Program {
    /// The field under which it is listed; not every runtime has each kind.
    fn field(&self) -> Field {
        match self {
            Self::Command(_) | Self::Script(_) => Field::Program,
            Self::Args(_) => Field::Args,
            Self::Processor(_) => Field::Processor,
        }
    }
}

impl ServiceSpec {
    /// Every field of the service, with what the pins add.
    pub fn entries(&self, pins: &Pins) -> Vec<Entry> {
        let Self {
            template,
            instances,
            rollout,
            shutdown,
            timeout,
            tokens,
            exposes,
            timeouts,
            traffic,
            group,
            web_app,
            grpc,
            nacos,
            elastic,
            router,
            call_records,
            labels,
            raw,
        } = self;
        let mut list = List(Vec::new());
        template.list(pins, &mut list);
        list.text(Field::Instances, instances);
        rollout.list(&mut list);
        timeouts.list(&mut list);
        traffic.list(&mut list);
        list.some(Field::Group, group.as_ref());
        elastic.list(&mut list);
        list.some(Field::Router, router.as_ref());
        let field = match call_records {
            Some(CallRecords::File(_)) => Field::CallRecordsFile,
            _ => Field::CallRecords,
        };
        list.some(field, call_records.as_ref());
        for (key, value) in labels {
            list.at(Field::Label, key, Value::Text(value.to_string()));
        }
        for (runtime, keys) in raw {
            for (key, value) in keys {
                list.at(Field::Raw, &format!("{runtime} {key}"), Value::Text(value.to_string()));
            }
        }
        list.flag(Field::WebApp, *web_app);
        list.flag(Field::Grpc, *grpc);
        for (id, nacos) in nacos {
            list.at(Field::Nacos, id, Value::Text(nacos.to_string()));
        }
        let sigterm = if shutdown.sigterm { ", SIGTERM first" } else { "" };
        list.text(Field::Shutdown, format!("grace {}{sigterm}", print_duration(shutdown.grace)));
        list.text(Field::Timeout, print_duration(*timeout));
        for token in tokens {
            list.at(Field::Token, token.secret.as_str(), Value::Text(format!("(secret){}", token.secret)));
            if let Some(name) = &token.name {
                list.at(Field::TokenName, token.secret.as_str(), Value::Text(name.to_string()));
            }
        }
        for (gateway, expose) in exposes {
            let path = expose.path.as_deref().unwrap_or("default path");
            list.at(Field::Expose, gateway.as_str(), Value::Text(path.to_owned()));
        }
        list.sorted()
    }
}

impl RouteSpec {
    /// Every field of the route.
    pub fn entries(&self) -> Vec<Entry> {
        let Self {
            gateway: _,
            service: _,
            paths,
            tokens,
            token_digests,
            timeout,
            max_body,
            timeouts,
            traffic,
            grpc,
            group,
            records,
        } = self;
        let mut list = List::default();
        for path in paths {
            list.at(Field::Path, path, Value::Text("served".to_owned()));
        }
        for token in tokens {
            let digest = token_digests.get(&token.secret).copied();
            list.at(Field::Token, token.secret.as_str(), Value::Secret(token.secret.clone(), digest));
            if let Some(name) = &token.name {
                list.at(Field::TokenName, token.secret.as_str(), Value::Text(name.to_string()));
            }
        }
        list.text(Field::Timeout, print_duration(*timeout));
        timeouts.list(&mut list);
        traffic.list(&mut list);
        if let Some(limit) = max_body {
            list.text(Field::MaxBody, limit);
        }
        list.flag(Field::Grpc, *grpc);
        list.some(Field::Group, group.as_ref());
        list.some(Field::CallRecordsFile, records.as_ref());
        list.sorted()
    }
}

/// Stands for a list of fields.
pub(crate) fn fingerprint(entries: &[Entry]) -> Fingerprint {
    let lines: Vec<_> = entries.iter().map(|entry| format!("{}={}", entry.path, entry.value)).collect();
    Fingerprint::of(lines.iter().map(String::as_bytes))
}

impl GatewaySpec {
    /// Stands for the spec on the object that is made from it.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.entries())
    }
}

impl RouteSpec {
    /// Stands for the spec on the object that is made from it. Says nothing of secrets' values.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.entries())
    }
}
