//! Each PUBLISH that the broker sends must be one that is owed. [MQTT 5.0, 3.3.1 to 3.3.4, 4.3 to 4.9]

use super::{
    Conn, Judged, Model, Violation,
    session::{Copy, Flight, Session, forwarded},
    violated,
};
use crate::sim::{
    tally::Tally,
    wire::{Delivery, Turn},
};
use sanderling_core::{
    id::ConnId,
    packet::{QoS, Version},
};
use std::rc::Rc;

impl Model {
    /// Matches all deliveries of the event that were not matched yet.
    pub(super) fn match_all(&mut self, turn: &mut Turn, tally: &mut Tally) -> Judged {
        let ids: Vec<_> = turn.deliveries.keys().copied().collect();
        ids.into_iter()
            .try_for_each(|id| self.match_deliveries(id, turn, tally))
    }

    /// Matches the deliveries to one connection.
    pub(super) fn match_deliveries(
        &mut self,
        id: ConnId,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let Some(deliveries) = turn.deliveries.remove(&id) else {
            return Ok(());
        };
        let client_id = self.conn(id).client_id.clone();
        self.skip_too_large(&client_id, turn, tally);
        let session = self.sessions.get(&client_id);
        if session.is_none_or(|session| session.conn != Some(id)) {
            violated!(
                "I26",
                "{id} has no session and is sent {:?}",
                deliveries[0].1
            );
        }
        for (_, mut delivery) in deliveries {
            resolve_alias(self.conn(id), id, &mut delivery, tally)?;
            self.match_delivery(id, &client_id, &delivery, tally)?;
        }
        Ok(())
    }

    fn match_delivery(
        &mut self,
        id: ConnId,
        client_id: &str,
        delivery: &Delivery,
        tally: &mut Tally,
    ) -> Judged {
        let now_ms = self.now_ms;
        let retry_ms = self
            .config
            .retry_interval
            .map(|every| every.as_millis() as u64);
        let inflight_max = usize::from(self.conn(id).limits.inflight_max.max(1));
        let receive_maximum = self.conn(id).receive_maximum;
        let packet_id = delivery.packet_id.unwrap_or(0);
        let session = self.session(client_id);
        let again = session
            .inflight
            .iter()
            .position(|flight| flight.packet_id == packet_id);
        if let (Some(at), true) = (again, delivery.packet_id.is_some()) {
            session.sent_again(at, delivery, now_ms, retry_ms, tally)?;
        } else if session
            .releasing
            .iter()
            .any(|release| release.packet_id == packet_id)
        {
            violated!(
                "I18",
                "identifier {packet_id} awaits PUBCOMP and is used on {id} again"
            );
        } else {
            let is_v5 = session.version == Version::V5;
            let copy = match session.take_owed(delivery, now_ms, tally)? {
                Some(copy) => copy,
                None => {
                    let fits = |copy: &Copy| difference(copy, delivery, is_v5, now_ms).is_none();
                    let fresh = |copy: &Copy| fits(copy) && !copy.message.is_expired(now_ms);
                    let found = self.find_floating(client_id, fresh);
                    let found = found.or_else(|| self.find_floating(client_id, fits));
                    match found.map(|found| self.take_found(found)) {
                        Some(copy) => {
                            tally.check("I45");
                            copy
                        }
                        None => return Err(self.explain(client_id, id, delivery)),
                    }
                }
            };
            self.session(client_id).sent_first(
                copy,
                delivery,
                now_ms,
                retry_ms.is_some(),
                tally,
            )?;
        }
        if delivery.qos != QoS::AtMostOnce {
            check_window(
                self.session(client_id),
                receive_maximum,
                inflight_max,
                tally,
            )?;
        }
        Ok(())
    }

    fn explain(&self, client_id: &str, id: ConnId, delivery: &Delivery) -> Violation {
        let mut violation = self.sessions[client_id].explain(delivery, self.now_ms);
        let known = self.said.get(&delivery.payload);
        violation.what +=
            &format!(" to {client_id:?} on {id}; the payload was published to {known:?}");
        violation
    }
}

/// Puts the topic name in the place of its alias. [MQTT-3.3.2-11] [MQTT-3.1.2-26]
fn resolve_alias(
    conn: &mut Conn,
    id: ConnId,
    delivery: &mut Delivery,
    tally: &mut Tally,
) -> Judged {
    let alias = delivery.properties.as_properties().topic_alias();
    let Some(alias) = alias else {
        return Ok(());
    };
    tally.check("I20");
    if alias > conn.alias_maximum {
        violated!(
            "I20",
            "alias {alias} is sent to {id}, whose maximum is {}",
            conn.alias_maximum
        );
    }
    if !delivery.topic.is_empty() {
        conn.aliases_out.insert(alias, delivery.topic.clone());
        return Ok(());
    }
    tally.sometimes("the broker uses an alias for a topic");
    match conn.aliases_out.get(&alias) {
        Some(topic) => delivery.topic.clone_from(topic),
        None => violated!(
            "I20",
            "alias {alias} is sent to {id} and stands for nothing there"
        ),
    }
    Ok(())
}

/// [MQTT-3.3.4-9]: what was sent on this connection and is not through. Our own limit counts likewise.
fn check_window(
    session: &Session,
    receive_maximum: usize,
    inflight_max: usize,
    tally: &mut Tally,
) -> Judged {
    let inflight = session
        .inflight
        .iter()
        .filter(|flight| flight.is_sent_here)
        .count();
    let releasing = session
        .releasing
        .iter()
        .filter(|release| release.is_sent_here)
        .count();
    let unfinished = match session.version {
        Version::V5 => inflight + releasing,
        Version::V31 | Version::V311 => inflight,
    };
    tally.check("I17");
    if unfinished > receive_maximum || inflight > inflight_max {
        violated!(
            "I17",
            "{unfinished} messages are under way; the client takes {receive_maximum}, we send {inflight_max}"
        );
    }
    if unfinished == receive_maximum.min(inflight_max) {
        tally.sometimes("a window is full");
    }
    Ok(())
}

impl Session {
    /// A message that is in flight is sent once more.
    fn sent_again(
        &mut self,
        at: usize,
        delivery: &Delivery,
        now_ms: u64,
        retry_ms: Option<u64>,
        tally: &mut Tally,
    ) -> Judged {
        let is_v5 = self.version == Version::V5;
        let is_first = self.inflight[..at].iter().all(|flight| flight.is_sent_here);
        let flight = &mut self.inflight[at];
        let waited_ms = now_ms - flight.sent_ms;
        if flight.is_sent_here && (is_v5 || retry_ms.is_none_or(|retry_ms| waited_ms < retry_ms)) {
            violated!(
                "I18",
                "identifier {} is in use and used again: {delivery:?}",
                flight.packet_id
            );
        }
        if !delivery.dup {
            violated!("I09", "a message is sent again without DUP: {delivery:?}");
        }
        if !flight.is_sent_here && !is_first {
            violated!("I09", "messages are sent again out of order: {delivery:?}");
        }
        if let Some(difference) = difference(&flight.copy, delivery, is_v5, now_ms) {
            violated!(
                "I09",
                "what is sent again differs ({}): {delivery:?}",
                difference.1
            );
        }
        tally.check("I09");
        tally.sometimes(match flight.is_sent_here {
            true => "a message is sent again by the retry timer",
            false => "a message is sent again after a reconnect",
        });
        flight.is_sent_here = true;
        flight.sent_ms = now_ms;
        Ok(())
    }

    /// Finds what a first delivery is a delivery of.
    fn take_owed(
        &mut self,
        delivery: &Delivery,
        now_ms: u64,
        tally: &mut Tally,
    ) -> Judged<Option<Copy>> {
        let is_v5 = self.version == Version::V5;
        let fits = |copy: &Copy| difference(copy, delivery, is_v5, now_ms).is_none();
        // A client that publishes anew what was not acknowledged makes two messages that look alike.
        let fresh = |copy: &Copy| fits(copy) && (copy.is_new || !copy.message.is_expired(now_ms));
        let at = self.owed.iter().position(fresh);
        if let Some(at) = at.or_else(|| self.owed.iter().position(fits)) {
            if !is_v5 {
                self.note_look_alikes(at);
            }
            let copy = self.owed.remove(at);
            self.check_live(&copy, now_ms, tally)?;
            return Ok(Some(copy));
        }
        for replay in &mut self.replays {
            for at in 0..replay.messages.len() {
                let copy = replay.copy_of(at);
                if difference(&copy, delivery, is_v5, now_ms).is_none() {
                    replay.messages.remove(at);
                    tally.check("I33");
                    tally.check("I34");
                    if copy.message.is_expired(now_ms) {
                        violated!("I34", "an expired retained message is sent: {delivery:?}");
                    }
                    return Ok(Some(copy));
                }
            }
        }
        Ok(None)
    }

    /// Which of several copies that an older client cannot tell apart is sent is not known.
    fn note_look_alikes(&mut self, at: usize) {
        let first = self.owed[at].clone();
        let looks_alike = |copy: &Copy| {
            Rc::ptr_eq(&copy.message, &first.message)
                && copy.qos == first.qos
                && copy.retain == first.retain
        };
        let alike = || self.owed.iter().filter(|copy| looks_alike(copy));
        if alike().all(|copy| copy.identifiers == first.identifiers) {
            return;
        }
        let all: Vec<_> = alike().map(|copy| copy.identifiers.clone()).collect();
        for copy in self.owed.iter_mut().filter(|copy| looks_alike(copy)) {
            copy.or_identifiers.extend_from_slice(&all);
        }
    }

    /// The order of acceptance is the order of delivery. [MQTT-4.6.0-6] [MQTT-3.3.2-5]
    fn check_live(&mut self, copy: &Copy, now_ms: u64, tally: &mut Tally) -> Judged {
        let message = &copy.message;
        tally.check("I01");
        tally.check("I11");
        if message.expiry_s.is_some() {
            tally.check("I49");
            if copy.is_new && message.expiry_s == Some(0) {
                // It has not waited, so there is nothing to take off.
                tally.sometimes("an expiry interval of 0 is sent on");
            } else if message.is_expired(now_ms) {
                violated!("I49", "an expired message is sent: {message:?}");
            }
        }
        if !copy.identifiers.is_empty() {
            tally.check("I16");
        }
        let flow = (message.publisher.clone(), message.topic.clone(), copy.qos);
        let last = self.last.entry(flow).or_default();
        if *last > 0 {
            tally.check("I02");
        }
        if *last > message.order {
            violated!(
                "I02",
                "message {} comes after message {last}: {message:?}",
                message.order
            );
        }
        *last = message.order;
        Ok(())
    }

    fn sent_first(
        &mut self,
        copy: Copy,
        delivery: &Delivery,
        now_ms: u64,
        retries: bool,
        tally: &mut Tally,
    ) -> Judged {
        self.delivered_now.add(&copy.message);
        if delivery.dup {
            violated!("I10", "a first delivery has DUP: {delivery:?}");
        }
        tally.check("I10");
        let Some(packet_id) = delivery.packet_id else {
            return Ok(());
        };
        tally.check("I18");
        if self.owes_again() {
            violated!(
                "I09",
                "something new comes before what is to be sent again: {delivery:?}"
            );
        }
        let is_kept = retries || copy.shared.is_some() || self.expiry_s != Some(0);
        self.inflight.push(Flight {
            packet_id,
            is_kept,
            copy,
            is_sent_here: true,
            sent_ms: now_ms,
        });
        Ok(())
    }

    /// Says why a delivery is none that is owed.
    fn explain(&self, delivery: &Delivery, now_ms: u64) -> Violation {
        let is_v5 = self.version == Version::V5;
        let same = self
            .owed
            .iter()
            .find(|copy| copy.message.payload == delivery.payload);
        if let Some((rule, how)) = same.and_then(|copy| difference(copy, delivery, is_v5, now_ms)) {
            return Violation::new(
                rule,
                format!("a delivery differs from what is owed ({how}): {delivery:?}"),
            );
        }
        let flights = self.inflight.iter().map(|flight| &flight.copy);
        if flights
            .into_iter()
            .any(|copy| copy.message.payload == delivery.payload)
        {
            return Violation::new(
                "I06",
                format!("a message in flight is sent as a new one: {delivery:?}"),
            );
        }
        let rule = if delivery.retain { "I32" } else { "I01" };
        Violation::new(rule, format!("nothing like this is owed: {delivery:?}"))
    }
}

/// The first thing in which a delivery differs from a copy: the rule, and in words.
fn difference(
    copy: &Copy,
    delivery: &Delivery,
    is_v5: bool,
    now_ms: u64,
) -> Option<(&'static str, String)> {
    let message = &copy.message;
    if message.payload != delivery.payload || message.topic != delivery.topic {
        return Some(("I01", format!("topic {:?} or payload", message.topic)));
    }
    if copy.qos != delivery.qos {
        return Some(("I11", format!("QoS {}", copy.qos)));
    }
    if copy.retain != delivery.retain {
        return Some(("I32", format!("RETAIN {}", copy.retain)));
    }
    let properties = delivery.properties.as_properties();
    if !is_v5 {
        return None;
    }
    if forwarded(properties) != message.properties {
        return Some(("I01", format!("properties {:?}", message.properties)));
    }
    let mut identifiers: Vec<_> = properties.subscription_identifiers().collect();
    identifiers.sort_unstable();
    if !copy.may_have(&identifiers) {
        return Some((
            "I16",
            format!("subscription identifiers {:?}", copy.identifiers),
        ));
    }
    let told = properties.message_expiry_interval();
    let left = message
        .expiry_s
        .map(|interval| left_s(interval, now_ms - message.accepted_ms));
    let is_right = match (told, left) {
        (None, None) => true,
        (Some(told), Some((least, most))) => (least..=most).contains(&told),
        _ => false,
    };
    (!is_right).then(|| ("I49", format!("expiry interval {left:?}")))
}

/// The seconds that are left, rounded down and up. [MQTT-3.3.2-6]
fn left_s(interval_s: u32, waited_ms: u64) -> (u32, u32) {
    let left_ms = (u64::from(interval_s) * 1000).saturating_sub(waited_ms);
    ((left_ms / 1000) as u32, left_ms.div_ceil(1000) as u32)
}
