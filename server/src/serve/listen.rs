//! Which listeners there are.

use super::ServeError;
use sanderling_runtime::{ListenError, Listener};
use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};
use tracing::warn;

/// The port that is registered for MQTT.
const PORT: u16 = 1883;
/// Where browsers find the broker unless somebody says otherwise.
const WEBSOCKET: &str = "ws://127.0.0.1:8080/ws";

/// The listeners that were asked for; without any, this machine's own.
pub(super) fn listeners(asked: &[String]) -> Result<Vec<Listener>, ServeError> {
    if asked.is_empty() {
        return Ok(loopback());
    }
    let mut listeners = Vec::new();
    for url in asked {
        let listener =
            Listener::parse(url).map_err(|error| ServeError::Listen(ListenError::Url(error)))?;
        listeners.extend(resolve(url, &listener)?);
    }
    Ok(listeners)
}

/// All addresses of a host. A name may have some that this machine lacks, such as ::1; not all of them may be missing.
fn resolve(asked: &str, listener: &Listener) -> Result<Vec<Listener>, ServeError> {
    let resolved = listener.resolve().map_err(|cause| ServeError::Resolve {
        address: asked.to_owned(),
        cause,
    })?;
    let (here, missing): (Vec<_>, Vec<_>) = resolved
        .into_iter()
        .partition(|one| one.socket_addr().is_none_or(|address| exists(address.ip())));
    if here.is_empty() {
        // To bind it tells why.
        return Ok(missing);
    }
    for address in missing.iter().filter_map(Listener::socket_addr) {
        warn!("{asked} is also {address}, which this machine does not have: not listening there");
    }
    Ok(here)
}

/// 127.0.0.1 always; ::1 if the machine has it; WebSocket if nobody else has its port.
fn loopback() -> Vec<Listener> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, PORT));
    let mut listeners = vec![Listener::tcp(v4.to_string())];
    if exists(v6.ip()) {
        listeners.push(Listener::tcp(v6.to_string()));
    } else {
        warn!("this machine has no IPv6: not listening on {v6}");
    }
    listeners.extend(websocket());
    listeners
}

fn websocket() -> Option<Listener> {
    let listener = Listener::parse(WEBSOCKET).expect("it is a URL of a listener");
    let address = listener.socket_addr()?;
    match TcpListener::bind(address) {
        Ok(_) => Some(listener),
        Err(cause) => {
            warn!("no WebSocket: cannot listen on {address}: {cause}; say where with --listen URL");
            None
        }
    }
}

/// False if no network interface has this address. A port that is taken shows later.
fn exists(address: IpAddr) -> bool {
    match TcpListener::bind((address, 0)) {
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

    fn addresses(asked: &[&str]) -> Vec<SocketAddr> {
        let asked: Vec<_> = asked.iter().map(ToString::to_string).collect();
        let listeners = listeners(&asked).unwrap();
        listeners.iter().filter_map(Listener::socket_addr).collect()
    }

    #[test]
    fn without_a_wish_only_this_machine_is_served() {
        let addresses = addresses(&[]);
        assert_eq!(addresses[0], "127.0.0.1:1883".parse().unwrap());
        assert!(
            addresses.iter().all(|address| address.ip().is_loopback()),
            "{addresses:?}"
        );
    }

    #[test]
    fn names_and_both_kinds_of_address_are_taken() {
        let addresses = addresses(&["127.0.0.1:0", "mqtt://localhost:7", "[::1]:9"]);
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
        let error = listeners(&["no-such-host.invalid:1883".to_owned()]).unwrap_err();
        assert!(
            error.to_string().contains("no-such-host.invalid:1883"),
            "{error}"
        );
    }
}
