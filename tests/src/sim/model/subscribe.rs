//! SUBSCRIBE and UNSUBSCRIBE, and the retained messages a subscription brings. [MQTT 5.0, 3.8 to 3.11]

use super::{
    Judged, Model,
    consult::{Subject, refusal},
    matching::{levels, matches},
    session::{Replay, Subscription},
    share::shared_path,
    violated,
};
use crate::sim::{
    tally::Tally,
    wire::{Out, Turn},
};
use sanderling_core::{
    config::Limits,
    hooks::Ruling,
    id::ConnId,
    packet::{
        ClientPacket, QoS, RetainHandling, Subscribe, SubscribeEntry, SubscribeOptions,
        Unsubscribe, Version,
    },
    reason::ReasonCode,
};
use std::rc::Rc;

type Grants = Vec<Result<QoS, ReasonCode>>;

impl Model {
    pub(super) fn on_subscribe(
        &mut self,
        id: ConnId,
        subscribe: &Subscribe<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        if self.cannot_be_answered(id, subscribe.entries.len(), turn) {
            return self.refuse(id, &[ReasonCode::PACKET_TOO_LARGE], turn, tally);
        }
        let levels_max = usize::from(self.config.limits.topic_levels_max);
        let grants = subscribe.entries.iter().map(|entry| {
            let filter = entry.filter.as_str();
            if levels(shared_path(filter).unwrap_or(filter)) > levels_max {
                Err(ReasonCode::TOPIC_FILTER_INVALID)
            } else {
                Ok(entry.options.qos)
            }
        });
        let grants = grants.collect();
        self.judge_subscribe(id, subscribe, grants, 0, turn, tally)
    }

    /// Each hook set sees what the one before granted; what is refused stays refused.
    pub(super) fn judge_subscribe(
        &mut self,
        id: ConnId,
        subscribe: &Subscribe<'_>,
        mut grants: Grants,
        from: u16,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        for hook in from..self.sets {
            match self.policy.subscribe(hook) {
                Ruling::Permit => {
                    for (grant, entry) in grants.iter_mut().zip(&subscribe.entries) {
                        let answer = self.policy.grant(hook, entry.filter.as_str(), *grant);
                        *grant = grant.and(answer);
                    }
                }
                Ruling::Refuse(reason) => {
                    grants
                        .iter_mut()
                        .for_each(|grant| *grant = grant.and(Err(refusal(reason))));
                }
                Ruling::Ask => {
                    tally.sometimes("a SUBSCRIBE in question");
                    let packet = ClientPacket::Subscribe(Box::new(subscribe.clone()));
                    let bytes = crate::sim::packets::encode(&packet, self.conn(id).version);
                    let subject = Subject::Subscribe { granted: grants };
                    return self.open_ticket(id, hook, subject, bytes, turn);
                }
            }
        }
        self.conclude_subscribe(id, subscribe, &grants, turn, tally)
    }

    fn conclude_subscribe(
        &mut self,
        id: ConnId,
        subscribe: &Subscribe<'_>,
        grants: &Grants,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let version = self.conn(id).version;
        let identifier = subscribe.properties.subscription_identifier();
        let Some(Out::SubAck { packet_id, codes }) = turn.take(id) else {
            violated!("R01", "SUBSCRIBE on {id} is not answered with SUBACK");
        };
        tally.check("R01");
        if packet_id != subscribe.packet_id.get() || codes.len() != grants.len() {
            violated!(
                "R01",
                "SUBSCRIBE {} of {} filters: SUBACK {packet_id} {codes:?}",
                subscribe.packet_id,
                grants.len()
            );
        }
        for ((entry, grant), code) in subscribe.entries.iter().zip(grants).zip(codes) {
            let outcome = match *grant {
                Ok(qos) => self.add(id, entry, qos, identifier, tally),
                Err(reason) => {
                    tally.check("I43");
                    Err(reason)
                }
            };
            let is_right = match outcome {
                Ok(qos) => code == qos as u8,
                Err(_) if version != Version::V5 => code == 0x80,
                Err(ReasonCode::QUOTA_EXCEEDED) => code == ReasonCode::QUOTA_EXCEEDED.0,
                Err(_) => code >= 0x80,
            };
            if !is_right {
                violated!(
                    "R01",
                    "{:?} is granted {outcome:?}, and SUBACK says {code:#x}",
                    entry.filter.as_str()
                );
            }
        }
        Ok(())
    }

    /// Makes or replaces a subscription. [MQTT-3.8.4-3]
    fn add(
        &mut self,
        id: ConnId,
        entry: &SubscribeEntry<'_>,
        qos: QoS,
        identifier: Option<u32>,
        tally: &mut Tally,
    ) -> Result<QoS, ReasonCode> {
        let client_id = self.conn(id).client_id.clone();
        let filter = entry.filter.as_str();
        let options = SubscribeOptions {
            qos,
            ..entry.options
        };
        let is_new = self.add_subscription(&client_id, filter, options, identifier, tally)?;
        let replays = match options.retain_handling {
            // A group gets none. [MQTT 5.0, 4.8.2]
            _ if shared_path(filter).is_some() => false,
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        let messages: Vec<_> = self
            .retained
            .values()
            .filter(|message| matches(filter, &message.topic))
            .filter(|message| {
                !(options.no_local && message.publisher.as_deref() == Some(&*client_id))
            })
            .map(Rc::clone)
            .collect();
        if !messages.is_empty() {
            tally.check("I32");
        }
        if replays {
            // A replay that is not through begins anew; one that is not asked for again goes on.
            self.session(&client_id)
                .replays
                .retain(|replay| replay.filter != filter);
        }
        if replays && !messages.is_empty() {
            let replay = Replay {
                filter: filter.to_owned(),
                granted: qos,
                identifier,
                messages,
            };
            self.session(&client_id).replays.push(replay);
        }
        Ok(qos)
    }

    /// Makes or replaces a subscription, within the limits. True if it is new.
    pub(super) fn add_subscription(
        &mut self,
        client_id: &str,
        filter: &str,
        options: SubscribeOptions,
        identifier: Option<u32>,
        tally: &mut Tally,
    ) -> Result<bool, ReasonCode> {
        let session = &self.sessions[client_id];
        let is_new = !session.subscriptions.contains_key(filter);
        let former: Vec<_> = session.subscriptions.keys().map(String::as_str).collect();
        let has_room = has_room_beside(&former, filter, &self.config.limits);
        if is_new && !has_room {
            tally.check("I21");
            tally.sometimes("a subscription too many");
            return Err(ReasonCode::QUOTA_EXCEEDED);
        }
        if shared_path(filter).is_some() {
            self.found_group(filter);
        }
        if !is_new {
            tally.check("I13");
            tally.sometimes("a subscription is replaced");
        }
        let subscription = Subscription {
            options,
            identifier,
        };
        let session = self.session(client_id);
        session
            .subscriptions
            .insert(filter.to_owned(), subscription);
        Ok(is_new)
    }

    pub(super) fn on_unsubscribe(
        &mut self,
        id: ConnId,
        unsubscribe: &Unsubscribe<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        if self.cannot_be_answered(id, unsubscribe.filters.len(), turn) {
            return self.refuse(id, &[ReasonCode::PACKET_TOO_LARGE], turn, tally);
        }
        tally.check("R01");
        let version = self.conn(id).version;
        let session = self.session_of(id);
        let mut expected = Vec::new();
        for filter in &unsubscribe.filters {
            let filter = filter.as_str();
            let existed = session.unsubscribe(filter);
            expected.push(match existed {
                true => ReasonCode::SUCCESS.0,
                false => ReasonCode::NO_SUBSCRIPTION_EXISTED.0,
            });
        }
        if version != Version::V5 {
            expected.clear();
        }
        match turn.take(id) {
            Some(Out::UnsubAck { packet_id, codes })
                if packet_id == unsubscribe.packet_id.get() && codes == expected =>
            {
                Ok(())
            }
            other => violated!(
                "R01",
                "UNSUBSCRIBE {}: {other:?}, not {expected:?}",
                unsubscribe.packet_id
            ),
        }
    }

    /// True if the answer would be larger than the client takes; then it is told so instead. [MQTT-3.1.2-24]
    fn cannot_be_answered(&mut self, id: ConnId, codes: usize, turn: &Turn) -> bool {
        let max = self.conn(id).packet_bytes_max as usize;
        // The exact length is the broker's business: what it sends is checked, and there is no reason below this.
        max < 10 + codes
            && turn.consults.is_empty()
            && matches!(turn.peek(id), Some(Out::Disconnect { .. }) | None)
    }
}

/// Whether a session with these subscriptions may have one more.
pub(super) fn has_room_beside(former: &[&str], filter: &str, limits: &Limits) -> bool {
    let bytes: u64 = former.iter().map(|filter| filter_bytes(filter)).sum();
    former.len() < limits.subscriptions_per_session_max as usize
        && bytes + filter_bytes(filter) <= limits.subscription_bytes_per_session_max
}

/// What a filter counts for in the limit by bytes.
fn filter_bytes(filter: &str) -> u64 {
    (filter.len() + 64 * levels(shared_path(filter).unwrap_or(filter))) as u64
}
