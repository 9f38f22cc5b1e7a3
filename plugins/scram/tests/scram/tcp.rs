//! A client of MQTT 5.0 that writes and reads packets and does nothing by itself.

use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromServer},
    packet::{
        Auth, ClientPacket, Connect, Properties, PropertiesBuf, Property, ServerPacket, Version,
    },
    reason::ReasonCode,
};
use sanderling_scram::METHOD;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A test that waits longer than this for a packet has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    stream: TcpStream,
    decoder: FromServer,
    bytes: Vec<u8>,
}

/// What the broker sent: a reason code, and Authentication Data if it has some.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Received {
    ConnAck(ReasonCode, Option<String>),
    Auth(ReasonCode, Option<String>),
    Disconnect(ReasonCode),
    PingResp,
    Closed,
}

impl Client {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let limits = DecodeLimits {
            first_packet_bytes_max: u32::MAX,
            packet_bytes_max: u32::MAX,
        };
        Self {
            stream,
            decoder: FromServer::new(Version::V5, limits),
            bytes: Vec::new(),
        }
    }

    /// CONNECT, with the method and this data if there is some.
    pub(crate) fn connect(&mut self, data: Option<&str>) {
        let properties = data.map(authentication).unwrap_or_default();
        self.send(&ClientPacket::Connect(Box::new(Connect {
            version: Version::V5,
            client_id: "",
            clean_start: true,
            keep_alive_s: 60,
            username: None,
            password: None,
            will: None,
            properties: properties.as_properties(),
        })));
    }

    pub(crate) fn auth(&mut self, reason: ReasonCode, data: &str) {
        let properties = authentication(data);
        self.send(&ClientPacket::Auth(Auth {
            reason,
            properties: properties.as_properties(),
        }));
    }

    pub(crate) fn ping(&mut self) {
        self.send(&ClientPacket::PingReq);
    }

    fn send(&mut self, packet: &ClientPacket<'_>) {
        let mut bytes = Vec::new();
        packet.encode(Version::V5, &mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next packet, or the end of the connection.
    pub(crate) fn receive(&mut self) -> Received {
        loop {
            if let Decoded::Packet { packet, len } = self.decoder.decode(&self.bytes).unwrap() {
                let received = Received::from(packet);
                self.bytes.drain(..len);
                return received;
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).unwrap() {
                0 => return Received::Closed,
                len => self.bytes.extend_from_slice(&buffer[..len]),
            }
        }
    }

    /// The data of the next packet, which asks the client to go on.
    pub(crate) fn receive_challenge(&mut self) -> String {
        match self.receive() {
            Received::Auth(ReasonCode::CONTINUE_AUTHENTICATION, Some(data)) => data,
            other => panic!("a challenge was expected, not {other:?}"),
        }
    }
}

fn authentication(data: &str) -> PropertiesBuf {
    let mut properties = PropertiesBuf::new();
    for property in [
        Property::AuthenticationMethod(METHOD),
        Property::AuthenticationData(data.as_bytes()),
    ] {
        properties.push(property).unwrap();
    }
    properties
}

impl From<ServerPacket<'_>> for Received {
    fn from(packet: ServerPacket<'_>) -> Self {
        match packet {
            ServerPacket::ConnAck(connack) => {
                Self::ConnAck(connack.reason, data(connack.properties))
            }
            ServerPacket::Auth(auth) => Self::Auth(auth.reason, data(auth.properties)),
            ServerPacket::Disconnect(disconnect) => Self::Disconnect(disconnect.reason),
            ServerPacket::PingResp => Self::PingResp,
            packet => panic!("not expected here: {packet:?}"),
        }
    }
}

fn data(properties: Properties<'_>) -> Option<String> {
    let data = properties.authentication_data()?;
    Some(String::from_utf8(data.into()).unwrap())
}
