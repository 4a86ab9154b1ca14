//! Ports: free ones to be listened on, and who listens.

use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the ports that instances get, and below those that the kernel takes for outgoing connections.
const FIRST: u16 = 10_000;
const COUNT: u16 = 10_000;

/// A port that nobody listens on, as nobody does on the next one. No two calls in one process answer the same.
pub(crate) fn two_free() -> u16 {
    static TURN: AtomicU16 = AtomicU16::new(0);
    // Processes begin far apart, as a rule.
    let begin = std::process::id().wrapping_mul(613) % u32::from(COUNT);
    let begin = u16::try_from(begin).unwrap() & !1;
    loop {
        let port = FIRST + (begin + TURN.fetch_add(2, Ordering::Relaxed)) % COUNT;
        if [port, port + 1].into_iter().all(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()) {
            return port;
        }
    }
}

/// Every TCP port of this host that is listened on.
pub(crate) fn listening() -> BTreeSet<u16> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let port = |line: &str| {
        let mut columns = line.split_whitespace().skip(1);
        let (local, state) = (columns.next()?, columns.nth(1)?);
        let (_, port) = local.rsplit_once(':')?;
        (state == "0A").then(|| u16::from_str_radix(port, 16).unwrap())
    };
    tables.iter().flat_map(|table| table.lines().skip(1).filter_map(port)).collect()
}

#[test]
fn a_listener_is_seen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(listening().contains(&port));
    drop(listener);
    // A command that another test begins at this moment holds everything open until it has begun.
    super::until("nobody listens any more", || !listening().contains(&port));
}
