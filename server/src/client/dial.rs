//! From options to a network connection and a CONNECT.

use super::ClientError;
use crate::args::ConnectArgs;
use sanderling_core::{
    packet::{Properties, Version, Will},
    topic::TopicName,
};
use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// For the network connection, and then for CONNACK.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// For the server to take what is sent.
const WRITE_DEADLINE: Duration = Duration::from_secs(60);

/// Refuses options that do not go together in the version that was chosen.
pub(super) fn check(args: &ConnectArgs) -> Result<(), ClientError> {
    if args.protocol_version != Version::V5 {
        if args.session_expiry_interval.is_some() {
            return Err(ClientError::Usage(
                "-x needs -V mqttv5: older versions know no expiry",
            ));
        }
        if args.password.is_some() && args.username.is_none() {
            return Err(ClientError::Usage(
                "-P needs -u before mqttv5: a password alone cannot be sent [MQTT-3.1.2-22]",
            ));
        }
    }
    Ok(())
}

pub(super) fn peer(args: &ConnectArgs) -> String {
    let ConnectArgs { host, port, .. } = args;
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Tries every address of the host in turn; the last failure counts.
pub(super) fn connect(args: &ConnectArgs, peer: &str) -> Result<TcpStream, ClientError> {
    let resolved = (args.host.as_str(), args.port).to_socket_addrs();
    let addresses = resolved.map_err(|cause| ClientError::Resolve {
        host: args.host.clone(),
        cause,
    })?;
    let mut cause = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_DEADLINE) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(ClientError::System)?;
                let deadline = Some(WRITE_DEADLINE);
                stream
                    .set_write_timeout(deadline)
                    .map_err(ClientError::System)?;
                return Ok(stream);
            }
            Err(error) => cause = error,
        }
    }
    let peer = peer.to_owned();
    Err(ClientError::Connect { peer, cause })
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
        topic: TopicName::parse(topic).map_err(|_| ClientError::Usage("--will-topic is wrong"))?,
        payload: args.will_payload.as_deref().unwrap_or_default().as_bytes(),
        qos: args.will_qos.unwrap_or_default(),
        retain: args.will_retain,
        properties: Properties::EMPTY,
    }))
}
