//! Where the processes of an instance listen, as the kernel's tables say: the hint for a program that does not listen
//! where it was told to.

use crate::instance;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

/// The state of a socket that listens, in the kernel's tables.
const LISTENS: &str = "0A";

/// Where the processes of a namespace listen, in order.
pub(crate) fn addresses(namespace: &Path) -> Vec<SocketAddr> {
    let pids = instance::processes_in(namespace);
    let Some(first) = pids.first() else { return Vec::new() };
    let listening = sockets(*first);
    let held = pids.iter().flat_map(|pid| inodes(*pid));
    let found: BTreeSet<_> = held.filter_map(|inode| listening.get(&inode).copied()).collect();
    found.into_iter().collect()
}

/// Every socket that listens in the network of the process, by inode.
fn sockets(pid: u32) -> BTreeMap<u64, SocketAddr> {
    let table = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let tables = [table("tcp"), table("tcp6")];
    tables.iter().flat_map(|table| table.lines()).filter_map(row).collect()
}

fn row(line: &str) -> Option<(u64, SocketAddr)> {
    let fields: Vec<_> = line.split_whitespace().collect();
    (fields.get(3) == Some(&LISTENS)).then_some(())?;
    Some((fields.get(9)?.parse().ok()?, address(fields.get(1)?)?))
}

/// An address in the kernel's spelling: words of four bytes in the machine's order, a colon, the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let words: Option<Vec<_>> = host
        .as_bytes()
        .chunks(8)
        .map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok().map(u32::to_ne_bytes))
        .collect();
    let bytes = words?.concat();
    let host = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    };
    Some(SocketAddr::new(host, u16::from_str_radix(port, 16).ok()?))
}

/// The inodes of the sockets that a process has open.
fn inodes(pid: u32) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let inode = |entry: std::io::Result<fs::DirEntry>| {
        let target = fs::read_link(entry.ok()?.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    entries.filter_map(inode).collect()
}

/// Who listens on a port of this host, for a message: the name and id of the process, where it can be seen.
pub(crate) fn listener_on(port: u16) -> Option<String> {
    let wanted: BTreeSet<u64> =
        sockets(std::process::id()).into_iter().filter(|(_, at)| at.port() == port).map(|(inode, _)| inode).collect();
    let pids = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.into_iter().find(|pid| inodes(*pid).iter().any(|inode| wanted.contains(inode)))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (process {pid})", name.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn the_kernels_spelling_is_read() {
        let check = |text: &str, expected: &str| assert_eq!(address(text).unwrap().to_string(), expected);
        check("0100007F:1F90", "127.0.0.1:8080");
        check("00000000:0050", "0.0.0.0:80");
        check("00000000000000000000000001000000:1F90", "[::1]:8080");
        assert_eq!(address("zz:1"), None);
    }

    #[test]
    fn our_own_listener_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = listener_on(port).unwrap();
        assert!(found.contains(&std::process::id().to_string()), "{found}");
    }
}
