//! Which addresses to listen on.

use super::ServeError;
use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
};
use tracing::warn;

/// The port that is registered for MQTT.
const PORT: u16 = 1883;

/// The addresses that were asked for; without any, this machine's own.
pub(super) fn addresses(asked: &[String]) -> Result<Vec<SocketAddr>, ServeError> {
    if asked.is_empty() {
        return Ok(loopback());
    }
    let mut addresses = Vec::new();
    for address in asked {
        addresses.extend(resolve(address)?);
    }
    Ok(addresses)
}

/// All addresses of a host. A name may have some that this machine lacks, such as ::1; not all of them may be missing.
fn resolve(asked: &str) -> Result<Vec<SocketAddr>, ServeError> {
    let resolved = asked
        .to_socket_addrs()
        .map_err(|cause| ServeError::Resolve {
            address: asked.to_owned(),
            cause,
        })?;
    let (here, missing): (Vec<_>, Vec<_>) = resolved.partition(|address| exists(*address));
    if here.is_empty() {
        // To bind it tells why.
        return Ok(missing);
    }
    for address in missing {
        warn!("{asked} is also {address}, which this machine does not have: not listening there");
    }
    Ok(here)
}

/// 127.0.0.1 always; ::1 if the machine has it.
fn loopback() -> Vec<SocketAddr> {
    let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))];
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, PORT));
    if exists(v6) {
        addresses.push(v6);
    } else {
        warn!("this machine has no IPv6: not listening on {v6}");
    }
    addresses
}

/// False if no network interface has this address. A port that is taken shows later.
fn exists(address: SocketAddr) -> bool {
    match TcpListener::bind((address.ip(), 0)) {
        Ok(_) => true,
        Err(error) => matches!(
            error.kind(),
            ErrorKind::AddrInUse | ErrorKind::PermissionDenied
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_wish_only_this_machine_is_served() {
        let addresses = addresses(&[]).unwrap();
        assert_eq!(addresses[0], "127.0.0.1:1883".parse().unwrap());
        assert!(
            addresses.iter().all(|address| address.ip().is_loopback()),
            "{addresses:?}"
        );
    }

    #[test]
    fn names_and_both_kinds_of_address_are_taken() {
        let asked = ["127.0.0.1:0", "localhost:7", "[::1]:9"].map(str::to_owned);
        let addresses = addresses(&asked).unwrap();
        assert!(
            addresses.contains(&"127.0.0.1:0".parse().unwrap()),
            "{addresses:?}"
        );
        assert!(
            addresses.contains(&"[::1]:9".parse().unwrap()),
            "{addresses:?}"
        );
        let of_name = |address: &&SocketAddr| address.port() == 7 && address.ip().is_loopback();
        assert!(
            addresses.iter().any(|address| of_name(&address)),
            "{addresses:?}"
        );
    }

    #[test]
    fn a_host_that_does_not_exist_is_named() {
        let error = addresses(&["no-such-host.invalid:1883".to_owned()]).unwrap_err();
        assert!(
            error.to_string().contains("no-such-host.invalid:1883"),
            "{error}"
        );
    }
}
