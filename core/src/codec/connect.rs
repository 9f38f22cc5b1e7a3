//! CONNECT and CONNACK. [MQTT 5.0, 3.1 and 3.2]

use super::{
    DecodeErrorKind as Kind, check,
    error::{Fault, Sender},
    properties::{self, Place},
    read::Reader,
    write::Sink,
};
use crate::{
    packet::{ConnAck, Connect, PacketType, QoS, Version, Will},
    reason::ReasonCode,
    topic::{TopicError, TopicName},
};

const PROPERTIES: Place = Place::Packet(PacketType::Connect, Sender::Client);
const ACK_PROPERTIES: Place = Place::Packet(PacketType::ConnAck, Sender::Server);

const USER_NAME: u8 = 0b1000_0000;
const PASSWORD: u8 = 0b0100_0000;
const WILL_RETAIN: u8 = 0b0010_0000;
const WILL_QOS: u8 = 0b0001_1000;
const WILL: u8 = 0b0000_0100;
const CLEAN_START: u8 = 0b0000_0010;
const RESERVED: u8 = 0b0000_0001;

/// Reads protocol name and level: all that is the same in every version. [MQTT-3.1.2-1] [MQTT-3.1.2-2]
pub(super) fn read_version(body: &mut Reader<'_>) -> Result<Version, Fault> {
    let name = body.binary("protocol name")?;
    if name != b"MQTT" && name != b"MQIsdp" {
        return Err(Kind::ProtocolName.of("protocol name"));
    }
    match (name, body.byte("protocol version")?) {
        (b"MQIsdp", 3) => Ok(Version::V31),
        (b"MQTT", 4) => Ok(Version::V311),
        (b"MQTT", 5) => Ok(Version::V5),
        _ => Err(Kind::ProtocolVersion.of("protocol version")),
    }
}

/// Reads what follows the protocol level.
pub(super) fn read<'a>(version: Version, mut body: Reader<'a>) -> Result<Connect<'a>, Fault> {
    let flags = body.byte("connect flags")?;
    check_flags(flags, version)?;
    let keep_alive_s = body.two_bytes("keep alive")?;
    let properties = properties::read(&mut body, version, PROPERTIES)?;
    let client_id = body.string("client identifier")?;
    let will = if flags & WILL != 0 {
        Some(read_will(flags, version, &mut body)?)
    } else {
        None
    };
    let username = if flags & USER_NAME != 0 && !left_out(version, &body) {
        Some(body.string("user name")?)
    } else {
        None
    };
    let password = if flags & PASSWORD != 0 && !left_out(version, &body) {
        Some(body.binary("password")?)
    } else {
        None
    };
    body.end()?;
    Ok(Connect {
        version,
        client_id,
        clean_start: flags & CLEAN_START != 0,
        keep_alive_s,
        username,
        password,
        will,
        properties,
    })
}

/// 3.1 lets a client set the flag of a user name or password and leave the field out at the end. [MQTT 3.1, 3.1]
fn left_out(version: Version, body: &Reader<'_>) -> bool {
    version == Version::V31 && body.is_empty()
}

/// The flags that contradict each other. 3.1 reserves none and ignores those of a will that is not there.
fn check_flags(flags: u8, version: Version) -> Result<(), Fault> {
    let strict = version != Version::V31;
    if strict && flags & RESERVED != 0 {
        return Err(Kind::ConnectFlags.of("connect flags"));
    }
    if strict && flags & WILL == 0 {
        if flags & WILL_QOS != 0 {
            return Err(Kind::WillQoS.of("Will QoS"));
        }
        if flags & WILL_RETAIN != 0 {
            return Err(Kind::WillRetain.of("Will Retain"));
        }
    }
    if version != Version::V5 && flags & PASSWORD != 0 && flags & USER_NAME == 0 {
        return Err(Kind::PasswordWithoutUserName.of("password"));
    }
    Ok(())
}

/// [MQTT-3.1.2-9]
fn read_will<'a>(flags: u8, version: Version, body: &mut Reader<'a>) -> Result<Will<'a>, Fault> {
    let qos = (flags & WILL_QOS) >> WILL_QOS.trailing_zeros();
    let qos = QoS::from_bits(qos).ok_or(Kind::QoS.of("Will QoS"))?;
    let properties = properties::read(body, version, Place::Will)?;
    let topic = body.text("Will Topic")?;
    let topic = TopicName::parse(topic).map_err(|error| match error {
        TopicError::Null => Kind::Null.of("Will Topic"),
        error => Kind::TopicName(error).of("Will Topic"),
    })?;
    let payload = body.binary("Will Payload")?;
    let retain = flags & WILL_RETAIN != 0;
    Ok(Will {
        topic,
        payload,
        qos,
        retain,
        properties,
    })
}

pub(super) fn check(connect: &Connect<'_>) -> Result<(), Fault> {
    check::string(connect.client_id, "client identifier")?;
    if let Some(username) = connect.username {
        check::string(username, "user name")?;
    }
    if let Some(password) = connect.password {
        check::binary(password, "password")?;
        if connect.username.is_none() && connect.version != Version::V5 {
            return Err(Kind::PasswordWithoutUserName.of("password"));
        }
    }
    check::properties(connect.version, connect.properties, PROPERTIES)?;
    if let Some(will) = &connect.will {
        check::binary(will.payload, "Will Payload")?;
        check::properties(connect.version, will.properties, Place::Will)?;
    }
    Ok(())
}

pub(super) fn write(connect: &Connect<'_>, out: &mut dyn Sink) {
    let (name, level) = match connect.version {
        Version::V31 => ("MQIsdp", 3),
        Version::V311 => ("MQTT", 4),
        Version::V5 => ("MQTT", 5),
    };
    out.put_prefixed(name.as_bytes());
    out.put_byte(level);
    out.put_byte(flags_of(connect));
    out.put_two_bytes(connect.keep_alive_s);
    out.put_properties(connect.version, connect.properties);
    out.put_prefixed(connect.client_id.as_bytes());
    if let Some(will) = &connect.will {
        out.put_properties(connect.version, will.properties);
        out.put_prefixed(will.topic.as_str().as_bytes());
        out.put_prefixed(will.payload);
    }
    if let Some(username) = connect.username {
        out.put_prefixed(username.as_bytes());
    }
    if let Some(password) = connect.password {
        out.put_prefixed(password);
    }
}

fn flags_of(connect: &Connect<'_>) -> u8 {
    let mut flags = 0;
    if connect.username.is_some() {
        flags |= USER_NAME;
    }
    if connect.password.is_some() {
        flags |= PASSWORD;
    }
    if let Some(will) = &connect.will {
        flags |= WILL | (will.qos as u8) << WILL_QOS.trailing_zeros();
        if will.retain {
            flags |= WILL_RETAIN;
        }
    }
    if connect.clean_start {
        flags |= CLEAN_START;
    }
    flags
}

/// Reads a CONNACK. Its first byte is reserved in 3.1.
pub(super) fn read_ack<'a>(version: Version, mut body: Reader<'a>) -> Result<ConnAck<'a>, Fault> {
    let flags = body.byte("connect acknowledge flags")?;
    if flags > 1 && version != Version::V31 {
        return Err(Kind::AcknowledgeFlags.of("connect acknowledge flags"));
    }
    let code = body.byte("reason code")?;
    let reason = match (version, code) {
        (Version::V5, code) => ReasonCode(code),
        (_, 0..=5) => ReasonCode::from_connect_return_code(code),
        (_, _) => return Err(Kind::ReasonCode.of("return code")),
    };
    let properties = properties::read(&mut body, version, ACK_PROPERTIES)?;
    body.end()?;
    let connack = ConnAck {
        session_present: flags == 1 && version != Version::V31,
        reason,
        properties,
    };
    check_verdict(version, &connack)?;
    Ok(connack)
}

pub(super) fn check_ack(version: Version, connack: &ConnAck<'_>) -> Result<(), Fault> {
    check_verdict(version, connack)?;
    check::properties(version, connack.properties, ACK_PROPERTIES)
}

/// A refusal has no session, and a reason that the standard lists. [MQTT-3.2.2-6] [MQTT-3.2.2-8]
fn check_verdict(version: Version, connack: &ConnAck<'_>) -> Result<(), Fault> {
    if connack.session_present && connack.reason != ReasonCode::SUCCESS {
        return Err(Kind::SessionPresent.of("Session Present"));
    }
    if version == Version::V5 {
        check::reason(PacketType::ConnAck, Sender::Server, connack.reason)?;
    }
    Ok(())
}

pub(super) fn write_ack(version: Version, connack: &ConnAck<'_>, out: &mut dyn Sink) {
    out.put_byte(u8::from(connack.session_present && version != Version::V31));
    out.put_byte(match version {
        Version::V5 => connack.reason.0,
        Version::V31 | Version::V311 => return_code(connack.reason),
    });
    out.put_properties(version, connack.properties);
}

/// The old versions know five refusals; what is none of them is "server unavailable". [MQTT 3.1.1, 3.2.2.3]
const fn return_code(reason: ReasonCode) -> u8 {
    match reason.to_connect_return_code() {
        code @ 0..=5 => code,
        _ => 3,
    }
}
