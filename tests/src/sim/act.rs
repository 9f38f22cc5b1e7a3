//! Steps are carried out. A step that makes no sense now does nothing, so that any step can be left out of a plan.

use super::{
    client::acknowledgement,
    dice::Dice,
    network::Phase,
    orders,
    packets::{self, ConnectForm},
    plan::{Kind, Step},
    settings,
    world::{Judged, World},
};
use sanderling_core::{
    broker::{CloseCause, Command, Event, Fault, Lag, Layer},
    hooks::{AuthRuling, Verdict},
    packet::{PacketType, PropertiesBuf, QoS, Version},
    reason::ReasonCode,
    time::Instant,
};

const DAY_MS: u64 = 24 * 3600 * 1000;

impl World {
    /// Carries one step out, then lets everything move that moves by itself.
    pub(super) fn step(&mut self, step: Step) -> Judged {
        self.dice = Dice::new(step.dice);
        let client = step.client;
        match step.kind {
            Kind::Connect => self.connect(client)?,
            Kind::Publish => self.publish(client)?,
            Kind::Subscribe => self.subscribe(client)?,
            Kind::Unsubscribe => self.unsubscribe(client)?,
            Kind::Ping => self.say(client, &[0xC0, 0x00]),
            Kind::Acknowledge => self.acknowledge(client),
            Kind::Confuse => self.confuse(client),
            Kind::Authenticate => self.authenticate(client),
            Kind::Disconnect => self.disconnect(client),
            Kind::Close => self.lose(client, "close", CloseCause::PeerClosed)?,
            Kind::Reset => self.lose(client, "reset", CloseCause::Failed)?,
            Kind::Abandon => self.abandon(client),
            Kind::Garbage => self.garbage(client),
            Kind::Fault => self.layer_fault(client)?,
            Kind::Lag => self.lag(client)?,
            Kind::Arrive => self.arrive_some(client)?,
            Kind::Flush => self.flush_some(client)?,
            Kind::Stall => self.stall(client),
            Kind::Rule => self.rule(false)?,
            Kind::RuleAgain => self.rule(true)?,
            Kind::Wait => self.wait()?,
            Kind::WaitForTimer => self.wait_for_timer()?,
            Kind::Fire => {
                self.timer = None;
                self.report(&Event::TimerFired)?;
            }
            Kind::Order => self.order(client)?,
            Kind::Statistics => {
                let request = self.request();
                self.report(&Event::Ordered {
                    request,
                    command: Command::Statistics,
                })?;
            }
            Kind::Drained => self.drain_at_last()?,
            Kind::Restart => {
                let config = settings::draw(&mut self.dice);
                self.restart(config);
            }
            Kind::Drain => {
                let request = self.request();
                self.report(&Event::Ordered {
                    request,
                    command: Command::Drain,
                })?;
            }
        }
        self.settle()
    }

    /// The connection that a client uses, if it can be used.
    fn line(&self, client: usize) -> Option<usize> {
        let place = self.clients[client].conn?;
        (self.conns[place].phase != Phase::Closed).then_some(place)
    }

    fn say(&mut self, client: usize, bytes: &[u8]) {
        if let Some(place) = self.line(client) {
            self.conns[place].sent.extend_from_slice(bytes);
        }
    }

    /// The state that a fault on this client's connection meets.
    fn fault(&mut self, client: usize, fault: &'static str) {
        if let Some(place) = self.line(client) {
            let state = self.model.state_of(self.conns[place].id);
            self.tally.fault(fault, state);
        }
    }

    fn connect(&mut self, client: usize) -> Judged {
        let persona = self.clients[client].persona;
        let form = ConnectForm::draw(&mut self.dice, &persona, self.plan.shares);
        if let Some(place) = self.line(client) {
            // Mostly the former connection is kept: few clients open two.
            match self.dice.below(10) {
                0..6 => return Ok(()),
                6 | 7 => self.close(place, CloseCause::PeerClosed)?,
                _ => self.fault(client, "duplicate"),
            }
        }
        let is_lazy = self.dice.chance(persona.lazy);
        let place = self.open(client, is_lazy)?;
        if self.dice.chance(3) {
            // Says nothing.
            return Ok(());
        }
        let payload = self.payload(client, "w");
        let bytes = form.encode(&persona, &payload);
        self.conns[place].sent.extend(bytes);
        Ok(())
    }

    /// A payload that nothing else has.
    fn payload(&mut self, client: usize, kind: &str) -> Vec<u8> {
        let number = self.clients[client].published;
        self.clients[client].published += 1;
        let mut payload = format!("{kind}{client}.{number};").into_bytes();
        let padding = self.dice.one(self.plan.paddings);
        payload.resize(payload.len() + padding, b'.');
        payload
    }

    fn publish(&mut self, client: usize) -> Judged {
        let Some(place) = self.line(client) else {
            return self.connect(client);
        };
        // A few speak before they are answered.
        if !self.clients[client].is_connected && !self.dice.chance(15) {
            return Ok(());
        }
        if self.dice.chance(40) {
            return self.publish_in_a_row(client, place);
        }
        for _ in 0..self.dice.one(&[1, 1, 1, 2, 6]) {
            let (topic, qos) = (
                packets::any_topic(&mut self.dice, self.plan.shares),
                packets::any_qos(&mut self.dice),
            );
            let retain = self.dice.chance(20);
            let payload = match retain && self.dice.chance(25) {
                true => Vec::new(),
                false => self.payload(client, "m"),
            };
            let properties = packets::message_properties(&mut self.dice);
            let is_modest = self.dice.chance(95);
            if qos != QoS::AtMostOnce && is_modest && self.clients[client].outstanding() > 20 {
                return Ok(());
            }
            self.send_message(client, place, (topic, &payload, qos, retain), &properties);
        }
        Ok(())
    }

    /// Messages that differ in their payloads only.
    fn publish_in_a_row(&mut self, client: usize, place: usize) -> Judged {
        let topic = packets::any_topic(&mut self.dice, self.plan.shares);
        let [first, second, third] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
        let qos = self.dice.one(&[first, first, first, second, third]);
        let none = PropertiesBuf::new();
        for _ in 0..self.dice.one(&[2, 3, 8]) {
            if qos != first && self.clients[client].outstanding() > 20 {
                return Ok(());
            }
            let mut payload = self.payload(client, "r");
            // Not all who take the short ones take a long one.
            payload.resize(payload.len() + self.dice.one(&[0, 0, 0, 20]), b'.');
            self.send_message(client, place, (topic, &payload, qos, false), &none);
        }
        Ok(())
    }

    fn send_message(
        &mut self,
        client: usize,
        place: usize,
        (topic, payload, qos, retain): (&str, &[u8], QoS, bool),
        properties: &PropertiesBuf,
    ) {
        let speaker = &mut self.clients[client];
        let version = speaker.persona.version;
        let packet_id = (qos != QoS::AtMostOnce).then(|| speaker.free_id());
        let bytes = packets::publish(topic, payload, qos, retain, packet_id, properties, version);
        if let Some(packet_id) = packet_id {
            speaker.sends(packet_id, &bytes);
        }
        self.conns[place].sent.extend(bytes);
    }

    fn subscribe(&mut self, client: usize) -> Judged {
        if self.line(client).is_none() {
            return self.connect(client);
        }
        let version = self.clients[client].persona.version;
        let packet_id = self.clients[client].free_id();
        let bytes = packets::subscribe(&mut self.dice, self.plan.shares, packet_id, version);
        self.say(client, &bytes);
        Ok(())
    }

    fn unsubscribe(&mut self, client: usize) -> Judged {
        let version = self.clients[client].persona.version;
        let packet_id = self.clients[client].free_id();
        let bytes = packets::unsubscribe(&mut self.dice, self.plan.shares, packet_id, version);
        self.say(client, &bytes);
        Ok(())
    }

    fn acknowledge(&mut self, client: usize) {
        let count = self.dice.one(&[1, 1, 2, 100]);
        let speaker = &mut self.clients[client];
        if self.dice.chance(15) {
            speaker.owes.make_contiguous().reverse();
        }
        let reason = match self.dice.chance(15) {
            true => ReasonCode::UNSPECIFIED_ERROR,
            false => ReasonCode::SUCCESS,
        };
        let bytes = speaker.acknowledges(count, reason);
        self.say(client, &bytes);
    }

    /// Acknowledgements of anything, repeats, refusals.
    fn confuse(&mut self, client: usize) {
        let speaker = &mut self.clients[client];
        let version = speaker.persona.version;
        let bytes = if self.dice.chance(40) && speaker.is_connected {
            // All that is not through is sent once more on the same connection.
            speaker.again()
        } else {
            let mut packet = self.dice.one(&[
                PacketType::PubAck,
                PacketType::PubRec,
                PacketType::PubRel,
                PacketType::PubComp,
            ]);
            let mut id = 1 + self.dice.below(5) as u16;
            let mut reason = ReasonCode::SUCCESS;
            if let (Some(owed), true) = (speaker.owes.front(), self.dice.chance(50)) {
                (packet, id) = *owed;
            }
            if matches!(packet, PacketType::PubAck | PacketType::PubRec) && self.dice.chance(40) {
                reason = ReasonCode::UNSPECIFIED_ERROR;
            }
            acknowledgement(packet, id, reason, version)
        };
        self.say(client, &bytes);
    }

    /// AUTH, hardly ever out of turn.
    fn authenticate(&mut self, client: usize) {
        let speaker = &mut self.clients[client];
        let is_able = speaker.persona.version == Version::V5 && speaker.persona.authenticates > 1;
        if is_able && (speaker.may_authenticate() || self.dice.chance(5)) {
            let bytes = speaker.authenticates();
            self.say(client, &bytes);
        }
    }

    fn disconnect(&mut self, client: usize) {
        let version = self.clients[client].persona.version;
        let bytes = packets::disconnect(&mut self.dice, version);
        self.say(client, &bytes);
    }

    fn lose(&mut self, client: usize, fault: &'static str, cause: CloseCause) -> Judged {
        let Some(place) = self.line(client) else {
            return Ok(());
        };
        self.fault(client, fault);
        self.close(place, cause)
    }

    fn abandon(&mut self, client: usize) {
        if let Some(place) = self.line(client) {
            self.fault(client, "half-open");
            self.conns[place].is_stalled = true;
            self.clients[client].leaves();
        }
    }

    fn garbage(&mut self, client: usize) {
        let persona = self.clients[client].persona;
        if persona.hostile {
            self.fault(client, "garbage");
            let bytes = packets::garbage(&mut self.dice, &persona);
            self.say(client, &bytes);
        }
    }

    /// TLS or WebSocket find something wrong, before or after MQTT has begun.
    fn layer_fault(&mut self, client: usize) -> Judged {
        let Some(place) = self.line(client) else {
            return Ok(());
        };
        if std::mem::replace(&mut self.conns[place].is_malformed, true) {
            return Ok(());
        }
        self.fault(client, "layer fault");
        let fault = Fault {
            layer: self.dice.one(&[Layer::Proxy, Layer::Tls, Layer::WebSocket]),
            what: "simulated",
        };
        let conn = self.conns[place].id;
        self.report(&Event::Faulted { conn, fault })
    }

    /// The driver finds that a peer is too slow: it has begun a packet, or takes nothing.
    fn lag(&mut self, client: usize) -> Judged {
        let Some(place) = self.line(client) else {
            return Ok(());
        };
        let conn = &self.conns[place];
        let lag = match (conn.inbound.is_empty(), conn.outbound.is_empty()) {
            _ if conn.phase != Phase::Open => return Ok(()),
            (_, false) => Lag::Output,
            (false, true) if !conn.is_held => Lag::Packet,
            _ => return Ok(()),
        };
        let conn = conn.id;
        self.fault(client, "lag");
        self.report(&Event::Lagged { conn, lag })
    }

    /// Any open connection, preferably one of this client.
    fn some_line(&mut self, client: usize) -> Option<usize> {
        let place = match self.line(client) {
            Some(place) if self.dice.chance(70) => place,
            _ if self.conns.is_empty() => return None,
            _ => self.dice.below(self.conns.len()),
        };
        (self.conns[place].phase != Phase::Closed).then_some(place)
    }

    fn arrive_some(&mut self, client: usize) -> Judged {
        let Some(place) = self.some_line(client) else {
            return Ok(());
        };
        let all = self.conns[place].sent.len();
        let count = self.dice.one(&[1, 3, all / 2, all, all]);
        if count < all {
            let state = self.model.state_of(self.conns[place].id);
            self.tally.fault("split", state);
        }
        self.progress(place)?;
        self.arrive(place, count)?;
        Ok(())
    }

    fn flush_some(&mut self, client: usize) -> Judged {
        let Some(place) = self.some_line(client) else {
            return Ok(());
        };
        if self.conns[place].is_stalled {
            return Ok(());
        }
        let all = self.conns[place].outbound.len();
        let count = self.dice.one(&[1, 5, all / 2, all, all]);
        self.flush(place, count)?;
        Ok(())
    }

    /// The driver has read all of a connection whose session is about to go, and says so.
    fn drain_at_last(&mut self) -> Judged {
        let pending = |conn: &super::network::Conn| conn.is_to_drain && conn.drains_later;
        let Some(place) = self.conns.iter().position(pending) else {
            return Ok(());
        };
        self.conns[place].drains_later = false;
        self.drain(place)?;
        Ok(())
    }

    fn stall(&mut self, client: usize) {
        if let Some(place) = self.some_line(client) {
            let state = self.model.state_of(self.conns[place].id);
            let is_stalled = &mut self.conns[place].is_stalled;
            *is_stalled = !*is_stalled;
            if *is_stalled {
                self.tally.fault("stall", state);
            }
        }
    }

    fn rule(&mut self, again: bool) -> Judged {
        let tickets = if again {
            &self.settled
        } else {
            &self.questions
        };
        if tickets.is_empty() {
            return Ok(());
        }
        // What is long settled is about connections that are gone.
        let oldest = tickets.len().saturating_sub(4);
        let (ticket, about) = tickets[oldest + self.dice.below(tickets.len() - oldest)];
        if again {
            let state = self.model.state_of(about);
            self.tally.fault("late verdict", state);
        }
        let verdict = match self.dice.below(13) {
            0..6 => Verdict::Permit,
            10 => Verdict::Authenticate(AuthRuling::Ask),
            11 => Verdict::Authenticate(match self.dice.below(3) {
                0 => AuthRuling::Continue(b"more".to_vec()),
                1 => AuthRuling::Succeed(Some(b"done".to_vec())),
                _ => AuthRuling::UnknownMethod,
            }),
            6 => Verdict::Refuse(ReasonCode::NOT_AUTHORIZED),
            7 => Verdict::Refuse(ReasonCode::SUCCESS),
            12 => {
                self.orders += 1;
                let text = format!("v{};", self.orders);
                let other = orders::publication(&mut self.dice, text, self.plan.shares);
                Verdict::Replace(Box::new(other))
            }
            _ => Verdict::Grant(vec![
                Ok(packets::any_qos(&mut self.dice)),
                Err(ReasonCode::NOT_AUTHORIZED),
                Ok(QoS::AtLeastOnce),
            ]),
        };
        self.report(&Event::Ruled { ticket, verdict })?;
        Ok(())
    }

    /// Time passes; the timer fires each time it is due, or only at the end, as after a pause of the process.
    fn wait(&mut self) -> Judged {
        let time_ms = self
            .dice
            .magnitude(30 * DAY_MS)
            .min(self.dice.magnitude(30 * DAY_MS));
        let pauses = self.dice.chance(20);
        self.time_passes(if pauses { "leap" } else { "time" });
        self.close_ordered(false)?;
        self.sleep(self.now_ms + time_ms, pauses)
    }

    fn time_passes(&mut self, how: &'static str) {
        let open: Vec<_> = self
            .conns
            .iter()
            .filter(|conn| conn.phase == Phase::Open)
            .map(|conn| conn.id)
            .collect();
        for id in open {
            let state = self.model.state_of(id);
            self.tally.fault(how, state);
        }
    }

    /// Time passes until then. After many turns of the timer the process pauses, so that a resend every second does not
    /// make a month long.
    pub(super) fn sleep(&mut self, until_ms: u64, pauses: bool) -> Judged {
        let firings_max = if pauses { 0 } else { 100 };
        for _ in 0..firings_max {
            let Some(at) = self.timer.filter(|at| at.as_millis() <= until_ms) else {
                break;
            };
            // Each event takes a millisecond.
            self.now_ms = self.now_ms.max(at.as_millis().saturating_sub(1));
            self.settle()?;
        }
        self.now_ms = self.now_ms.max(until_ms);
        self.settle()
    }

    /// To the timer, or a millisecond beside it.
    fn wait_for_timer(&mut self) -> Judged {
        let Some(at) = self.timer.filter(|at| *at < Instant::FAR_FUTURE) else {
            return Ok(());
        };
        if at.as_millis() > self.now_ms + 60 * DAY_MS {
            return Ok(());
        }
        self.time_passes("time");
        let beside = self.dice.one(&[0, 1, 2, 3]);
        self.now_ms = self.now_ms.max((at.as_millis() + beside).saturating_sub(3));
        Ok(())
    }

    /// The program around the broker publishes, subscribes for a client, ends something.
    fn order(&mut self, client: usize) -> Judged {
        self.orders += 1;
        let text = format!("o{};", self.orders);
        let client_id = self.clients[client].persona.client_id;
        let command = orders::command(&mut self.dice, client_id, text, self.plan.shares);
        let request = self.request();
        self.report(&Event::Ordered { request, command })?;
        Ok(())
    }
}
