//! SUBSCRIBE and UNSUBSCRIBE. [MQTT 5.0, 3.8 to 3.11]

use super::{
    Actions, Broker, Flow,
    consult::{Open, SoFar},
    permit::{self, Judged},
    state::State,
    tell::tell,
};
use crate::{
    codec,
    hooks::{HookSet, Notice, Refusal, SubscribeRequest, Verdict},
    id::ConnId,
    packet::{
        ClientPacket, Properties, QoS, ReasonCodes, RetainHandling, ServerPacket, SubAck,
        Subscribe, SubscribeEntry, SubscribeOptions, UnsubAck, Unsubscribe,
    },
    reason::ReasonCode,
    session::Subscription,
    shared::GROUP,
    topic::{self, Member, MemberOptions, TopicFilter},
};
use alloc::boxed::Box;
use smallvec::SmallVec;

/// What a SUBACK or UNSUBACK of 5.0 holds beside its codes: the packet identifier, and that there are no properties.
const ACK_BODY_BYTES: usize = 3;

const ANSWER_TOO_LARGE: Refusal = Refusal {
    reason: ReasonCode::PACKET_TOO_LARGE,
    what: "more filters than an answer within the client's Maximum Packet Size can hold",
    rule: "MQTT-3.1.2-24",
};

type Requests<'a> = SmallVec<[SubscribeRequest<'a>; 4]>;
type Codes = SmallVec<[u8; 16]>;

impl Broker {
    pub(super) fn on_subscribe(
        &mut self,
        conn: ConnId,
        subscribe: &Subscribe<'_>,
        actions: &mut Actions,
    ) -> Flow {
        if !self.state.may_answer(conn, subscribe.entries.len()) {
            self.refuse(conn, ANSWER_TOO_LARGE, actions);
            return Flow::Continue;
        }
        let entries = subscribe.entries.iter();
        let requests = entries.map(|entry| self.state.request(*entry)).collect();
        self.judge_subscribe(conn, subscribe, requests, 0, actions)
    }

    /// Asks the hook sets from number `from` on, then makes the subscriptions that are granted.
    fn judge_subscribe(
        &mut self,
        conn: ConnId,
        subscribe: &Subscribe<'_>,
        mut requests: Requests<'_>,
        from: u16,
        actions: &mut Actions,
    ) -> Flow {
        let judged = if self.hooks.wants(HookSet::SUBSCRIBE) {
            self.ask_hooks(conn, |hooks, state, cx| {
                permit::subscribe(hooks, from, &state.client(conn), &mut requests, cx)
            })
        } else {
            Judged::Permitted
        };
        match judged {
            Judged::Asked(hook) => {
                let granted = requests.iter().map(|request| request.granted).collect();
                let so_far = SoFar {
                    granted,
                    ..SoFar::at(hook)
                };
                let version = self.state.live(conn).version;
                let packet = ClientPacket::Subscribe(Box::new(subscribe.clone()));
                let ticket = self.ask(conn, version, &packet, so_far, actions);
                self.state.live_mut(conn).held = Some(ticket);
                Flow::Hold
            }
            Judged::Permitted | Judged::Refused(_) => {
                self.conclude_subscribe(conn, subscribe, &requests, actions);
                Flow::Continue
            }
        }
    }

    /// The verdict on a SUBSCRIBE: the next set sees what this one granted.
    pub(super) fn on_subscribe_ruled(
        &mut self,
        open: &Open,
        subscribe: &Subscribe<'_>,
        verdict: Verdict,
        actions: &mut Actions,
    ) {
        let entries = subscribe.entries.iter().zip(&open.granted);
        let mut requests: Requests<'_> = entries
            .map(|(&entry, &granted)| SubscribeRequest { entry, granted })
            .collect();
        match verdict {
            Verdict::Permit => {}
            Verdict::Authenticate(_) | Verdict::Replace(_) => {
                permit::refuse_all(&mut requests, ReasonCode::NOT_AUTHORIZED);
            }
            Verdict::Refuse(reason) => permit::refuse_all(&mut requests, permit::refusal(reason)),
            Verdict::Grant(granted) => permit::grant(&mut requests, granted),
        }
        // Held again or not: `on_ruled` resumes reading only if not.
        let _ = self.judge_subscribe(open.conn, subscribe, requests, open.next_hook(), actions);
    }

    fn conclude_subscribe(
        &mut self,
        conn: ConnId,
        subscribe: &Subscribe<'_>,
        requests: &[SubscribeRequest<'_>],
        actions: &mut Actions,
    ) {
        let identifier = subscribe.properties.subscription_identifier().unwrap_or(0);
        let mut codes = Codes::new();
        for request in requests {
            let entry = request.entry;
            let outcome = request
                .granted
                .and_then(|qos| self.state.client_subscribes(conn, entry, qos, identifier));
            codes.push(match outcome {
                Ok(qos) => {
                    tell!(self, conn, |client| Notice::Subscribed {
                        client,
                        entry,
                        granted: qos,
                    });
                    qos as u8
                }
                Err(reason) => subscribe_refusal(reason).0,
            });
        }
        let suback = SubAck {
            packet_id: subscribe.packet_id,
            codes: ReasonCodes(&codes),
            properties: Properties::EMPTY,
        };
        self.state
            .send(conn, &ServerPacket::SubAck(suback), actions);
        // Retained messages come after the SUBACK. (F11)
        let number = self.state.live(conn).session;
        self.state.pump(number, actions);
    }

    pub(super) fn on_unsubscribe(
        &mut self,
        conn: ConnId,
        unsubscribe: &Unsubscribe<'_>,
        actions: &mut Actions,
    ) {
        if !self.state.may_answer(conn, unsubscribe.filters.len()) {
            self.refuse(conn, ANSWER_TOO_LARGE, actions);
            return;
        }
        let mut codes = Codes::new();
        for filter in &unsubscribe.filters {
            let number = self.state.live(conn).session;
            let existed = self.state.remove_subscription(number, *filter);
            codes.push(match existed {
                true => ReasonCode::SUCCESS.0,
                // [MQTT 5.0, 3.11.3]
                false => ReasonCode::NO_SUBSCRIPTION_EXISTED.0,
            });
            tell!(self, conn, |client| Notice::Unsubscribed {
                client,
                filter: filter.as_str(),
            });
        }
        let unsuback = UnsubAck {
            packet_id: unsubscribe.packet_id,
            codes: ReasonCodes(&codes),
            properties: Properties::EMPTY,
        };
        self.state
            .send(conn, &ServerPacket::UnsubAck(unsuback), actions);
    }
}

impl State {
    /// True if an answer with this many codes is small enough for the client.
    fn may_answer(&self, conn: ConnId, codes: usize) -> bool {
        let packet_bytes_max = self.hot[self.live(conn).session as usize].packet_bytes_max;
        let remaining = ACK_BODY_BYTES.saturating_add(codes);
        packet_bytes_max as usize > remaining + codec::variable_len(remaining)
    }

    /// What the standard and the limits say to one entry, before any hook is asked.
    fn request<'a>(&self, entry: SubscribeEntry<'a>) -> SubscribeRequest<'a> {
        let levels_max = usize::from(self.config.limits.topic_levels_max);
        let granted = if topic::deeper_than(entry.filter.path(), levels_max) {
            Err(ReasonCode::TOPIC_FILTER_INVALID)
        } else {
            Ok(entry.options.qos)
        };
        SubscribeRequest { entry, granted }
    }

    /// Makes or replaces a subscription [MQTT-3.8.4-3], and owes the client what is retained for it.
    fn client_subscribes(
        &mut self,
        conn: ConnId,
        entry: SubscribeEntry<'_>,
        qos: QoS,
        identifier: u32,
    ) -> Result<QoS, ReasonCode> {
        let number = self.live(conn).session;
        let filter = entry.filter;
        let options = SubscribeOptions {
            qos,
            ..entry.options
        };
        let is_new = self.add_subscription(number, filter, options, identifier)?;
        let replays = match options.retain_handling {
            // A group gets no retained messages. [MQTT 5.0, 4.8.2]
            _ if filter.shared().is_some() => false,
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        if replays && self.retained.len() > 0 {
            let not_of = if options.no_local {
                self.sessions.fingerprint(number)
            } else {
                0
            };
            let replay = self
                .retained
                .replay(filter.as_str(), qos, identifier, not_of);
            self.sessions.get_mut(number).add_replay(replay);
            self.hot[number as usize].backlog = true;
        }
        Ok(qos)
    }

    /// Makes or replaces a subscription of a session. True if it is new.
    pub(super) fn add_subscription(
        &mut self,
        number: u32,
        filter: TopicFilter<'_>,
        options: SubscribeOptions,
        identifier: u32,
    ) -> Result<bool, ReasonCode> {
        let subscriptions_max = self.config.limits.subscriptions_per_session_max as usize;
        let bytes_max = self.config.limits.subscription_bytes_per_session_max;
        let cost = cost_bytes(filter);
        let since_s = self.seconds();
        let session = self.sessions.get_mut(number);
        let is_new = !session.subscriptions.contains(filter.as_str());
        let is_full = session.subscriptions.len() >= subscriptions_max
            || session.subscription_bytes + cost > bytes_max;
        if is_new && is_full {
            return Err(ReasonCode::QUOTA_EXCEEDED);
        }
        session.subscription_bytes += if is_new { cost } else { 0 };
        session.subscriptions.insert(
            filter.as_str(),
            Subscription {
                options,
                identifier,
                since_s,
            },
        );
        let SubscribeOptions {
            qos,
            no_local,
            retain_as_published,
            ..
        } = options;
        session.subscriptions_made += u32::from(is_new);
        let member = Member {
            session: number,
            subscription_id: identifier,
            options: MemberOptions::new(qos, no_local, retain_as_published),
        };
        if filter.shared().is_some() {
            session.joined_groups = true;
            self.join_group(filter, member);
        } else {
            self.routes.subscribe(filter.path(), member);
        }
        if is_new {
            self.statistics.subscriptions_current += 1;
            self.statistics.subscriptions_made += 1;
        }
        Ok(is_new)
    }

    /// The sessions with a subscription to exactly this filter.
    pub(super) fn members_of(&self, filter: TopicFilter<'_>) -> &[Member] {
        match filter.shared() {
            Some(_) => self.groups.members_of(filter.as_str()),
            None => self.routes.index().members(filter.path()),
        }
    }

    /// The members of each filter that matches, and of each group of such a filter. Among the first are groups.
    pub(super) fn members_for(&self, topic: &str, mut found: impl FnMut(&[Member])) {
        self.routes.index().for_each_match(topic, |members| {
            found(members);
            let groups = members.iter().filter(|member| member.session & GROUP != 0);
            groups.for_each(|group| found(self.groups.members(group.session)));
        });
    }

    /// Ends a subscription. Messages in flight or queued for it are still delivered. [MQTT-3.10.4-2] [MQTT-3.10.4-3]
    pub(super) fn remove_subscription(&mut self, number: u32, filter: TopicFilter<'_>) -> bool {
        let session = self.sessions.get_mut(number);
        if session.subscriptions.remove(filter.as_str()).is_none() {
            return false;
        }
        session.subscription_bytes -= cost_bytes(filter);
        session.forget_replay(filter.as_str());
        if filter.shared().is_some() {
            self.leave_group(filter, number);
        } else {
            self.routes.unsubscribe(filter.path(), number);
        }
        self.statistics.subscriptions_current -= 1;
        true
    }
}

/// What a filter counts for in the byte limit: itself, and a node of the index for each level.
pub(super) fn cost_bytes(filter: TopicFilter<'_>) -> u64 {
    const LEVEL_BYTES: usize = 64;
    (filter.as_str().len() + LEVEL_BYTES * topic::depth(filter.path())) as u64
}

/// The failures that SUBACK may carry. [MQTT 5.0, 3.9.3]
fn subscribe_refusal(reason: ReasonCode) -> ReasonCode {
    match reason {
        ReasonCode::UNSPECIFIED_ERROR
        | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
        | ReasonCode::NOT_AUTHORIZED
        | ReasonCode::TOPIC_FILTER_INVALID
        | ReasonCode::PACKET_IDENTIFIER_IN_USE
        | ReasonCode::QUOTA_EXCEEDED
        | ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
        | ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED
        | ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED => reason,
        _ => ReasonCode::NOT_AUTHORIZED,
    }
}
