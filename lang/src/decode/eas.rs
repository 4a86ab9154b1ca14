//! What EAS would refuse, or answer with trouble later. These rules hold in environments that run there, and only there.

use super::Decode;
use crate::{
    block::Block,
    problem::{Code, Problem},
};
use std::time::Duration;
use wharf_model::{Bytes, print_duration};

/// A name on EAS: lower-case letters, digits and `_`, 3 to 63 of them.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (3..=63).contains(&name.len()) && name.bytes().all(fits)
}

/// How long a first answer of a large model may well take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest body that the shared gateway lets through.
const BODY: Bytes = Bytes(1 << 20);

/// What is found in such environments alone.
pub(super) const LINTS: [Code; 5] =
    [Code::Unreachable, Code::ShortTimeout, Code::BodyLimit, Code::LongTimeout, Code::NoWayOut];

impl Decode<'_> {
    /// Holds a service against the rules of EAS.
    pub(super) fn check_eas_service(&mut self, service: &Block) {
        if !self.known.eas {
            return;
        }
        self.check_eas_name(service);
        self.check_eas_network(service);
        self.check_eas_resources(service);
        self.check_eas_image(service);
        self.check_eas_timeout(service);
        self.check_eas_limits(service);
        self.check_eas_probes(service);
    }

    fn check_eas_name(&mut self, service: &Block) {
        let Some(name) = service.key().filter(|name| !is_name(name)) else { return };
        let message = format!("EAS refuses the name `{name}`");
        let problem = Problem::error(Code::RefusedName, message).at(service.title_at(), "refused there");
        let rule = "a service there has 3 to 63 lower-case letters, digits and `_`";
        let better = name.replace('-', "_");
        let help = if is_name(&better) { format!("{rule}: call it `{better}`") } else { rule.to_owned() };
        self.report(problem.help(help));
    }

    /// A file server is reached through a network alone.
    fn check_eas_network(&mut self, service: &Block) {
        if service.child("network").is_some() {
            return;
        }
        let nfs: Vec<_> = service.every("mount").filter_map(|mount| mount.child("nfs")).cloned().collect();
        for node in &nfs {
            self.requires(node, "network", "on eas, a file server is reached through the network that it is in");
        }
    }

    /// Instances run on machines of the platform or on one's own, and one of the two must be said.
    fn check_eas_resources(&mut self, service: &Block) {
        let resources = service.child("resources");
        let has = |name: &str| resources.is_some_and(|resources| resources.child(name).is_some());
        if has("dedicated") || has("quota") {
            for missing in ["cpu", "memory"].into_iter().filter(|name| !has(name)) {
                let message = format!("`{missing}` is missing in `resources`");
                let at = resources.and_then(|resources| resources.at);
                let problem = Problem::error(Code::MissingNode, message).at(at, "incomplete");
                self.report(
                    problem.help("on machines of one's own, EAS must be told how much an instance gets".to_owned()),
                );
            }
        } else if !has("instance-type") {
            let message = format!("{} does not say on which machines it runs", service.title());
            let problem = Problem::error(Code::MissingNode, message).at(service.title_at(), "no machines");
            let help = "add `resources { instance-type \"ecs.c7.large\" }`, or `dedicated` or `quota`";
            self.report(problem.help(help.to_owned()));
        }
    }

    /// Instances have no way out by themselves, so an image of another place cannot be fetched.
    fn check_eas_image(&mut self, service: &Block) {
        let Some(image) = service.child("image").filter(|_| service.child("network").is_none()) else { return };
        let Some(reference) = image.key() else { return };
        let inside = reference.contains("-vpc.") || reference.contains("registry-vpc");
        if !inside {
            let message = format!("EAS may not reach `{reference}`: instances have no way out by themselves");
            let problem = Problem::warning(Code::Unreachable, message).at(image.title_at(), "outside");
            let help =
                "use the address of the registry inside the region, or give the service a `network` with a way out";
            self.report(problem.help(help.to_owned()));
        }
    }

    /// EAS asks by HTTP, by a connection or by a program.
    fn check_eas_probes(&mut self, service: &Block) {
        let probes = service.child("health").map_or(&[][..], |health| &health.children);
        for grpc in probes.iter().filter_map(|probe| probe.child("grpc")) {
            let problem = Problem::error(Code::Contradiction, "EAS does not ask by gRPC whether an instance is well");
            let help = "use `tcp` there, or `exec` with a program that asks, such as grpc_health_probe";
            self.report(problem.at(grpc.title_at(), "not asked there").help(help.to_owned()));
        }
    }

    fn check_eas_timeout(&mut self, service: &Block) {
        let timeout = service.value::<Duration>("timeout");
        let gpu = service.child("resources").and_then(|resources| resources.child("gpu"));
        let Some((timeout, gpu)) = timeout.zip(gpu).filter(|(timeout, _)| timeout.value <= PATIENCE) else { return };
        let span = print_duration(timeout.value);
        let message = format!("requests are cut off after {span}, and models on GPUs often take longer");
        let label = format!("{span} for the whole request");
        let problem = Problem::warning(Code::ShortTimeout, message).at(timeout.at.or(gpu.at), label);
        self.report(problem.help("set for example `timeout \"5m\"`".to_owned()));
    }

    /// What the gateways of EAS let through.
    pub(super) fn check_eas_gateway(&mut self, gateway: &Block) {
        let Some(limit) = gateway.value::<Bytes>("max-body").filter(|_| self.known.eas) else { return };
        if limit.value > BODY {
            let message = format!("gateways of EAS let bodies of 1MiB through, and `max-body` is {}", limit.value);
            let problem = Problem::warning(Code::BodyLimit, message).at(limit.at, "larger than that");
            self.report(
                problem.help("send larger bodies through an `nlb`, or send the address of an object".to_owned()),
            );
        }
    }
}
