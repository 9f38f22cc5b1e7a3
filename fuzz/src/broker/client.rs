//! A client and its connection, as far as needed to tell what it may get:
//! - nothing after the `Close` order, and CONNACK before all else;
//! - well-formed packets, none longer than it takes;
//! - answers to what it sent and to nothing else;
//! - no packet identifier that it still uses, no more messages than its Receive Maximum, no unknown topic alias.

use super::packets;
use sanderling_core::{
    codec::{DecodeError, DecodeLimits, Decoded, FromClient, FromServer},
    packet::{Ack, ClientPacket, PacketId, PacketType, Publish, QoS, ServerPacket, Version},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const LIMITS: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: u32::MAX,
    packet_bytes_max: u32::MAX,
};

pub(super) struct Client {
    /// How the driver reads what the client sends.
    from_client: FromClient,
    /// Since its CONNECT.
    session: Option<Session>,
    is_closing: bool,
    is_held: bool,
    unflushed: u32,
}

struct Session {
    version: Version,
    from_server: FromServer,
    receive_maximum: usize,
    packet_bytes_max: usize,
    topic_alias_maximum: u16,
    topic_aliases: BTreeSet<u16>,
    /// Answers that the client waits for, and how often.
    awaited: BTreeMap<(PacketType, Option<PacketId>), u32>,
    /// QoS 1 and 2 messages that the client has not completed.
    in_use: BTreeSet<PacketId>,
    /// Answers that the client owes, oldest first.
    owed: VecDeque<ClientPacket<'static>>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            from_client: FromClient::new(LIMITS),
            session: None,
            is_closing: false,
            is_held: false,
            unflushed: 0,
        }
    }
}

impl Client {
    pub(super) fn version(&self) -> Option<Version> {
        self.session.as_ref().map(|session| session.version)
    }

    /// Whether the driver may read from it.
    pub(super) fn is_read(&self) -> bool {
        !self.is_held
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing
    }

    pub(super) fn hold(&mut self) {
        self.is_held = true;
    }

    pub(super) fn resume(&mut self) {
        assert!(self.is_held, "a connection is resumed that was not held");
        self.is_held = false;
    }

    pub(super) fn close(&mut self) {
        assert!(!self.is_closing, "a connection is closed twice");
        self.is_closing = true;
    }

    pub(super) fn take_unflushed(&mut self) -> u32 {
        std::mem::take(&mut self.unflushed)
    }

    pub(super) fn unflushed(&self) -> u32 {
        self.unflushed
    }

    /// The client sends these bytes, and the driver decodes them.
    pub(super) fn sends<'a>(
        &mut self,
        bytes: &'a [u8],
    ) -> Result<Decoded<ClientPacket<'a>>, DecodeError> {
        let decoded = self.from_client.decode(bytes)?;
        if let Decoded::Packet { packet, .. } = &decoded {
            match (packet, &mut self.session) {
                (ClientPacket::Connect(_), None) => self.session = Some(Session::new(packet)),
                (_, Some(session)) => session.sent(packet),
                _ => {}
            }
        }
        Ok(decoded)
    }

    /// The oldest answer that the client owes, as bytes.
    pub(super) fn acknowledgement(&mut self) -> Option<Vec<u8>> {
        let session = self.session.as_mut()?;
        let packet = session.owed.pop_front()?;
        Some(packets::encoded(&packet, session.version))
    }

    /// The broker sends these bytes.
    pub(super) fn receives(&mut self, mut bytes: &[u8]) {
        assert!(!self.is_closing, "bytes follow the order to close");
        self.unflushed += bytes.len() as u32;
        // Without a CONNECT there is no version to read the refusal with.
        let Some(session) = &mut self.session else {
            return;
        };
        while !bytes.is_empty() {
            match session.from_server.decode(bytes) {
                Ok(Decoded::Packet { packet, len }) => {
                    assert!(
                        len <= session.packet_bytes_max,
                        "{len} bytes are too many: {packet:?}"
                    );
                    session.received(&packet);
                    bytes = &bytes[len..];
                }
                other => panic!("the broker sent {bytes:?}: {other:?}"),
            }
        }
    }
}

impl Session {
    fn new(packet: &ClientPacket<'_>) -> Self {
        let ClientPacket::Connect(connect) = packet else {
            panic!("the codec insists on CONNECT");
        };
        let properties = connect.properties;
        let maximum = properties
            .receive_maximum()
            .filter(|_| connect.version == Version::V5);
        Self {
            version: connect.version,
            from_server: FromServer::new(connect.version, LIMITS),
            receive_maximum: maximum.unwrap_or(u16::MAX).into(),
            packet_bytes_max: properties.maximum_packet_size().unwrap_or(u32::MAX) as usize,
            topic_alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
            topic_aliases: BTreeSet::new(),
            awaited: BTreeMap::from([((PacketType::ConnAck, None), 1)]),
            in_use: BTreeSet::new(),
            owed: VecDeque::new(),
        }
    }

    fn sent(&mut self, packet: &ClientPacket<'_>) {
        let answer = match packet {
            ClientPacket::Publish(publish) => match publish.qos {
                QoS::AtMostOnce => return,
                QoS::AtLeastOnce => (PacketType::PubAck, publish.packet_id),
                QoS::ExactlyOnce => (PacketType::PubRec, publish.packet_id),
            },
            ClientPacket::PubRel(ack) => (PacketType::PubComp, Some(ack.packet_id)),
            ClientPacket::Subscribe(subscribe) => (PacketType::SubAck, Some(subscribe.packet_id)),
            ClientPacket::Unsubscribe(unsubscribe) => {
                (PacketType::UnsubAck, Some(unsubscribe.packet_id))
            }
            ClientPacket::PingReq => (PacketType::PingResp, None),
            ClientPacket::PubAck(ack) | ClientPacket::PubComp(ack) => {
                self.in_use.remove(&ack.packet_id);
                return;
            }
            ClientPacket::PubRec(ack) => {
                if ack.reason.is_error() {
                    self.in_use.remove(&ack.packet_id);
                }
                // A PUBREL is due for it, or, unless the message is known, for nothing.
                (PacketType::PubRel, Some(ack.packet_id))
            }
            _ => return,
        };
        *self.awaited.entry(answer).or_default() += 1;
    }

    fn received(&mut self, packet: &ServerPacket<'_>) {
        match packet {
            ServerPacket::Publish(publish) => self.delivered(publish),
            ServerPacket::ConnAck(_) => self.answered(PacketType::ConnAck, None),
            ServerPacket::PubAck(ack) => self.answered(PacketType::PubAck, Some(ack.packet_id)),
            ServerPacket::PubRec(ack) => {
                self.answered(PacketType::PubRec, Some(ack.packet_id));
                if !ack.reason.is_error() {
                    self.owed
                        .push_back(ClientPacket::PubRel(Ack::success(ack.packet_id)));
                }
            }
            // Also for messages that an earlier connection received.
            ServerPacket::PubRel(ack) => {
                self.owed
                    .push_back(ClientPacket::PubComp(Ack::success(ack.packet_id)));
            }
            ServerPacket::PubComp(ack) => self.answered(PacketType::PubComp, Some(ack.packet_id)),
            ServerPacket::SubAck(ack) => self.answered(PacketType::SubAck, Some(ack.packet_id)),
            ServerPacket::UnsubAck(ack) => self.answered(PacketType::UnsubAck, Some(ack.packet_id)),
            ServerPacket::PingResp => self.answered(PacketType::PingResp, None),
            ServerPacket::Disconnect(_) => {
                assert_eq!(
                    self.version,
                    Version::V5,
                    "older servers send no DISCONNECT"
                );
            }
            ServerPacket::Auth(_) => panic!("AUTH without a hook"),
        }
    }

    fn answered(&mut self, packet: PacketType, id: Option<PacketId>) {
        let awaited = self
            .awaited
            .get_mut(&(packet, id))
            .filter(|count| **count > 0);
        let Some(count) = awaited else {
            panic!("{packet} {id:?} answers nothing");
        };
        *count -= 1;
    }

    fn delivered(&mut self, publish: &Publish<'_>) {
        if let Some(alias) = publish.properties.topic_alias() {
            assert!(alias <= self.topic_alias_maximum, "topic alias {alias}");
            assert!(!publish.topic.is_empty() || self.topic_aliases.contains(&alias));
            self.topic_aliases.insert(alias);
        }
        let Some(id) = publish.packet_id else { return };
        let is_new = self.in_use.insert(id);
        assert!(is_new || publish.dup, "packet identifier {id} is in use");
        assert!(
            self.in_use.len() <= self.receive_maximum,
            "the Receive Maximum is exceeded"
        );
        self.owed.push_back(match publish.qos {
            QoS::ExactlyOnce => ClientPacket::PubRec(Ack::success(id)),
            _ => ClientPacket::PubAck(Ack::success(id)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sanderling_core::packet::{Connect, Properties};

    const CONNACK: &[u8] = &[0x20, 2, 0, 0];

    fn connected() -> Client {
        let mut client = Client::default();
        let connect = ClientPacket::Connect(Box::new(Connect {
            version: Version::V311,
            client_id: "a",
            clean_start: true,
            keep_alive_s: 0,
            username: None,
            password: None,
            will: None,
            properties: Properties::EMPTY,
        }));
        let bytes = packets::encoded(&connect, Version::V311);
        assert!(matches!(client.sends(&bytes), Ok(Decoded::Packet { .. })));
        client.receives(CONNACK);
        client
    }

    #[test]
    fn a_client_answers_what_it_gets() {
        let mut client = connected();
        client.receives(&[0x32, 5, 0, 1, b'a', 0, 9]);
        assert_eq!(client.acknowledgement(), Some(vec![0x40, 2, 0, 9]));
        assert_eq!(client.acknowledgement(), None);
        assert_eq!(client.take_unflushed(), 11);
    }

    #[test]
    #[should_panic(expected = "packet identifier 9 is in use")]
    fn a_packet_identifier_in_use_is_seen() {
        let mut client = connected();
        client.receives(&[0x32, 5, 0, 1, b'a', 0, 9]);
        client.receives(&[0x34, 5, 0, 1, b'b', 0, 9]);
    }

    #[test]
    #[should_panic(expected = "SUBACK Some(PacketId(1)) answers nothing")]
    fn an_answer_to_nothing_is_seen() {
        connected().receives(&[0x90, 3, 0, 1, 0]);
    }

    #[test]
    #[should_panic(expected = "CONNACK None answers nothing")]
    fn a_second_connack_is_seen() {
        connected().receives(CONNACK);
    }

    #[test]
    #[should_panic(expected = "bytes follow the order to close")]
    fn bytes_after_the_end_are_seen() {
        let mut client = connected();
        client.close();
        client.receives(&[0xD0, 0]);
    }

    #[test]
    #[should_panic(expected = "the broker sent")]
    fn half_a_packet_is_seen() {
        connected().receives(&[0xD0]);
    }
}
