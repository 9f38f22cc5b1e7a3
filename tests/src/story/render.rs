//! What clients receive, from packets to words.

use super::{property, reason, word::Word};
use sanderling_core::{
    broker::Answer,
    packet::{Ack, ConnAck, Disconnect, Publish, QoS, ServerPacket, SubAck, UnsubAck, Version},
    reason::ReasonCode,
    stats::Statistics,
};

/// A packet, all of it: name, fields in the order of the standard, properties.
pub(super) fn packet(packet: &ServerPacket<'_>, version: Version) -> Vec<Word> {
    match packet {
        ServerPacket::ConnAck(packet) => connack(packet, version),
        ServerPacket::Publish(packet) => publish(packet),
        ServerPacket::PubAck(packet) => ack("puback", packet),
        ServerPacket::PubRec(packet) => ack("pubrec", packet),
        ServerPacket::PubRel(packet) => ack("pubrel", packet),
        ServerPacket::PubComp(packet) => ack("pubcomp", packet),
        ServerPacket::SubAck(packet) => suback(packet, version),
        ServerPacket::UnsubAck(packet) => unsuback(packet, version),
        ServerPacket::PingResp => vec![Word::plain("pingresp")],
        ServerPacket::Disconnect(packet) => disconnect(packet),
        ServerPacket::Auth(packet) => {
            let head = [
                Word::plain("auth"),
                Word::plain(reason::name(packet.reason)),
            ];
            head.into_iter()
                .chain(property::describe(packet.properties))
                .collect()
        }
    }
}

/// The answer to a command.
pub(super) fn answer(answer: &Answer) -> Vec<Word> {
    match answer {
        Answer::Published { receivers } => {
            vec![Word::plain("published"), Word::pair("receivers", receivers)]
        }
        Answer::Subscribed(outcomes) => {
            let outcomes = outcomes.iter().map(|outcome| match outcome {
                Ok(true) => Word::plain("replaced"),
                Ok(false) => Word::plain("new"),
                Err(reason) => Word::plain(reason::name(*reason)),
            });
            [Word::plain("subscribed")]
                .into_iter()
                .chain(outcomes)
                .collect()
        }
        Answer::Unsubscribed(outcomes) => {
            let outcomes = outcomes.iter().map(Word::plain);
            [Word::plain("unsubscribed")]
                .into_iter()
                .chain(outcomes)
                .collect()
        }
        Answer::Retained => vec![Word::plain("retained")],
        Answer::RetainedFull => vec![Word::plain("retained_full")],
        Answer::Closed(closed) => vec![Word::plain("closed"), Word::plain(closed)],
        Answer::InvalidTopic(_) => vec![Word::plain("invalid_topic")],
        Answer::TopicTooDeep => vec![Word::plain("topic_too_deep")],
        Answer::TooLarge => vec![Word::plain("too_large")],
        Answer::Statistics(statistics) => counters(statistics),
        Answer::Drained => vec![Word::plain("drained")],
    }
}

/// All counters; those by QoS as `1,0,2`. An expectation names the ones it is about.
fn counters(statistics: &Statistics) -> Vec<Word> {
    let by_qos = |[zero, one, two]: [u64; 3]| format!("{zero},{one},{two}");
    let mut words = vec![Word::plain("statistics")];
    let Statistics {
        packets_received: _,
        packets_sent: _,
        packet_bytes_received: _,
        packet_bytes_sent: _,
        messages_received,
        messages_sent,
        messages_dropped,
        messages_dropped_by_cause: _,
        messages_unrouted,
        connections_opened,
        connections_current,
        clients_connected,
        clients_disconnected,
        connects_refused,
        connects_refused_by_reason: _,
        connects_took: _,
        protocol_errors,
        sessions_active_current,
        sessions_inactive_current,
        sessions_created,
        sessions_ended,
        sessions_discarded,
        sessions_expired,
        subscriptions_current,
        subscriptions_made,
        messages_queued_current,
        queued_bytes_current,
        retained_refused,
        retained_current,
        verdicts_late,
    } = statistics;
    for (name, counts) in [
        ("messages_received", messages_received),
        ("messages_sent", messages_sent),
        ("messages_dropped", messages_dropped),
    ] {
        words.push(Word::pair(name, by_qos(*counts)));
    }
    for (name, count) in [
        ("messages_unrouted", *messages_unrouted),
        ("sessions_created", *sessions_created),
        ("sessions_ended", *sessions_ended),
        ("sessions_discarded", *sessions_discarded),
        ("connections_opened", *connections_opened),
        ("connections_current", u64::from(*connections_current)),
        ("clients_connected", *clients_connected),
        ("clients_disconnected", *clients_disconnected),
        ("connects_refused", *connects_refused),
        ("protocol_errors", *protocol_errors),
        (
            "sessions_active_current",
            u64::from(*sessions_active_current),
        ),
        (
            "sessions_inactive_current",
            u64::from(*sessions_inactive_current),
        ),
        ("sessions_expired", *sessions_expired),
        ("subscriptions_current", u64::from(*subscriptions_current)),
        ("subscriptions_made", *subscriptions_made),
        ("messages_queued_current", *messages_queued_current),
        ("queued_bytes_current", *queued_bytes_current),
        ("retained_refused", *retained_refused),
        ("retained_current", u64::from(*retained_current)),
        ("verdicts_late", *verdicts_late),
    ] {
        words.push(Word::pair(name, count));
    }
    words
}

fn connack(packet: &ConnAck<'_>, version: Version) -> Vec<Word> {
    let reason = match version {
        Version::V5 => reason::name(packet.reason),
        Version::V31 | Version::V311 => reason::return_code_name(packet.reason),
    };
    let mut words = vec![Word::plain("connack"), Word::plain(reason)];
    if packet.session_present {
        words.push(Word::plain("session_present"));
    }
    words.extend(property::describe(packet.properties));
    words
}

fn publish(packet: &Publish<'_>) -> Vec<Word> {
    let mut words = vec![
        Word::plain("publish"),
        Word::plain(packet.topic),
        Word::bytes(packet.payload),
    ];
    if packet.qos != QoS::AtMostOnce {
        words.push(Word::pair("qos", packet.qos));
    }
    if let Some(packet_id) = packet.packet_id {
        words.push(Word::pair("id", packet_id));
    }
    for (is_set, flag) in [(packet.dup, "dup"), (packet.retain, "retain")] {
        if is_set {
            words.push(Word::plain(flag));
        }
    }
    words.extend(property::describe(packet.properties));
    words
}

fn ack(name: &str, packet: &Ack<'_>) -> Vec<Word> {
    let mut words = vec![Word::plain(name), Word::plain(packet.packet_id)];
    if packet.reason != ReasonCode::SUCCESS {
        words.push(Word::plain(reason::name(packet.reason)));
    }
    words.extend(property::describe(packet.properties));
    words
}

fn suback(packet: &SubAck<'_>, version: Version) -> Vec<Word> {
    let mut words = vec![Word::plain("suback"), Word::plain(packet.packet_id)];
    words.extend(packet.codes.iter().map(|code| match version {
        Version::V31 | Version::V311 if code.is_error() => Word::plain("failure"),
        _ => Word::plain(reason::suback_name(code)),
    }));
    words.extend(property::describe(packet.properties));
    words
}

fn unsuback(packet: &UnsubAck<'_>, version: Version) -> Vec<Word> {
    let mut words = vec![Word::plain("unsuback"), Word::plain(packet.packet_id)];
    if version == Version::V5 {
        words.extend(
            packet
                .codes
                .iter()
                .map(|code| Word::plain(reason::name(code))),
        );
    }
    words.extend(property::describe(packet.properties));
    words
}

fn disconnect(packet: &Disconnect<'_>) -> Vec<Word> {
    let mut words = vec![
        Word::plain("disconnect"),
        Word::plain(reason::name(packet.reason)),
    ];
    words.extend(property::describe(packet.properties));
    words
}
