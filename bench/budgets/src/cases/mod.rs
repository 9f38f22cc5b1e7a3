//! The cases, in the order of the way of a message: decode, match, encode, whole turns; then what stands beside it.

mod codec;
mod flows;
mod index;
mod publish;
mod timers;

use crate::rounds::Rounds;

/// A piece of work and what one unit of it is.
pub struct Case {
    /// In the table and on command lines.
    pub name: &'static str,
    /// What is done.
    pub what: &'static str,
    /// Units in one round.
    pub per: u32,
    /// The cost of this case is taken off first: what is left is what the further units cost.
    pub less: Option<&'static str>,
    /// Does it.
    pub run: fn(&mut Rounds<'_>),
}

const fn case(name: &'static str, what: &'static str, per: u32, run: fn(&mut Rounds<'_>)) -> Case {
    Case {
        name,
        what,
        per,
        less: None,
        run,
    }
}

/// All of them.
pub const CASES: &[Case] = &[
    case(
        "nothing",
        "what counting itself adds to each case, in each round",
        1,
        |rounds| {
            while rounds.next() {
                rounds.count(|| {});
            }
        },
    ),
    case(
        "decode-publish",
        "QoS 0, 16 bytes, 3.1.1",
        1,
        codec::decode_publish,
    ),
    case(
        "lend-publish",
        "the same to a topic that repeats, as the pipeline asks for it",
        1,
        codec::lend_publish,
    ),
    case(
        "pipeline-publish",
        "the same by the pipeline over plain TCP: hardly more than lend-publish, no allocation",
        1,
        codec::pipeline_publish,
    ),
    case(
        "decode-publish-v5",
        "QoS 1, 64 bytes, with four properties",
        1,
        codec::decode_publish_v5,
    ),
    case(
        "encode-publish",
        "QoS 0, 16 bytes, 3.1.1",
        1,
        codec::encode_publish,
    ),
    case(
        "encode-publish-v5",
        "QoS 1, 64 bytes, with four properties",
        1,
        codec::encode_publish_v5,
    ),
    case(
        "match-exact",
        "a topic of five levels that 1 of 100,001 filters matches",
        1,
        index::exact,
    ),
    case(
        "match-wildcard",
        "the same, where it is `site/+/dev/N/#`",
        1,
        index::wildcard,
    ),
    case(
        "match-nothing",
        "a topic that none of 100,000 filters matches",
        1,
        index::nothing,
    ),
    case(
        "index-change",
        "a filter subscribed to and unsubscribed from among 100,000",
        1,
        index::change,
    ),
    case(
        "publish-qos0",
        "16 bytes to 1 subscriber, from bytes read to the frame in its outbox: aim 350, no allocation",
        1,
        publish::qos0,
    ),
    case(
        "publish-qos0-32",
        "the same, each of 32 messages that were read at once",
        32,
        publish::qos0_many,
    ),
    Case {
        less: Some("publish-qos0"),
        ..case(
            "publish-qos0-further",
            "the same, each further subscriber: aim 60, no allocation",
            100,
            publish::qos0_to_101,
        )
    },
    case(
        "publish-qos0-nobody",
        "16 bytes that nobody subscribed to",
        1,
        publish::qos0_to_nobody,
    ),
    case(
        "publish-v5",
        "QoS 0, 64 bytes, with four properties, to 1 subscriber of 5.0",
        1,
        publish::v5,
    ),
    case(
        "publish-retained",
        "QoS 0, 64 bytes, takes the place of a retained message",
        1,
        publish::retained,
    ),
    case(
        "publish-retained-new",
        "QoS 0, 64 bytes, retained for a topic that had no message; bytes with the slack of what grows",
        1,
        publish::retained_anew,
    ),
    case(
        "publish-shared",
        "QoS 0, 16 bytes, to one of a group of 8",
        1,
        publish::shared,
    ),
    case(
        "queue-qos1",
        "64 bytes queued for a session that is away, and the PUBACK",
        1,
        publish::queued,
    ),
    case(
        "turn-qos0",
        "a whole turn: read, 16 bytes to 1 subscriber, written",
        1,
        publish::turn_qos0,
    ),
    case(
        "turn-qos0-ws",
        "turn-qos0 over WebSocket on both sides: what a layer costs those who speak it",
        1,
        publish::turn_qos0_framed,
    ),
    case(
        "turn-qos1",
        "whole turns: PUBLISH and PUBACK on both sides, 64 bytes",
        1,
        publish::turn_qos1,
    ),
    case(
        "turn-qos1-32",
        "the same, each of 32 messages that were read at once, and their PUBACKs too",
        32,
        publish::turn_qos1_many,
    ),
    case(
        "turn-qos2",
        "whole turns: all eight packets of both sides, 64 bytes",
        1,
        publish::turn_qos2,
    ),
    case(
        "turn-qos2-32",
        "the same, each of 32 messages whose packets come in rows",
        32,
        publish::turn_qos2_many,
    ),
    case(
        "connect",
        "a connection is accepted, CONNECT, CONNACK, 3.1.1, clean session",
        1,
        flows::connect,
    ),
    case(
        "subscribe",
        "SUBSCRIBE to one new filter, SUBACK",
        1,
        flows::subscribe,
    ),
    case("ping", "PINGREQ, PINGRESP", 1, flows::ping),
    case(
        "idle",
        "a client connects, subscribes to a filter and stays; its bytes with the slack of all tables that grow",
        1,
        flows::idle,
    ),
    case(
        "timer-set",
        "a timer set and cancelled among 10,000",
        1,
        timers::set,
    ),
    case(
        "timer-fire",
        "each of 1,000 timers that fire within a second",
        1_000,
        timers::fire,
    ),
    case(
        "keep-alive",
        "each of 1,000 idle connections when its keep alive is looked at",
        1_000,
        timers::keep_alive,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_runs_and_says_what_it_is() {
        for case in CASES {
            assert!(case.per > 0 && !case.what.is_empty(), "{}", case.name);
            let mut counted = 0;
            (case.run)(&mut Rounds::few(&mut |work| {
                counted += 1;
                work();
            }));
            assert!(counted >= 2, "{}", case.name);
        }
    }
}
