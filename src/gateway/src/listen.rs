//! Binding a listener: one socket for each worker, and nobody else's.
//!
//! Workers share a port with `SO_REUSEPORT`, which lets every process of the same user share it too, another gateway
//! included, and then requests would go astray without an error. So the first socket is bound and listens without it,
//! which fails if anyone listens there; only then is the port opened for the other workers' sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Why there is no listener.
#[derive(Debug, Error)]
pub(crate) enum ListenError {
    #[error("listener {name}: address {address} is in use")]
    InUse { name: String, address: SocketAddr },
    #[error("listener {name}: cannot listen on {address}: {source}")]
    Bind { name: String, address: SocketAddr, source: io::Error },
}

/// Binds `workers` sockets to one address. All of them have the port that the first one got.
pub(crate) fn bind(name: &str, address: SocketAddr, workers: usize) -> Result<Vec<TcpListener>, ListenError> {
    bind_all(address, workers).map_err(|source| {
        let name = name.to_owned();
        match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse { name, address },
            _ => ListenError::Bind { name, address, source },
        }
    })
}

fn bind_all(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    let first = listening(address, false)?;
    first.set_reuse_port(true)?;
    let first = TcpListener::from(first);
    let address = first.local_addr()?;
    let others = (1..workers).map(|_| listening(address, true).map(TcpListener::from));
    std::iter::once(Ok(first)).chain(others).collect()
}

fn listening(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Else a restart would have to wait for the last connections of the run before.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Binds an address while another listener of ours holds it.
    fn check(workers_of_first: usize, workers_of_second: usize) {
        let first = bind("a", ([127, 0, 0, 1], 0).into(), workers_of_first).unwrap();
        assert_eq!(first.len(), workers_of_first);
        let address = first[0].local_addr().unwrap();
        assert!(first.iter().all(|listener| listener.local_addr().unwrap() == address));

        let error = bind("b", address, workers_of_second).unwrap_err();
        assert_eq!(error.to_string(), format!("listener b: address {address} is in use"));
        drop(first);
        assert!(bind("b", address, workers_of_second).is_ok());
    }

    #[test]
    fn workers_share_a_port_and_nobody_else_does() {
        check(1, 1);
        check(3, 1);
        check(2, 2);
    }
}
