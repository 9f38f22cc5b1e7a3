//! What the program around the broker orders, and hooks: messages, subscriptions, endings.

use super::{
    Judged, Model,
    matching::{levels, matches},
    session::{Message, Session, Weight, forwarded},
    share::shared_path,
    subscribe::has_room_beside,
    violated,
};
use crate::sim::{policy::Heard, tally::Tally, wire::Turn};
use sanderling_core::{
    broker::{Answer, Command, Filters, NewSubscription, Publication},
    packet::{QoS, SubscribeOptions},
    reason::ReasonCode,
};
use std::rc::Rc;

/// What a command is answered.
enum Expected {
    /// `Published`: so many copies are made, and some of them may be lost.
    Copies(usize),
    Exactly(Answer),
    Counters,
}

impl Model {
    pub(super) fn on_command(
        &mut self,
        command: &Command,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let answer = match turn.answers.pop() {
            Some(answer) if turn.answers.is_empty() => answer,
            other => violated!("R01", "a command is answered with {other:?} and more"),
        };
        tally.check("R01");
        match (self.carry_out(command, turn, tally)?, answer) {
            (Expected::Counters, Answer::Statistics(_)) => Ok(()),
            (Expected::Exactly(expected), answer) if expected == answer => Ok(()),
            (Expected::Copies(copies), Answer::Published { receivers }) => {
                self.match_all(turn, tally)?;
                let lost = self.match_drops(turn, tally)?;
                if receivers as usize + lost != copies {
                    violated!(
                        "I58",
                        "{copies} copies are made, {lost} lost, and {receivers} receivers are reported"
                    );
                }
                Ok(())
            }
            (_, answer) => violated!("R01", "{command:?} is answered with {answer:?}"),
        }
    }

    /// What hooks ordered because of this event comes after all else of it, as far as they may order.
    pub(super) fn obey_hooks(&mut self, turn: &mut Turn, tally: &mut Tally) -> Judged {
        let max = self.config.limits.hook_commands_max as usize;
        let mut commands = Vec::new();
        for heard in &turn.heard {
            match heard {
                Heard::Ordered(command) => commands.push(command.clone()),
                Heard::Overordered if commands.len() < max => violated!(
                    "I21",
                    "a hook may not order after {} of {max} orders",
                    commands.len()
                ),
                Heard::Overordered => tally.sometimes("a hook orders too much"),
                _ => {}
            }
        }
        if commands.len() > max {
            violated!(
                "I21",
                "{} orders of one event, {max} may be",
                commands.len()
            );
        }
        for command in commands {
            tally.sometimes("a hook gives an order");
            // What it replaces may have been sent before in this event.
            match &command {
                Command::Publish(one) if one.retain => self.replaced_late.push(one.topic.clone()),
                Command::Retain(one) => self.replaced_late.push(one.topic.clone()),
                Command::ClearRetained => {
                    let topics = self.topics_in_replay();
                    self.replaced_late.extend(topics);
                }
                _ => {}
            }
            self.carry_out(&command, turn, tally)?;
        }
        Ok(())
    }

    fn carry_out(
        &mut self,
        command: &Command,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged<Expected> {
        Ok(match command {
            Command::Publish(publication) => {
                if self.is_too_deep(&publication.topic) {
                    return Ok(Expected::Exactly(Answer::TopicTooDeep));
                }
                let message = self.message_of(publication);
                Expected::Copies(self.accept(message, tally)?)
            }
            Command::PublishTo {
                client_id,
                publication,
                matching,
            } => {
                if self.is_too_deep(&publication.topic) {
                    return Ok(Expected::Exactly(Answer::TopicTooDeep));
                }
                let message = self.message_of(publication);
                Expected::Copies(self.accept_for(client_id, message, *matching, tally))
            }
            Command::Retain(publication) => Expected::Exactly(self.store(publication, tally)?),
            Command::ClearRetained => {
                tally.sometimes("all retained messages are removed");
                self.retained.clear();
                for topic in self.topics_in_replay() {
                    if !self.replaced_late.contains(&topic) {
                        self.stop_replays_of(&topic);
                    }
                }
                Expected::Exactly(Answer::Retained)
            }
            Command::Close { client_id, reason } => {
                let was_there = self.close_client(client_id, *reason, turn, tally)?;
                Expected::Exactly(Answer::Closed(was_there))
            }
            Command::EndSession { client_id } => {
                let reason = ReasonCode::ADMINISTRATIVE_ACTION;
                let mut was_there = false;
                while self.close_client(client_id, reason, turn, tally)? {
                    was_there = true;
                }
                let is_left = self.sessions.contains_key(&**client_id);
                if is_left {
                    tally.sometimes("the program ends a session");
                    self.end_session(client_id, turn, tally)?;
                }
                Expected::Exactly(Answer::Closed(was_there || is_left))
            }
            Command::Subscribe {
                client_id,
                subscriptions,
            } => {
                tally.sometimes("the program subscribes a client");
                let outcomes = subscriptions.iter();
                let outcomes = outcomes.map(|one| self.subscribe_for(client_id, one, tally));
                Expected::Exactly(Answer::Subscribed(outcomes.collect()))
            }
            Command::Unsubscribe { client_id, filters } => Expected::Exactly(Answer::Unsubscribed(
                self.unsubscribe_for(client_id, filters),
            )),
            Command::Statistics => Expected::Counters,
            Command::Drain => {
                self.on_drain(turn, tally)?;
                Expected::Exactly(Answer::Drained)
            }
        })
    }

    /// At the end of an event: till now, replays may have gone on that hooks have put an end to.
    pub(super) fn stop_replays_late(&mut self) {
        for topic in std::mem::take(&mut self.replaced_late) {
            self.stop_replays_of(&topic);
        }
        for (client_id, filter) in std::mem::take(&mut self.unsubscribed_late) {
            if let Some(session) = self.sessions.get_mut(&client_id) {
                session.stop_replay(&filter);
            }
        }
    }

    fn topics_in_replay(&self) -> Vec<String> {
        let replays = self.sessions.values().flat_map(|session| &session.replays);
        let messages = replays.flat_map(|replay| &replay.messages);
        messages.map(|message| message.topic.clone()).collect()
    }

    fn is_too_deep(&self, topic: &str) -> bool {
        levels(topic) > usize::from(self.config.limits.topic_levels_max)
    }

    fn message_of(&self, publication: &Publication) -> Message {
        let properties = publication.properties.as_properties();
        Message {
            order: 0,
            topic: publication.topic.clone(),
            payload: publication.payload[..].into(),
            properties: forwarded(properties),
            qos: publication.qos,
            retain: publication.retain,
            accepted_ms: self.now_ms,
            expiry_s: properties.message_expiry_interval(),
            publisher: None,
        }
    }

    /// A message for one session, which is nobody's retained message. Returns how many copies that makes.
    fn accept_for(
        &mut self,
        client_id: &str,
        message: Message,
        matching: bool,
        tally: &mut Tally,
    ) -> usize {
        tally.sometimes("a message for one session");
        let retain = false;
        let message = self.number(Message { retain, ..message });
        let Some(session) = self.sessions.get(client_id) else {
            return 0;
        };
        let subscriptions = session
            .subscriptions
            .iter()
            .filter(|(filter, _)| shared_path(filter).is_none() && matches(filter, &message.topic));
        let all = SubscribeOptions {
            qos: QoS::ExactlyOnce,
            ..SubscribeOptions::default()
        };
        let asked = match matching {
            true => subscriptions
                .map(|(_, one)| (one.options, one.identifier))
                .collect(),
            false => vec![(all, None)],
        };
        self.owe_copies(client_id, &message, asked)
    }

    /// Stores a message that nobody is sent.
    fn store(&mut self, publication: &Publication, tally: &mut Tally) -> Judged<Answer> {
        if self.is_too_deep(&publication.topic) {
            return Ok(Answer::TopicTooDeep);
        }
        let message = self.message_of(publication);
        let retain = true;
        let message = self.number(Message { retain, ..message });
        let refused = self.retained_refused;
        self.retain(&message, tally)?;
        Ok(match self.retained_refused == refused {
            true => Answer::Retained,
            false => Answer::RetainedFull,
        })
    }

    fn close_client(
        &mut self,
        client_id: &str,
        reason: ReasonCode,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged<bool> {
        let conn = self.sessions.get(client_id).and_then(|one| one.conn);
        let Some(id) = conn else {
            return Ok(false);
        };
        tally.sometimes("the program closes a connection");
        self.expect_goodbye(id, &[reason], turn)?;
        self.leave(id, false, false, turn, tally)?;
        Ok(true)
    }

    fn subscribe_for(
        &mut self,
        client_id: &str,
        one: &NewSubscription,
        tally: &mut Tally,
    ) -> Result<bool, ReasonCode> {
        let path = shared_path(&one.filter).unwrap_or(&one.filter);
        if self.is_too_deep(path) {
            return Err(ReasonCode::TOPIC_FILTER_INVALID);
        }
        if self.sessions.contains_key(client_id) {
            let identifier = (one.identifier > 0).then_some(one.identifier);
            let added =
                self.add_subscription(client_id, &one.filter, one.options, identifier, tally);
            return added.map(|is_new| !is_new);
        }
        let held: usize = self.reserved.values().map(Vec::len).sum();
        let limits = &self.config.limits;
        let list = self.reserved.get_mut(client_id).map(Vec::as_mut_slice);
        let list = list.unwrap_or_default();
        let former: Vec<_> = list.iter().map(|one| &*one.filter).collect();
        let has_room = held < limits.reserved_subscriptions_max as usize
            && client_id.len() <= usize::from(limits.client_id_bytes_max)
            && has_room_beside(&former, &one.filter, limits);
        if let Some(former) = list.iter_mut().find(|two| two.filter == one.filter) {
            *former = one.clone();
            return Ok(true);
        }
        if !has_room {
            tally.check("I21");
            return Err(ReasonCode::QUOTA_EXCEEDED);
        }
        let list = self.reserved.entry(client_id.to_owned()).or_default();
        list.push(one.clone());
        Ok(false)
    }

    /// A session begins with what the program has subscribed for it before.
    pub(super) fn begin_session(&mut self, client_id: &str, session: Session, tally: &mut Tally) {
        self.sessions.insert(client_id.to_owned(), session);
        for one in self.reserved.remove(client_id).unwrap_or_default() {
            tally.sometimes("a session begins with subscriptions");
            let identifier = (one.identifier > 0).then_some(one.identifier);
            let added =
                self.add_subscription(client_id, &one.filter, one.options, identifier, tally);
            added.expect("there was room when it was reserved");
        }
    }

    fn unsubscribe_for(&mut self, client_id: &str, filters: &Filters) -> Vec<bool> {
        let Some(session) = self.sessions.get_mut(client_id) else {
            let mut list = self.reserved.remove(client_id).unwrap_or_default();
            let removed = match filters {
                Filters::All => list.drain(..).map(|_| true).collect(),
                Filters::These(filters) => filters
                    .iter()
                    .map(|filter| {
                        let at = list.iter().position(|one| one.filter == *filter);
                        at.map(|at| list.remove(at)).is_some()
                    })
                    .collect(),
            };
            if !list.is_empty() {
                self.reserved.insert(client_id.to_owned(), list);
            }
            return removed;
        };
        let filters: Vec<String> = match filters {
            Filters::All => session.subscriptions.keys().cloned().collect(),
            Filters::These(filters) => filters.iter().map(ToString::to_string).collect(),
        };
        let end = |filter: &String| session.subscriptions.remove(filter).is_some();
        let removed = filters.iter().map(end).collect();
        let late = filters.into_iter().map(|filter| (client_id.into(), filter));
        self.unsubscribed_late.extend(late);
        removed
    }

    /// Gives a message its place in the order of acceptance.
    pub(super) fn number(&mut self, mut message: Message) -> Rc<Message> {
        self.accepted += 1;
        message.order = self.accepted;
        self.said
            .insert(message.payload.clone(), message.topic.clone());
        Rc::new(message)
    }

    /// Whether a message can be retained within the limits. What has expired is in nobody's way.
    pub(super) fn has_room_to_retain(&self, message: &Message) -> bool {
        let limits = &self.config.limits;
        let others = self
            .retained
            .values()
            .filter(|other| other.topic != message.topic && !other.is_expired(self.now_ms));
        let mut weight = Weight::default();
        others.for_each(|other| weight.add(other));
        weight.add(message);
        weight.count <= u64::from(limits.retained_messages_max)
            && weight.bytes <= limits.retained_bytes_max
    }
}
