//! The deliberate bugs: each is one place in the core and what is written there instead.

/// A bug that the simulator must find.
#[derive(Debug)]
pub(crate) struct Bug {
    /// What `cargo xtask bugs NAME` takes.
    pub(crate) name: &'static str,
    /// Under `core/src/`.
    pub(crate) file: &'static str,
    /// Stands there exactly once.
    pub(crate) right: &'static str,
    pub(crate) wrong: &'static str,
}

const fn bug(
    name: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
) -> Bug {
    Bug {
        name,
        file,
        right,
        wrong,
    }
}

/// All of them, by the invariant that they break.
pub(crate) const BUGS: &[Bug] = &[
    bug(
        "user-properties-lost",
        "message.rs",
        "            | Property::UserProperty(..)\n",
        "",
    ),
    bug(
        "qos0-overtakes-qos0",
        "broker/deliver.rs",
        "qos == QoS::AtMostOnce && !self.sessions.get(number).queue.holds_qos0()",
        "qos == QoS::AtMostOnce",
    ),
    bug(
        "qos2-repeat-taken-as-new",
        "broker/publish.rs",
        "            .contains(packet_id)\n            .then_some(packet_id)",
        "            .release(packet_id)\n            .then_some(packet_id)\n            .filter(|_| false)",
    ),
    bug(
        "acks-in-a-row-open-no-window",
        "broker/acknowledge.rs",
        "has_room |= outbound.acknowledge(packet_id);",
        "outbound.acknowledge(packet_id);",
    ),
    bug(
        "pubrecs-in-a-row-go-before-the-queue",
        "broker/acknowledge.rs",
        "acks.packet_type() == PacketType::PubRec && self.hot[number as usize].backlog;",
        "acks.packet_type() == PacketType::PubRec && false;",
    ),
    bug(
        "qos2-repeat-in-a-run-taken-as-new",
        "broker/acknowledged_run.rs",
        "fits && !run.packet_ids().any(|(_, id)| inbound.contains(id))",
        "fits",
    ),
    bug(
        "a-run-is-upgraded",
        "broker/acknowledged_run.rs",
        "receiver.options.qos() >= run.qos()",
        "receiver.options.qos() >= QoS::AtMostOnce",
    ),
    bug(
        "a-run-keeps-identifiers-of-the-publisher",
        "broker/acknowledged_run.rs",
        "copy[at..at + 2].copy_from_slice(&packet_id.get().to_be_bytes());",
        "let _ = (&copy, at, packet_id);",
    ),
    bug(
        "unknown-pubrel-succeeds",
        "broker/acknowledge.rs",
        "answer(session.inbound.release(packet_id))",
        "answer(session.inbound.release(packet_id) || true)",
    ),
    bug(
        "unknown-pubrec-succeeds",
        "broker/acknowledge.rs",
        "            answer(known)\n        };",
        "            answer(known || true)\n        };",
    ),
    bug(
        "pubrel-frees-nothing",
        "broker/acknowledge.rs",
        "answer(session.inbound.release(packet_id))",
        "answer(session.inbound.contains(packet_id))",
    ),
    bug(
        "error-pubrec-frees-nothing",
        "broker/acknowledge.rs",
        "if outbound.reject(ack.packet_id) {",
        "if ack.packet_id.get() == 0 && outbound.reject(ack.packet_id) {",
    ),
    bug(
        "pubrel-not-sent-again",
        "broker/pump.rs",
        "session.outbound.releasing().collect();",
        "session.outbound.releasing().take(0).collect();",
    ),
    bug(
        "resend-without-dup",
        "broker/pump.rs",
        "self.encode_queued(number, queued, true, actions)",
        "self.encode_queued(number, queued, false, actions)",
    ),
    bug(
        "published-qos-wins",
        "broker/deliver.rs",
        "let qos = message.qos.min(receiver.options.qos());\n        // [MQTT-3.3.1-12]",
        "let qos = message.qos;\n        // [MQTT-3.3.1-12]",
    ),
    bug(
        "no-local-ignored",
        "broker/deliver.rs",
        "member.options.no_local() && Some(member.session) == origin",
        "member.options.no_local() && Some(member.session) == origin && origin.is_none()",
    ),
    bug(
        "receive-maximum-off-by-one",
        "broker/connect.rs",
        "limits.inflight_max.min(receive_maximum).max(1)",
        "limits.inflight_max.min(receive_maximum.saturating_add(1)).max(1)",
    ),
    bug(
        "own-receive-maximum-off-by-one",
        "broker/publish.rs",
        "self.session_of(conn).inbound.len() >= receive_maximum",
        "self.session_of(conn).inbound.len() > receive_maximum",
    ),
    bug(
        "packet-size-off-by-one",
        "broker/deliver.rs",
        "            if encoded.bytes > hot.packet_bytes_max {\n                self.lose",
        "            if encoded.bytes > hot.packet_bytes_max + 1 {\n                self.lose",
    ),
    bug(
        "queue-ignores-bytes",
        "broker/enqueue.rs",
        "let too_large = queue.bytes() + cost > bytes_max;",
        "let too_large = cost > bytes_max;",
    ),
    bug(
        "queue-loses-the-oldest",
        "session/queue.rs",
        "let (_, queued) = match lists.qos0.pop_front() {",
        "let spared = !lists.acknowledged.is_empty();
        let (_, queued) = match if spared { None } else { lists.qos0.pop_front() } {",
    ),
    bug(
        "stall-after-puback",
        "broker/acknowledge.rs",
        "            .acknowledge(ack.packet_id)\n        {\n            self.go_on(conn, actions);",
        "            .acknowledge(ack.packet_id)\n        {\n            let _ = actions;",
    ),
    bug(
        "session-never-present",
        "broker/connect.rs",
        "let present = resumed.is_some();",
        "let present = resumed.is_some() && connect.clean_start;",
    ),
    bug(
        "takeover-not-told",
        "broker/disconnect.rs",
        "End::TakenOver => Some(ReasonCode::SESSION_TAKEN_OVER),",
        "End::TakenOver => None,",
    ),
    bug(
        "session-expires-while-connected",
        "broker/connect.rs",
        "let timers = [session.timer.take(), session.will_timer.take()];",
        "let timers = [None, session.will_timer.take()];",
    ),
    bug(
        "disconnect-keeps-the-expiry",
        "broker/disconnect.rs",
        "            session.expiry_s = asked.min(cap);",
        "            let _ = asked.min(cap);",
    ),
    bug(
        "subscription-outlives-session",
        "broker/disconnect.rs",
        "self.statistics.subscriptions_current -= count;",
        "self.statistics.subscriptions_current -= count.min(1);",
    ),
    bug(
        "retained-not-removed",
        "broker/publish.rs",
        "        if message.payload.as_slice().is_empty() {\n            self.retained.remove(message.topic);",
        "        if message.payload.as_slice().is_empty() {\n            let _ = message.topic;",
    ),
    bug(
        "retain-handling-ignored",
        "broker/subscribe.rs",
        "RetainHandling::SendIfNew => is_new,",
        "RetainHandling::SendIfNew => true,",
    ),
    bug(
        "retain-as-published-ignored",
        "broker/deliver.rs",
        "let retain = message.retain && receiver.options.retain_as_published();",
        "let retain = message.retain;",
    ),
    bug(
        "expired-retained-replayed",
        "retained.rs",
        "if message.is_expired(now) {",
        "if message.is_expired(now) && replay.granted == QoS::ExactlyOnce {",
    ),
    bug(
        "will-lost-at-takeover",
        "broker/disconnect.rs",
        "            End::Disconnected(ReasonCode::NORMAL_DISCONNECTION) => None,\n            _ => will,",
        "            End::Disconnected(ReasonCode::NORMAL_DISCONNECTION) | End::TakenOver => None,\n            _ => will,",
    ),
    bug(
        "will-after-good-bye",
        "broker/disconnect.rs",
        "            End::Disconnected(ReasonCode::NORMAL_DISCONNECTION) => None,\n            _ => will,",
        "            _ => will,",
    ),
    bug(
        "will-forgotten-at-session-end",
        "broker/disconnect.rs",
        "        if let Some(will) = session.will.take() {\n            self.publish_will(number, &will, actions);\n        }\n        // A connection",
        "        if let Some(will) = session.will.take().filter(|will| will.delay_s == 0) {\n            self.publish_will(number, &will, actions);\n        }\n        // A connection",
    ),
    bug(
        "hash-matches-dollar",
        "topic/index.rs",
        "if topic.starts_with('$') {",
        "if topic.starts_with(\"$S\") {",
    ),
    bug(
        "unsubscribed-still-routed",
        "broker/subscribe.rs",
        "            self.routes.unsubscribe(filter.path(), number);",
        "            let _ = (filter.path(), number);",
    ),
    bug(
        "refused-filter-granted",
        "broker/permit.rs",
        "                if let Some(reason) = refused {\n                    request.granted = Err(reason);",
        "                if let Some(reason) = refused.filter(|_| request.granted.is_err()) {\n                    request.granted = Err(reason);",
    ),
    bug(
        "refused-connect-admitted",
        "broker/permit.rs",
        "Ruling::Refuse(reason) => worst = worst.max(refusal(reason)),",
        "Ruling::Refuse(reason) => worst = worst.max(reason),",
    ),
    bug(
        "keep-alive-too-strict",
        "broker/connect.rs",
        "u32::from(keep_alive_s) * 1500",
        "u32::from(keep_alive_s) * 1000",
    ),
    bug(
        "expiry-not-counted-down",
        "message.rs",
        "u64::from(left.subsec_nanos() > 0)",
        "u64::from(left.subsec_nanos() > 0) * 2",
    ),
    bug(
        "expired-message-sent",
        "broker/pump.rs",
        "let expired = front.message.is_expired(now);",
        "let expired = front.message.is_expired(now) && front.qos == QoS::AtMostOnce;",
    ),
    bug(
        "alias-survives-its-connection",
        "broker/connect.rs",
        "            (aliases_max > 0).then(|| aliases::Outbound::new(aliases_max).into());",
        "            (aliases_max > 0).then(|| aliases::Outbound::new(aliases_max + 1).into());",
    ),
    bug(
        "deadline-not-announced",
        "broker/state.rs",
        "self.earliest = self.earliest.min(Instant::from_millis(millis));",
        "self.earliest = self.earliest.min(Instant::from_millis(millis + 1));",
    ),
    bug(
        "held-connection-read-on",
        "broker/consult.rs",
        "        if is_free && self.state.flow(conn) == Flow::Continue {\n",
        "        if is_free && actions.is_empty() {\n",
    ),
    bug(
        "begun-qos2-moves-to-another-member",
        "broker/share.rs",
        "            if queued.qos == QoS::ExactlyOnce {",
        "            if queued.qos == QoS::AtMostOnce {",
    ),
    bug(
        "group-message-sent-twice",
        "broker/deliver.rs",
        "            taken += u32::from(was_taken);",
        "            taken += u32::from(was_taken);\n            let _ = self.offer_to_group(group, None, message, &mut kept, actions);",
    ),
    bug(
        "heir-of-a-held-connection-admitted",
        "broker/takeover.rs",
        "            if let Some(rival) = self.state.live_mut(old).successor.take() {\n                self.end(rival, End::TakenOver, actions);\n            }\n",
        "",
    ),
    bug(
        "held-client-taken-for-silent",
        "broker/consult.rs",
        "        live.last_received = now;\n",
        "        let _ = now;\n",
    ),
    bug(
        "silent-listener-read-on",
        "broker/pump.rs",
        "live.throttled = self.hot[live.session as usize].answer_bytes >= answer_bytes_max.max(1);",
        "live.throttled = self.hot[live.session as usize].answer_bytes > answer_bytes_max.max(1);",
    ),
    bug(
        "expired-retained-takes-room",
        "broker/publish.rs",
        "        self.retained.purge(self.now);\n",
        "",
    ),
    bug(
        "queue-emptied-in-vain",
        "broker/enqueue.rs",
        "cost > bytes_max || total - queue.bytes() + cost > total_max",
        "cost > bytes_max",
    ),
    bug(
        "group-message-lost-with-who-left",
        "broker/subscribe.rs",
        "            self.leave_group(filter, number);\n",
        "            session.joined_groups = false;\n            self.leave_group(filter, number);\n",
    ),
    bug(
        "authentication-one-step-too-long",
        "broker/authenticate.rs",
        "if authentication.steps > steps_max {",
        "if authentication.steps > steps_max.saturating_add(1) {",
    ),
    bug(
        "re-authentication-unanswered",
        "broker/authenticate.rs",
        "            self.send_auth(conn, ReasonCode::SUCCESS, &properties, actions);\n            return Flow::Continue;",
        "            let _ = properties;\n            return Flow::Continue;",
    ),
    bug(
        "layers-share-one-deadline",
        "broker/open.rs",
        "            connection.phase = phase_at(stage);\n            self.wait_for(conn, stage);\n        }\n        Flow::Continue",
        "            connection.phase = phase_at(stage);\n        }\n        Flow::Continue",
    ),
    bug(
        "listener-limit-ignored",
        "broker/state.rs",
        "self.limits.get(listener).unwrap_or(&self.config.limits)",
        "self.limits.get(listener).filter(|_| false).unwrap_or(&self.config.limits)",
    ),
    bug(
        "inflight-bytes-ignored",
        "broker/deliver.rs",
        "match self.sessions.get(number).outbound.bytes() < bytes_max {",
        "match self.sessions.get(number).outbound.bytes() < bytes_max || true {",
    ),
    bug(
        "filter-bytes-ignored",
        "broker/subscribe.rs",
        "|| session.subscription_bytes + cost > bytes_max;",
        "|| session.subscription_bytes + cost > bytes_max.saturating_mul(2);",
    ),
    bug(
        "hook-orders-one-too-many",
        "hooks/chain.rs",
        "            self.left = self.max;",
        "            self.left = self.max.saturating_add(1);",
    ),
    bug(
        "heir-outlives-an-ended-session",
        "broker/command.rs",
        "while self.close(client_id, ReasonCode::ADMINISTRATIVE_ACTION, actions) {",
        "if self.close(client_id, ReasonCode::ADMINISTRATIVE_ACTION, actions) {",
    ),
    bug(
        "subscriptions-ahead-without-limit",
        "broker/command.rs",
        "            || bytes + cost > limits.subscription_bytes_per_session_max;",
        "            || bytes > limits.subscription_bytes_per_session_max;",
    ),
    bug(
        "run-reaches-its-publisher",
        "broker/run.rs",
        "            if is_unwanted(receiver, Some(copies.origin)) {",
        "            if is_unwanted(receiver, None) {",
    ),
    bug(
        "run-overtakes-the-queue",
        "broker/run.rs",
        "hot.online && !hot.backlog && !hot.aliases",
        "hot.online && !hot.aliases",
    ),
    bug(
        "run-larger-than-its-reader-takes",
        "broker/run.rs",
        "            && run.longest_bytes() <= hot.packet_bytes_max\n",
        "",
    ),
];
