//! Which port an instance gets. Instances share the host's network, so each has one of its own; which one follows from
//! its name, as far as the host allows, so that a look at two machines shows the same.
//!
//! An instance takes a while until it listens, and another project on the host must not get its port in the meantime:
//! both would then be asked whether they are ready, and one would answer for the other. So a port is reserved, by a name
//! that the kernel keeps for each network and forgets with the process that holds it.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, TcpListener},
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
};
use wharf_model::{Fingerprint, InstanceId};
use wharf_provider::Owner;

/// Below the range from which the kernel takes ports for outgoing connections.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// Holds a port for one instance, until it is dropped here and wherever it was handed on to.
#[derive(Debug)]
pub(crate) struct Reservation(UnixDatagram);

impl Reservation {
    /// Reserves the port; `None` when it is reserved already, or somebody uses it now.
    pub(crate) fn of(port: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("wharf-port-{port}")).ok()?;
        let held = UnixDatagram::bind_addr(&name).ok()?;
        can_be_bound(port).then_some(Self(held))
    }
}

impl From<Reservation> for OwnedFd {
    fn from(reservation: Reservation) -> Self {
        reservation.0.into()
    }
}

/// The first port, from the one that the instance's name leads to, that is not among the `taken` and that `reserve` gets.
pub(crate) fn choose<R>(
    owner: &Owner,
    instance: &InstanceId,
    taken: &BTreeSet<u16>,
    reserve: impl Fn(u16) -> Option<R>,
) -> Option<(u16, R)> {
    let start = start(owner, instance);
    let mut ports = (0..COUNT).map(|step| FIRST + (start + step) % COUNT).filter(|port| !taken.contains(port));
    ports.find_map(|port| Some((port, reserve(port)?)))
}

fn start(owner: &Owner, instance: &InstanceId) -> u16 {
    let name = instance.to_string();
    let parts = [owner.project.as_str(), owner.environment.as_str(), name.as_str()];
    let digest = Fingerprint::of(parts.map(str::as_bytes)).to_string();
    let number = digest.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0);
    u16::try_from(number % u32::from(COUNT)).expect("a remainder is smaller than the divisor")
}

/// Whether the port can be bound now, on loopback and on all addresses.
fn can_be_bound(port: u16) -> bool {
    let binds = |address: Ipv4Addr| TcpListener::bind((address, port)).is_ok();
    binds(Ipv4Addr::LOCALHOST) && binds(Ipv4Addr::UNSPECIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { project: "chat".parse().unwrap(), environment: "dev".parse().unwrap() }
    }

    #[test]
    fn the_name_leads_to_a_port_and_the_taken_are_passed_over() {
        let check = |instance: &str, taken: &[u16], refused: Option<u16>| {
            let reserve = |port| (Some(port) != refused).then_some(());
            choose(&owner(), &instance.parse().unwrap(), &taken.iter().copied().collect(), reserve).unwrap().0
        };
        let first = check("hello-0-g1", &[], None);
        assert!((FIRST..FIRST + COUNT).contains(&first));
        assert_eq!(check("hello-0-g1", &[], None), first);
        assert_ne!(check("hello-0-g2", &[], None), first);
        let next = check("hello-0-g1", &[first], None);
        assert_eq!(check("hello-0-g1", &[], Some(first)), next);
        let none = choose(&owner(), &"hello-0-g1".parse().unwrap(), &BTreeSet::new(), |_| None::<()>);
        assert_eq!(none, None);
    }

    #[test]
    fn a_port_is_reserved_once_and_not_while_somebody_listens_on_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(Reservation::of(port).is_none());
        drop(listener);
        let held = Reservation::of(port).unwrap();
        assert!(Reservation::of(port).is_none());
        let handed_on = OwnedFd::from(held);
        assert!(Reservation::of(port).is_none());
        drop(handed_on);
        assert!(Reservation::of(port).is_some());
    }
}
