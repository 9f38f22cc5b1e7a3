//! QoS 1 and 2 messages to the client that await their acknowledgement, and their packet identifiers.
//!
//! ```text
//! begin -> in flight --PUBACK-> done                  (QoS 1)
//!                    --PUBREC-> releasing --PUBCOMP-> done   (QoS 2)
//! ```
//! A session that ends with its connection sends nothing twice, so it keeps no messages here, only identifiers.

use super::{queue::Queued, rare::Rare};
use crate::{
    packet::{PacketId, QoS, Version},
    time::Instant,
};
use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

/// How much may be in flight at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Window {
    /// Messages that await their acknowledgement.
    pub(crate) inflight_max: u16,
    /// Before 5.0: messages that await PUBCOMP.
    pub(crate) releasing_max: u16,
}

/// The two lists, in the order of sending. Acknowledgements come in that order too, so look-ups end early.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    inflight: VecDeque<Inflight>,
    /// What the messages kept in `inflight` count for.
    bytes: u64,
    /// Await PUBCOMP, each since the last PUBREL. [MQTT-4.3.3-5]
    releasing: Rare<VecDeque<(PacketId, Instant)>>,
    /// The first of `inflight` that was not sent on this connection yet; all before it were.
    unsent_from: u32,
    last: Option<PacketId>,
    /// Identifiers after `last` that are known to be free: no search is needed so long.
    free_run: u16,
    /// Copies of QoS 1 and 2 that were handed to connections.
    sent: [u32; 2],
}

#[derive(Debug)]
struct Inflight {
    packet_id: PacketId,
    qos: QoS,
    /// When it was sent last.
    sent: Instant,
    /// None in a session that ends with its connection and sends nothing twice.
    kept: Option<Queued>,
}

/// A message to be sent again, with DUP and the identifier it had.
#[derive(Debug)]
pub(crate) struct Resend {
    pub(crate) packet_id: PacketId,
    pub(crate) queued: Queued,
}

impl Outbound {
    /// How many more messages may be sent. [MQTT-3.3.4-9]
    ///
    /// In 5.0 a QoS 2 message occupies the window until PUBCOMP [MQTT 5.0, 4.9]; before, until PUBREC.
    pub(crate) fn room(&self, version: Version, window: Window) -> usize {
        let releasing = self.releasing_len();
        let free = usize::from(u16::MAX).saturating_sub(self.inflight.len() + releasing);
        let occupied = if version == Version::V5 {
            self.unsent_from as usize + releasing
        } else if releasing >= usize::from(window.releasing_max) {
            return 0;
        } else {
            self.unsent_from as usize
        };
        free.min(usize::from(window.inflight_max).saturating_sub(occupied))
    }

    /// True while messages of an earlier connection wait to be sent again.
    pub(crate) fn owes_resend(&self) -> bool {
        (self.unsent_from as usize) < self.inflight.len()
    }

    /// Takes an identifier for a new message. None if all 65,535 are in use.
    pub(crate) fn begin(
        &mut self,
        qos: QoS,
        kept: Option<Queued>,
        now: Instant,
    ) -> Option<PacketId> {
        debug_assert!(
            !self.owes_resend(),
            "S4: what was in flight goes out before anything new"
        );
        let packet_id = self.next_free()?;
        self.bytes += kept_bytes(kept.as_ref());
        self.inflight.push_back(Inflight {
            packet_id,
            qos,
            sent: now,
            kept,
        });
        self.unsent_from += 1;
        Some(packet_id)
    }

    /// Copies were handed to the connection.
    pub(crate) fn count(&mut self, qos: QoS, copies: u32) {
        let sent = match qos {
            QoS::AtMostOnce => return,
            QoS::AtLeastOnce => &mut self.sent[0],
            QoS::ExactlyOnce => &mut self.sent[1],
        };
        *sent = sent.saturating_add(copies);
    }

    /// The copies that were handed to connections, by QoS.
    pub(crate) fn sent(&self) -> [u32; 3] {
        [0, self.sent[0], self.sent[1]]
    }

    /// The same, and counts from 0 on.
    pub(crate) fn take_sent(&mut self) -> [u32; 3] {
        let sent = self.sent();
        self.sent = [0; 2];
        sent
    }

    /// The messages in flight that are kept, with their identifiers.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (PacketId, &Queued)> {
        self.kept_from(0)
    }

    /// The same without those up to the one with this identifier; all if that is not in flight any more.
    pub(crate) fn kept_after(
        &self,
        packet_id: PacketId,
    ) -> impl Iterator<Item = (PacketId, &Queued)> {
        let mut inflight = self.inflight.iter();
        let last = inflight.position(|entry| entry.packet_id == packet_id);
        self.kept_from(last.map_or(0, |last| last + 1))
    }

    fn kept_from(&self, from: usize) -> impl Iterator<Item = (PacketId, &Queued)> {
        let inflight = self.inflight.range(from..);
        inflight.filter_map(|entry| Some((entry.packet_id, entry.kept.as_ref()?)))
    }

    /// How many await PUBCOMP.
    pub(crate) fn releasing_len(&self) -> usize {
        self.releasing.get().map_or(0, VecDeque::len)
    }

    /// The message with this identifier that awaits PUBACK or PUBREC, if it is kept.
    pub(crate) fn find(&self, packet_id: PacketId, qos: QoS) -> Option<&Queued> {
        let mut inflight = self.inflight.iter();
        let entry = inflight.find(|entry| entry.packet_id == packet_id && entry.qos == qos)?;
        entry.kept.as_ref()
    }

    /// PUBACK: ends a QoS 1 message. False if there is none with this identifier.
    pub(crate) fn acknowledge(&mut self, packet_id: PacketId) -> bool {
        self.remove(packet_id, QoS::AtLeastOnce).is_some()
    }

    /// PUBREC: the message is delivered and its release begins. False if no message with this identifier awaits it.
    pub(crate) fn receive(&mut self, packet_id: PacketId, now: Instant) -> bool {
        if self.remove(packet_id, QoS::ExactlyOnce).is_some() {
            self.releasing.make().push_back((packet_id, now));
            return true;
        }
        self.releasing().any(|id| id == packet_id)
    }

    /// PUBREC with an error: the exchange ends. [MQTT-4.4.0-2]
    pub(crate) fn reject(&mut self, packet_id: PacketId) -> bool {
        self.remove(packet_id, QoS::ExactlyOnce).is_some()
    }

    /// PUBCOMP: frees the identifier.
    pub(crate) fn complete(&mut self, packet_id: PacketId) -> bool {
        let at = self.releasing().position(|id| id == packet_id);
        let releasing = self.releasing.get_mut();
        let removed = at.zip(releasing).and_then(|(at, all)| all.remove(at));
        removed.is_some()
    }

    /// The next message of an earlier connection; it counts as sent from now on.
    pub(crate) fn next_resend(&mut self, now: Instant) -> Option<Resend> {
        let Inflight {
            packet_id,
            sent,
            kept,
            ..
        } = self.inflight.get_mut(self.unsent_from as usize)?;
        *sent = now;
        let resend = kept.clone().map(|queued| Resend {
            packet_id: *packet_id,
            queued,
        });
        debug_assert!(
            resend.is_some(),
            "a session that outlives its connection keeps messages"
        );
        self.unsent_from += 1;
        resend
    }

    /// Forgets the message that [`next_resend`](Self::next_resend) just gave out: it will not be sent. [MQTT-3.1.2-25]
    pub(crate) fn skip_resend(&mut self) {
        self.unsent_from -= 1;
        if let Some(skipped) = self.inflight.remove(self.unsent_from as usize) {
            self.bytes -= kept_bytes(skipped.kept.as_ref());
        }
    }

    /// The identifiers that await PUBCOMP, in order.
    pub(crate) fn releasing(&self) -> impl Iterator<Item = PacketId> + '_ {
        let releasing = self.releasing.get().into_iter().flatten();
        releasing.map(|&(id, _)| id)
    }

    /// Frees the identifiers that have waited longest, until no more than `max` wait.
    pub(crate) fn evict_releasing(&mut self, max: u16) {
        if let Some(releasing) = self.releasing.get_mut() {
            let evicted = releasing.len().saturating_sub(usize::from(max));
            releasing.drain(..evicted);
        }
    }

    /// The connection has ended: nothing counts as sent any more.
    pub(crate) fn disconnected(&mut self) {
        self.unsent_from = 0;
    }

    /// The messages that were sent `age` ago or earlier; they count as sent again. Only before 5.0.
    pub(crate) fn overdue_messages(&mut self, now: Instant, age: Duration) -> Vec<Resend> {
        let overdue = |sent: Instant| sent + age <= now;
        let sent = self.inflight.iter_mut().take(self.unsent_from as usize);
        sent.filter(|entry| overdue(entry.sent))
            .filter_map(|entry| {
                entry.sent = now;
                let queued = entry.kept.clone()?;
                Some(Resend {
                    packet_id: entry.packet_id,
                    queued,
                })
            })
            .collect()
    }

    /// The identifiers whose PUBREL was sent `age` ago or earlier; it counts as sent again. Only before 5.0.
    pub(crate) fn overdue_releases(&mut self, now: Instant, age: Duration) -> Vec<PacketId> {
        let releasing = self.releasing.get_mut().into_iter().flatten();
        let overdue = releasing.filter(|(_, sent)| *sent + age <= now);
        overdue
            .map(|(id, sent)| {
                *sent = now;
                *id
            })
            .collect()
    }

    /// What the messages in flight count for that are kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many messages are in flight.
    pub(crate) fn inflight(&self) -> usize {
        self.inflight.len()
    }

    /// The messages in flight that were sent to groups, as far as they are kept. The session has ended.
    pub(crate) fn take_shared(&mut self) -> impl Iterator<Item = Queued> + use<> {
        let inflight = core::mem::take(&mut self.inflight);
        self.bytes = 0;
        inflight
            .into_iter()
            .filter_map(|entry| entry.kept)
            .filter(|queued| queued.shared != 0)
    }

    /// True if nothing awaits anything.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.inflight.is_empty() && self.releasing_len() == 0
    }

    fn remove(&mut self, packet_id: PacketId, qos: QoS) -> Option<Inflight> {
        let at = self
            .inflight
            .iter()
            .position(|entry| entry.packet_id == packet_id)?;
        if self.inflight[at].qos != qos {
            return None;
        }
        if at < self.unsent_from as usize {
            self.unsent_from -= 1;
        }
        let removed = self.inflight.remove(at)?;
        self.bytes -= kept_bytes(removed.kept.as_ref());
        Some(removed)
    }

    fn next_free(&mut self) -> Option<PacketId> {
        if self.free_run == 0 {
            self.find_free_run()?;
        }
        let next = self.last.map_or(PacketId::MIN, PacketId::next);
        self.free_run -= 1;
        self.last = Some(next);
        Some(next)
    }

    /// Moves `last` so that the identifier after it is free, and counts how many after it are.
    fn find_free_run(&mut self) -> Option<()> {
        const ALL: u32 = u16::MAX as u32;
        let start = self.last.map_or(PacketId::MIN, PacketId::next);
        let distance = |id: PacketId| (u32::from(id.get()) + ALL - u32::from(start.get())) % ALL;
        let mut used: Vec<u32> = self
            .inflight
            .iter()
            .map(|entry| entry.packet_id)
            .chain(self.releasing())
            .map(distance)
            .collect();
        used.sort_unstable();
        let skipped = used
            .iter()
            .zip(0u32..)
            .take_while(|&(&at, expected)| at == expected)
            .count();
        let end = used.get(skipped).copied().unwrap_or(ALL);
        let run = end - u32::try_from(skipped).ok()?;
        if run == 0 {
            return None;
        }
        let before =
            (u32::from(start.get()) - 1 + u32::try_from(skipped).ok()? + ALL - 1) % ALL + 1;
        self.last = PacketId::new(u16::try_from(before).ok()?);
        self.free_run = u16::try_from(run).unwrap_or(u16::MAX);
        Some(())
    }
}

fn kept_bytes(kept: Option<&Queued>) -> u64 {
    kept.map_or(0, |queued| queued.message.cost_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::ORIGIN;
    const WINDOW: Window = Window {
        inflight_max: 2,
        releasing_max: 1,
    };

    #[test]
    fn s12_identifiers_wrap_past_those_in_use_and_are_never_0() {
        let mut outbound = Outbound::default();
        let first = begin(&mut outbound, QoS::AtLeastOnce);
        let second = begin(&mut outbound, QoS::ExactlyOnce);
        assert!(outbound.receive(second, NOW));
        assert_eq!((first.get(), second.get()), (1, 2));
        for expected in 3..=u16::MAX {
            let id = begin(&mut outbound, QoS::AtLeastOnce);
            assert_eq!(id.get(), expected);
            assert!(outbound.acknowledge(id));
        }
        assert_eq!(
            begin(&mut outbound, QoS::AtLeastOnce).get(),
            3,
            "1 and 2 are still in use"
        );
    }

    #[test]
    fn s12_when_all_identifiers_are_in_use_there_is_none() {
        let mut outbound = Outbound::default();
        for _ in 1..=u16::MAX {
            begin(&mut outbound, QoS::ExactlyOnce);
        }
        assert_eq!(outbound.begin(QoS::AtLeastOnce, None, NOW), None);
        assert!(outbound.receive(PacketId::new(40_000).unwrap(), NOW));
        assert_eq!(outbound.begin(QoS::AtLeastOnce, None, NOW), None);
        assert!(outbound.complete(PacketId::new(40_000).unwrap()));
        assert_eq!(begin(&mut outbound, QoS::AtLeastOnce).get(), 40_000);
    }

    #[test]
    fn f2_acknowledgements_match_by_type() {
        let mut outbound = Outbound::default();
        let one = begin(&mut outbound, QoS::AtLeastOnce);
        let two = begin(&mut outbound, QoS::ExactlyOnce);
        assert!(!outbound.receive(one, NOW));
        assert!(!outbound.acknowledge(two));
        assert!(!outbound.complete(two));
        assert!(outbound.acknowledge(one));
        assert!(outbound.receive(two, NOW));
        assert!(outbound.receive(two, NOW), "F3: a repeated PUBREC is known");
        assert!(outbound.complete(two));
        assert!(outbound.is_empty());
    }

    #[test]
    fn the_window_of_5_0_reopens_at_pubcomp_the_older_at_pubrec() {
        let mut outbound = Outbound::default();
        let id = begin(&mut outbound, QoS::ExactlyOnce);
        begin(&mut outbound, QoS::ExactlyOnce);
        assert_eq!(outbound.room(Version::V5, WINDOW), 0);
        let wide = Window {
            releasing_max: 2,
            ..WINDOW
        };
        assert_eq!(outbound.room(Version::V311, wide), 0);
        assert!(outbound.receive(id, NOW));
        assert_eq!(outbound.room(Version::V5, WINDOW), 0);
        assert_eq!(outbound.room(Version::V311, wide), 1);
        assert_eq!(
            outbound.room(Version::V311, WINDOW),
            0,
            "one awaits PUBCOMP"
        );
        assert!(outbound.complete(id));
        assert_eq!(outbound.room(Version::V5, WINDOW), 1);
    }

    fn begin(outbound: &mut Outbound, qos: QoS) -> PacketId {
        outbound.begin(qos, None, NOW).unwrap()
    }
}
