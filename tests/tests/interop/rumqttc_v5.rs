//! rumqttc's module for 5.0.

use std::net::SocketAddr;
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, Packet, SubscribeReasonCode};
use rumqttc::v5::{Client as Requests, Connection, Event, MqttOptions};

use crate::rumqttc_peer::{Client, KEEP_ALIVE, Message, PACKET_BYTES_MAX, Seen, Ways};

pub(crate) struct V5 {
    requests: Requests,
    connection: Connection,
}

impl Client for V5 {
    fn open(address: SocketAddr, ways: Ways) -> Self {
        let mut options =
            MqttOptions::new(ways.client_id, address.ip().to_string(), address.port());
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(Some(PACKET_BYTES_MAX))
            .set_clean_start(!ways.keep_session)
            .set_session_expiry_interval(ways.keep_session.then_some(600))
            .set_manual_acks(ways.manual_acks);
        if let Some(will) = ways.will {
            options.set_last_will(LastWill::new(
                will.topic,
                will.payload,
                qos(will.qos),
                will.retain,
                None,
            ));
        }
        let (requests, connection) = Requests::new(options, 10);
        Self {
            requests,
            connection,
        }
    }

    fn subscribe(&self, filter: &str, level: u8) {
        self.requests
            .subscribe(filter, qos(level))
            .expect("the connection takes requests");
    }

    fn unsubscribe(&self, filter: &str) {
        self.requests
            .unsubscribe(filter)
            .expect("the connection takes requests");
    }

    fn publish(&self, message: Message) {
        self.requests
            .publish(
                message.topic,
                qos(message.qos),
                message.retain,
                message.payload,
            )
            .expect("the connection takes requests");
    }

    fn disconnect(&self) {
        self.requests
            .disconnect()
            .expect("the connection takes requests");
    }

    fn turn(&mut self, limit: Duration) -> Result<(Seen, String), String> {
        let event = self
            .connection
            .recv_timeout(limit)
            .map_err(|error| format!("{error:?}"))?
            .map_err(|error| error.to_string())?;
        let words = format!("{event:.80?}");
        Ok((seen(event), words))
    }
}

fn seen(event: Event) -> Seen {
    match event {
        Event::Incoming(Packet::ConnAck(connack)) => Seen::ConnAck {
            session_present: connack.session_present,
        },
        Event::Incoming(Packet::SubAck(suback)) => {
            let granted = suback.return_codes.into_iter().map(|code| match code {
                SubscribeReasonCode::Success(qos) => Some(qos as u8),
                _ => None,
            });
            Seen::SubAck(granted.collect())
        }
        Event::Incoming(Packet::UnsubAck(_)) => Seen::UnsubAck,
        Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))
        | Event::Outgoing(Outgoing::Publish(0)) => Seen::Published,
        Event::Incoming(Packet::Publish(publish)) => Seen::Message(Message {
            topic: String::from_utf8(publish.topic.to_vec()).expect("a topic is UTF-8"),
            payload: publish.payload.to_vec(),
            qos: publish.qos as u8,
            retain: publish.retain,
            dup: publish.dup,
        }),
        Event::Outgoing(Outgoing::Disconnect) => Seen::Disconnected,
        _ => Seen::Other,
    }
}

fn qos(level: u8) -> QoS {
    match level {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}
