//! The layer on top: plain bytes in, control packets out.
//!
//! No matter how the bytes are split, the packets are the same (I60). A packet that arrives whole is decoded where the
//! driver read it; only what is left of an incomplete one is copied, and an idle connection owns no buffer.

use sanderling_core::{
    codec::{Acks, DecodeError, DecodeLimits, Decoded, FromClient, Run},
    config::Limits,
    packet::ClientPacket,
};

/// The receiving side of one connection.
#[derive(Debug)]
pub struct Packets {
    mqtt: FromClient,
    /// What could not be handed out yet, if there is anything.
    leftover: Option<Box<Leftover>>,
}

/// The beginning of a packet, or what came after a connection was held.
#[derive(Debug, Default)]
struct Leftover {
    bytes: Vec<u8>,
    /// How many of them are done with.
    start: usize,
    /// Bytes from `start` on that must be there before decoding is worth another try.
    need: usize,
}

/// A packet and its length on the wire, or why there is none.
pub type Received<'a> = Result<(ClientPacket<'a>, u32), DecodeError>;

impl Packets {
    /// For a new connection.
    pub fn new(limits: &Limits) -> Self {
        Self {
            mqtt: FromClient::new(DecodeLimits {
                first_packet_bytes_max: limits.connect_packet_bytes_max,
                packet_bytes_max: limits.packet_bytes_max,
            }),
            leftover: None,
        }
    }

    /// Hands the next packet of what is left over and `input` to `take`, and advances `input` past it.
    ///
    /// None if there is no complete packet; `input` is empty then. After an error nothing more may be asked.
    pub fn next<R>(
        &mut self,
        input: &mut &[u8],
        take: impl FnOnce(Received<'_>) -> R,
    ) -> Option<R> {
        if self.leftover.is_none() {
            if input.is_empty() {
                return None;
            }
            match self.mqtt.decode_lending(input) {
                Ok(Decoded::Packet { packet, len }) => {
                    *input = &input[len..];
                    return Some(take(Ok((packet, len as u32))));
                }
                Ok(Decoded::Need(need)) => {
                    self.leftover = Some(Box::new(Leftover {
                        bytes: core::mem::take(input).to_vec(),
                        start: 0,
                        need,
                    }));
                    return None;
                }
                Err(error) => return Some(take(Err(error))),
            }
        }
        self.next_of_leftover(input, take)
    }

    /// Hands the run that `input` begins with to `take`, and advances `input` past it. None if there is none, which says
    /// nothing of packets.
    #[inline]
    pub fn next_run<R>(&mut self, input: &mut &[u8], take: impl FnOnce(Run<'_>) -> R) -> Option<R> {
        if self.leftover.is_some() {
            return None;
        }
        let run = self.mqtt.run(input)?;
        *input = input.get(run.bytes().len()..).unwrap_or_default();
        Some(take(run))
    }

    /// The same for acknowledgements in a row.
    #[inline]
    pub fn next_acks<R>(
        &mut self,
        input: &mut &[u8],
        take: impl FnOnce(Acks<'_>) -> R,
    ) -> Option<R> {
        if self.leftover.is_some() {
            return None;
        }
        let acks = self.mqtt.acks(input)?;
        *input = input.get(acks.bytes().len()..).unwrap_or_default();
        Some(take(acks))
    }

    fn next_of_leftover<R>(
        &mut self,
        input: &mut &[u8],
        take: impl FnOnce(Received<'_>) -> R,
    ) -> Option<R> {
        loop {
            let leftover = self.leftover.as_deref_mut()?;
            let missing = leftover.need.saturating_sub(leftover.len());
            let (now, later) = input.split_at(missing.min(input.len()));
            leftover.bytes.extend_from_slice(now);
            *input = later;
            if now.len() < missing {
                return None;
            }
            match self.mqtt.decode_lending(&leftover.bytes[leftover.start..]) {
                Ok(Decoded::Packet { packet, len }) => {
                    let result = take(Ok((packet, len as u32)));
                    leftover.need = 0;
                    leftover.start += len;
                    if leftover.len() == 0 {
                        self.leftover = None;
                    }
                    return Some(result);
                }
                Ok(Decoded::Need(need)) => {
                    leftover.need = need;
                    // What is done with need not be carried along while the rest of a packet comes.
                    leftover.bytes.drain(..leftover.start);
                    leftover.start = 0;
                    if input.is_empty() {
                        return None;
                    }
                }
                Err(error) => return Some(take(Err(error))),
            }
        }
    }

    /// Keeps bytes for later: the connection was held in the middle of what was read.
    pub fn stash(&mut self, input: &[u8]) {
        if !input.is_empty() {
            let leftover = self.leftover.get_or_insert_default();
            leftover.bytes.extend_from_slice(input);
        }
    }

    /// Forgets what waits: nothing more is decoded.
    pub fn clear(&mut self) {
        self.leftover = None;
    }

    /// Bytes that wait in here.
    pub fn leftover_bytes(&self) -> usize {
        self.leftover.as_deref().map_or(0, Leftover::len)
    }
}

impl Leftover {
    /// How many bytes are not done with.
    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sanderling_core::packet::{Connect, PacketId, Properties, Publish, QoS, Version};

    fn stream(sizes: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let connect = Connect {
            version: Version::V311,
            client_id: "c",
            clean_start: true,
            keep_alive_s: 0,
            username: None,
            password: None,
            will: None,
            properties: Properties::EMPTY,
        };
        let mut put = |packet: ClientPacket<'_>| packet.encode(Version::V311, &mut bytes).unwrap();
        put(ClientPacket::Connect(Box::new(connect)));
        for &size in sizes {
            put(ClientPacket::Publish(Publish {
                topic: "t",
                payload: &vec![b'x'; size],
                qos: QoS::AtLeastOnce,
                retain: false,
                dup: false,
                packet_id: PacketId::new(1),
                properties: Properties::EMPTY,
            }));
            put(ClientPacket::PingReq);
        }
        bytes
    }

    fn packets(bytes: &[u8], splits: &[usize], hold_every: usize) -> Vec<String> {
        let mut decoder = Packets::new(&Limits::default());
        let mut packets = Vec::new();
        let mut rest = bytes;
        let mut splits = splits.iter().cycle();
        while !rest.is_empty() {
            let at = (*splits.next().unwrap()).clamp(1, rest.len());
            let (mut input, later) = rest.split_at(at);
            rest = later;
            let print = |received: Received<'_>| format!("{:?}", received.unwrap());
            while let Some(packet) = decoder.next(&mut input, print) {
                packets.push(packet);
                if packets.len().is_multiple_of(hold_every) {
                    decoder.stash(core::mem::take(&mut input));
                }
            }
        }
        assert!(
            decoder.leftover.is_none(),
            "an idle connection owns no buffer"
        );
        packets
    }

    proptest! {
        #[test]
        fn i60_any_split_gives_the_same_packets(
            sizes in prop::collection::vec(0usize..400, 1..8),
            splits in prop::collection::vec(1usize..300, 1..20),
            hold_every in 1usize..5,
        ) {
            let bytes = stream(&sizes);
            let whole = packets(&bytes, &[bytes.len()], usize::MAX);
            prop_assert_eq!(whole.len(), 1 + 2 * sizes.len());
            prop_assert_eq!(packets(&bytes, &splits, hold_every), whole);
        }
    }
}
