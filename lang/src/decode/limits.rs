//! What EAS cannot be told as the file says it, and what instances there cannot reach or wait for. Like all rules of EAS,
//! these hold in environments that run there, and only there.

use super::Decode;
use crate::{
    block::Block,
    problem::{Code, Problem},
};
use std::{sync::Arc, time::Duration};
use wharf_model::{Bytes, print_duration};

/// Durations that EAS counts in whole seconds, by the way to each in a service.
const SECONDS: &[(&[&str], &[&str])] = &[
    (&["shutdown"], &["grace"]),
    (&["health", "readiness"], ASKED),
    (&["health", "startup"], ASKED),
    (&["health", "liveness"], ASKED),
    (&["autoscale"], &["up-window", "down-window", "idle"]),
];
const ASKED: &[&str] = &["initial-delay", "every", "timeout"];

/// Sizes that EAS counts in whole units, by the way to each in a service.
const SIZES: &[(&[&str], &str, Bytes, &str)] = &[
    (&["resources"], "shm", GIB, "GiB"),
    (&["resources"], "memory", MIB, "MiB"),
    (&["resources"], "disk", GIB, "GiB"),
    (&["resources", "gpu"], "memory", GIB, "GiB"),
    (&["queue"], "memory", MIB, "MiB"),
    (&["router"], "memory", MIB, "MiB"),
    (&["router", "scheduler"], "memory", MIB, "MiB"),
];
const MIB: Bytes = Bytes(1 << 20);
const GIB: Bytes = Bytes(1 << 30);

/// The largest disk of an instance.
const DISK: Bytes = Bytes(2000 << 30);
/// What waits longer for an answer is cut off by something on the way, if not by EAS.
const LONGEST: Duration = Duration::from_secs(600);

impl Decode<'_> {
    /// Holds a service against what EAS can be told.
    pub(super) fn check_eas_limits(&mut self, service: &Block) {
        self.check_eas_measures(service);
        self.check_eas_disk(service);
        self.check_eas_driver(service);
        self.check_eas_patience(service);
        self.check_eas_way_out(service);
        self.check_eas_cpfs(service);
        self.check_eas_program(service);
        self.check_eas_balancers(service);
    }

    fn check_eas_measures(&mut self, service: &Block) {
        for (way, names) in SECONDS {
            let Some(block) = inside(service, way) else { continue };
            for name in *names {
                let Some(span) = block.child(name).and_then(|node| node.argument::<Duration>(0)) else { continue };
                if span.value.subsec_nanos() > 0 {
                    let message = format!("`{name}` is {}, which EAS cannot be told", print_duration(span.value));
                    let problem = Problem::error(Code::OutOfRange, message).at(span.at, "not whole");
                    self.report(problem.help("EAS counts it in whole seconds".to_owned()));
                }
            }
        }
        for (way, name, unit, word) in SIZES {
            let node = inside(service, way).and_then(|block| block.child(name));
            let Some(size) = node.and_then(|node| node.argument::<Bytes>(0)) else { continue };
            if !size.value.0.is_multiple_of(unit.0) {
                let message = format!("`{name}` is {}, which EAS cannot be told", size.value);
                let problem = Problem::error(Code::OutOfRange, message).at(size.at, "not whole");
                self.report(problem.help(format!("EAS counts it in whole {word}")));
            }
        }
    }

    fn check_eas_disk(&mut self, service: &Block) {
        let disk = inside(service, &["resources"]).and_then(|block| block.child("disk")?.argument::<Bytes>(0));
        let Some(disk) = disk.filter(|disk| disk.value > DISK) else { return };
        let message = format!("`disk` is {}, and EAS gives an instance {DISK} at most", disk.value);
        let problem = Problem::error(Code::OutOfRange, message).at(disk.at, "too large");
        self.report(problem.help("keep what is larger in a mount".to_owned()));
    }

    /// EAS takes one version, and no range of them.
    fn check_eas_driver(&mut self, service: &Block) {
        let gpu = inside(service, &["resources", "gpu"]);
        let driver = gpu.and_then(|gpu| gpu.child("driver")?.argument::<Arc<str>>(0));
        let is_version = |text: &str| text.split('.').all(|part| part.parse::<u32>().is_ok());
        let Some(driver) = driver.filter(|driver| !is_version(&driver.value)) else { return };
        let message = format!("EAS must be told one driver, and `{}` is none", driver.value);
        let problem = Problem::error(Code::InvalidValue, message).at(driver.at, "not one version");
        self.report(problem.help("write for example `driver \"550.127.08\"` in this environment".to_owned()));
    }

    fn check_eas_patience(&mut self, service: &Block) {
        let timeout = service.child("timeout").and_then(|node| node.argument::<Duration>(0));
        let Some(timeout) = timeout.filter(|timeout| timeout.value > LONGEST) else { return };
        if service.child("queue").is_some() {
            return;
        }
        let longest = print_duration(LONGEST);
        let message = format!("callers may wait {}, and many connections are cut after {longest}", {
            print_duration(timeout.value)
        });
        let problem = Problem::warning(Code::LongTimeout, message).at(timeout.at, "longer than that");
        self.report(problem.help("add a `queue`, and callers come back for their answers".to_owned()));
    }

    /// Instances have no way out by themselves, so what comes from elsewhere when they start does not come.
    fn check_eas_way_out(&mut self, service: &Block) {
        if service.child("network").is_some() {
            return;
        }
        let libraries = ["packages", "packages-file"].iter().filter_map(|name| service.child(name));
        let repositories = service.every("mount").filter_map(|mount| mount.child("git"));
        let nodes: Vec<_> = libraries.chain(repositories).map(|node| (node.row.name(), node.title_at())).collect();
        for (name, at) in nodes {
            let message = format!("what `{name}` names may be out of reach: instances have no way out by themselves");
            let problem = Problem::warning(Code::NoWayOut, message).at(at, "fetched when an instance starts");
            self.report(
                problem.help("give the service a `network` with a way out, or put it into the image".to_owned()),
            );
        }
    }

    /// A CPFS is mounted by machines of Lingjun alone.
    fn check_eas_cpfs(&mut self, service: &Block) {
        let is_cpfs = |nfs: &&Block| {
            let server = nfs.property::<Arc<str>>("server");
            server.is_some_and(|server| server.value.starts_with("cpfs-") || server.value.contains(".cpfs."))
        };
        let mounts: Vec<_> =
            service.every("mount").filter_map(|mount| mount.child("nfs")).filter(is_cpfs).cloned().collect();
        for nfs in &mounts {
            self.needs_lingjun(service, nfs, "only such machines mount a CPFS");
        }
    }

    /// What is no processor is an image and what runs in it.
    fn check_eas_program(&mut self, service: &Block) {
        let has = |name: &str| service.child(name).is_some();
        if has("image") || has("processor") || !["command", "script"].into_iter().any(has) {
            return;
        }
        let message = format!("{} has no image", service.title());
        let problem = Problem::error(Code::MissingNode, message).at(service.title_at(), "runs in nothing");
        self.report(problem.help("on eas, add `image \"registry-vpc.…/name:tag\"`".to_owned()));
    }

    /// A service is behind balancers that exist, or behind those that EAS makes.
    fn check_eas_balancers(&mut self, service: &Block) {
        let by = service.key().and_then(|name| self.known.balanced.get(&name)).map(|balanced| balanced.by);
        let Some([Some(existing), Some(made)]) = by else { return };
        let message = format!("{} is behind a balancer that exists and behind one that EAS makes", service.title());
        let problem = Problem::error(Code::OnlyOneOf, message).at(made, "made by EAS").and(existing, "exists");
        self.report(problem.help("give both an `id`, or none of them".to_owned()));
    }

    /// A balancer that EAS makes stands in two zones.
    pub(super) fn check_eas_nlb(&mut self, nlb: &Block) {
        if !self.known.eas || nlb.child("id").is_some() {
            return;
        }
        let Some(network) =
            nlb.child("network").filter(|node| node.key().is_some_and(|name| self.known.narrow.contains(&name)))
        else {
            return;
        };
        let message = format!("EAS makes {} in two zones, and its network has one vswitch", nlb.title());
        let problem = Problem::error(Code::Requires, message).at(network.title_at(), "in one zone");
        self.report(problem.help("name a second vswitch, of another zone: `vswitches \"vsw-a\" \"vsw-b\"`".to_owned()));
    }
}

fn inside<'b>(service: &'b Block, way: &[&str]) -> Option<&'b Block> {
    way.iter().try_fold(service, |block, name| block.child(name))
}
