//! Who comes and goes: one message for each, as JSON.

use sanderling_core::{
    broker::{Command, Link, Publication},
    hooks::{Client, Context, End},
    packet::{QoS, Version},
    reason::ReasonCode,
};
use serde::Serialize;
use std::fmt::Write;
use tracing::warn;

/// Publishes what happens to clients.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    /// `$SYS/brokers/<node>/clients/`.
    prefix: String,
}

/// The user name in the CONNECT of a client, kept for its end.
struct Username(Box<str>);

#[derive(Serialize)]
struct Connected<'a> {
    clientid: &'a str,
    username: Option<&'a str>,
    ipaddress: Option<String>,
    port: Option<u16>,
    proto_ver: u8,
    keepalive: u16,
    session_present: bool,
    /// Milliseconds since 1970, like every time in here.
    connected_at: u64,
    ts: u64,
}

#[derive(Serialize)]
struct Disconnected<'a> {
    clientid: &'a str,
    username: Option<&'a str>,
    ipaddress: Option<String>,
    port: Option<u16>,
    reason: &'a str,
    disconnected_at: u64,
    ts: u64,
}

impl Presence {
    pub(crate) fn new(node: &str) -> Self {
        Self {
            prefix: format!("$SYS/brokers/{}/clients/", level(node)),
        }
    }

    pub(crate) fn connected(
        &self,
        client: &Client<'_>,
        session_present: bool,
        cx: &mut Context<'_>,
    ) {
        if let Some(username) = client.username {
            cx.data.insert(Username(username.into()));
        }
        let (session, now) = (cx.view.session(client.client_id), cx.view.wall().0);
        let event = Connected {
            clientid: client.client_id,
            username: client.username,
            ipaddress: client.link.remote.map(|remote| remote.ip().to_string()),
            port: client.link.remote.map(|remote| remote.port()),
            proto_ver: match client.version {
                Version::V31 => 3,
                Version::V311 => 4,
                Version::V5 => 5,
            },
            keepalive: session.map_or(0, |session| session.keep_alive_s()),
            session_present,
            connected_at: now,
            ts: now,
        };
        self.publish(client.client_id, "connected", &event, cx);
    }

    pub(crate) fn disconnected(
        &self,
        client_id: &str,
        link: &Link,
        end: &End,
        cx: &mut Context<'_>,
    ) {
        let username = cx.data.remove::<Username>();
        let now = cx.view.wall().0;
        let event = Disconnected {
            clientid: client_id,
            username: username.as_ref().map(|username| &*username.0),
            ipaddress: link.remote.map(|remote| remote.ip().to_string()),
            port: link.remote.map(|remote| remote.port()),
            reason: reason(end),
            disconnected_at: now,
            ts: now,
        };
        self.publish(client_id, "disconnected", &event, cx);
    }

    fn publish(&self, client_id: &str, what: &str, event: &impl Serialize, cx: &mut Context<'_>) {
        let topic = format!("{}{}/{what}", self.prefix, level(client_id));
        let payload = serde_json::to_vec(event).expect("numbers and text are JSON");
        let publication = Publication::new(topic, payload).qos(QoS::AtLeastOnce);
        if cx.order(Command::Publish(Box::new(publication))).is_err() {
            warn!(
                client = client_id,
                what, "too many orders: an event is lost"
            );
        }
    }
}

/// A text as one level of a topic: what may not stand there, and `%`, as in a URL.
fn level(text: &str) -> String {
    let mut level = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '/' | '+' | '#' | '%' | '\0' => {
                write!(level, "%{:02X}", u32::from(character)).expect("a string takes everything");
            }
            other => level.push(other),
        }
    }
    level
}

/// One word for why a connection ended.
fn reason(end: &End) -> &'static str {
    match end {
        End::Disconnected(ReasonCode::NORMAL_DISCONNECTION) => "disconnected",
        End::Disconnected(ReasonCode::DISCONNECT_WITH_WILL) => "disconnected_with_will",
        End::Disconnected(_) => "disconnected_with_error",
        End::PeerClosed => "peer_closed",
        End::Failed => "connection_lost",
        End::Malformed(_) => "malformed_packet",
        End::Faulted(_) => "transport_error",
        End::Refused(refusal) if refusal.reason == ReasonCode::KEEP_ALIVE_TIMEOUT => {
            "keep_alive_timeout"
        }
        End::Refused(_) => "protocol_error",
        End::ConnectRefused(_) => "connect_refused",
        End::TakenOver => "taken_over",
        End::Closed(_) => "closed_by_server",
        End::Drained => "server_shutting_down",
    }
}

#[cfg(test)]
mod tests {
    use super::level;

    #[test]
    fn any_client_identifier_is_one_level_and_no_two_are_the_same() {
        assert_eq!(level("pump 7"), "pump 7");
        assert_eq!(level("a/b+#%"), "a%2Fb%2B%23%25");
        assert_eq!(level("a%2Fb"), "a%252Fb");
        assert_eq!(level("größe"), "größe");
    }
}
