//! From options to a network connection and a CONNECT.

use super::{
    ClientError,
    link::{self, Link, WebSocket},
    socket::Socket,
    target::{Place, Target},
};
use crate::args::{ConnectArgs, TlsArgs};
use sanderling_core::{
    packet::{Properties, Version, Will},
    topic::TopicName,
};
use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::{TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    time::Duration,
};

/// For the network connection, and then for CONNACK.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// For the server to take what is sent.
const WRITE_DEADLINE: Duration = Duration::from_secs(60);

/// Refuses options that do not go together in the version that was chosen.
pub(super) fn check(args: &ConnectArgs, target: &Target) -> Result<(), ClientError> {
    if args.protocol_version != Version::V5 {
        if args.session_expiry_interval.is_some() {
            return Err(ClientError::Usage(
                "-x needs -V mqttv5: older versions know no expiry".to_owned(),
            ));
        }
        if target.password.is_some() && target.username.is_none() {
            return Err(ClientError::Usage(
                "-P needs -u before mqttv5: a password alone cannot be sent [MQTT-3.1.2-22]"
                    .to_owned(),
            ));
        }
    }
    Ok(())
}

pub(super) fn connect(target: &Target) -> Result<Socket, ClientError> {
    let socket = match &target.place {
        Place::Tcp(host, port) => Socket::Tcp(tcp(target, host, *port)?),
        Place::Unix(path) => {
            let stream = UnixStream::connect(path);
            Socket::Unix(stream.map_err(|cause| ClientError::Connect {
                peer: target.peer(),
                cause,
                advice: "start a broker that listens there, or name another socket",
            })?)
        }
    };
    socket
        .set_write_deadline(WRITE_DEADLINE)
        .map_err(ClientError::System)?;
    Ok(socket)
}

/// Tries every address of the host in turn; the last failure counts.
fn tcp(target: &Target, host: &str, port: u16) -> Result<TcpStream, ClientError> {
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|cause| ClientError::Resolve {
            host: host.to_owned(),
            cause,
        })?;
    let mut cause = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_DEADLINE) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(ClientError::System)?;
                return Ok(stream);
            }
            Err(error) => cause = error,
        }
    }
    Err(ClientError::Connect {
        peer: target.peer(),
        cause,
        advice: "start a broker there (\"sanderling\"), or name another with -h and -p",
    })
}

/// The layers that are spoken there, not begun yet.
pub(super) fn link(target: &Target, tls: &TlsArgs) -> Result<Link, ClientError> {
    let secured = match &target.place {
        Place::Tcp(host, _) if target.has_tls => Some(link::tls_client(tls, host)?),
        _ => None,
    };
    let websocket = target.websocket_url().map(|url| WebSocket::new(&url));
    Ok(Link::new(
        secured,
        websocket.transpose().map_err(ClientError::Usage)?,
    ))
}

/// Short enough for the 23 bytes of 3.1.
pub(super) fn random_client_id() -> String {
    format!(
        "sanderling-{:08x}",
        RandomState::new().hash_one(std::process::id()) as u32
    )
}

/// What is asked for; a session that is to be kept is kept for ever if nothing is.
pub(super) fn session_expiry_s(args: &ConnectArgs, clean_start: bool) -> Option<u32> {
    let asked = args.session_expiry_interval;
    match args.protocol_version {
        Version::V5 => asked.or((!clean_start).then_some(u32::MAX)),
        Version::V31 | Version::V311 => None,
    }
}

pub(super) fn will(args: &ConnectArgs) -> Result<Option<Will<'_>>, ClientError> {
    let args = &args.will;
    let Some(topic) = &args.will_topic else {
        return Ok(None);
    };
    Ok(Some(Will {
        topic: TopicName::parse(topic)
            .map_err(|_| ClientError::Usage("--will-topic is wrong".to_owned()))?,
        payload: args.will_payload.as_deref().unwrap_or_default().as_bytes(),
        qos: args.will_qos.unwrap_or_default(),
        retain: args.will_retain,
        properties: Properties::EMPTY,
    }))
}
