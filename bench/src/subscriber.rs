//! A subscriber: scans what comes by length, keeps the books, and acknowledges everything of one read in one write.

use crate::books::Books;
use crate::link::Link;
use crate::packet_ids::PacketIds;
use crate::publisher::disconnected;
use crate::wire::{self, Frame, Version, packet_type};

/// One subscribing client.
pub(crate) struct Subscriber {
    pub(crate) link: Link,
    index: usize,
    version: Version,
    /// QoS 2 messages received and not yet released.
    received: PacketIds,
    /// PUBREL for nothing, or a QoS 2 packet identifier used again too early.
    pub(crate) unexpected: u64,
    /// A PINGREQ is on its way.
    pub(crate) pinged: bool,
}

impl Subscriber {
    pub(crate) fn new(index: usize, link: Link, version: Version) -> Self {
        Self {
            link,
            index,
            version,
            received: PacketIds::new(),
            unexpected: 0,
            pinged: false,
        }
    }

    /// Takes one packet from the broker; answers wait in the link until they are written.
    #[inline]
    pub(crate) fn take(&mut self, frame: Frame<'_>, books: &mut Books) -> Result<(), String> {
        match frame.packet_type() {
            packet_type::PUBLISH => self.take_publish(frame, books),
            packet_type::PUBREL => self.take_pubrel(frame),
            packet_type::PINGRESP => {
                self.pinged = false;
                Ok(())
            }
            packet_type::DISCONNECT => Err(disconnected(frame)),
            other => Err(format!("the broker sent a subscriber packet type {other}")),
        }
    }

    #[inline]
    fn take_publish(&mut self, frame: Frame<'_>, books: &mut Books) -> Result<(), String> {
        let publish = wire::publish(frame, self.version).map_err(|error| error.to_string())?;
        match publish.qos {
            0 => {}
            1 => {
                let id = publish.packet_id;
                self.link
                    .push(&wire::encode_acknowledgement(packet_type::PUBACK, id));
            }
            2 => {
                let id = publish.packet_id;
                self.unexpected += u64::from(!self.received.insert(id));
                self.link
                    .push(&wire::encode_acknowledgement(packet_type::PUBREC, id));
            }
            _ => return Err("a PUBLISH with QoS 3 [MQTT-3.3.1-4]".into()),
        }
        books.delivered(self.index, &publish);
        Ok(())
    }

    fn take_pubrel(&mut self, frame: Frame<'_>) -> Result<(), String> {
        let (id, _) = wire::acknowledgement(frame).map_err(|error| error.to_string())?;
        self.unexpected += u64::from(!self.received.remove(id));
        self.link
            .push(&wire::encode_acknowledgement(packet_type::PUBCOMP, id));
        Ok(())
    }

    /// Asks for a PINGRESP, behind which nothing of the run can come any more.
    pub(crate) fn ping(&mut self) {
        self.pinged = true;
        self.link.push(&wire::PINGREQ);
    }

    /// No QoS 2 exchange is open.
    pub(crate) fn is_settled(&self) -> bool {
        self.received.len() == 0
    }
}
