//! CONNECT, its will, and CONNACK. [MQTT 5.0, 3.1 and 3.2]

use super::{Properties, QoS, Version};
use crate::{reason::ReasonCode, topic::TopicName};

/// A client asks for a session. [MQTT 5.0, 3.1]
#[derive(Clone, Eq, PartialEq)]
pub struct Connect<'a> {
    /// The version the client speaks on this connection.
    pub version: Version,
    /// Names the session; empty asks the server to assign one.
    pub client_id: &'a str,
    /// Discard an existing session first. "Clean session" before 5.0.
    pub clean_start: bool,
    /// Seconds; 0 turns the keep alive off.
    pub keep_alive_s: u16,
    /// The user name.
    pub username: Option<&'a str>,
    /// The password: any bytes. Never printed.
    pub password: Option<&'a [u8]>,
    /// What the server publishes when the connection ends without a DISCONNECT.
    pub will: Option<Will<'a>>,
    /// Empty before 5.0.
    pub properties: Properties<'a>,
}

/// The message a client leaves with the server for the case that it vanishes. [MQTT 5.0, 3.1.2.5]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Will<'a> {
    /// Where it will be published.
    pub topic: TopicName<'a>,
    /// Any bytes.
    pub payload: &'a [u8],
    /// The QoS it will be published with.
    pub qos: QoS,
    /// Whether it will be published as a retained message.
    pub retain: bool,
    /// Empty before 5.0.
    pub properties: Properties<'a>,
}

/// The server's answer to a CONNECT. [MQTT 5.0, 3.2]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnAck<'a> {
    /// The server has a session for this client and goes on with it. Always false in 3.1.
    pub session_present: bool,
    /// Success or why not. Before 5.0 its return code stands on the wire.
    pub reason: ReasonCode,
    /// Empty before 5.0.
    pub properties: Properties<'a>,
}

impl core::fmt::Debug for Connect<'_> {
    /// Shows everything but the password.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("clean_start", &self.clean_start)
            .field("keep_alive_s", &self.keep_alive_s)
            .field("username", &self.username)
            .field("password", &self.password.map(|_| "***"))
            .field("will", &self.will)
            .field("properties", &self.properties)
            .finish()
    }
}
