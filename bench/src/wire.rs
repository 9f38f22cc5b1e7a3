//! The few packets the generator needs, written by hand, and a scan of incoming frames by length.
//!
//! Independent of Sanderling's codec on purpose: a generator that shared the code under test would share its mistakes.
//! It writes well-formed packets only and reads just what its checks need. Sections 2 and 3 of both standards.

use std::fmt;

/// The version of MQTT that the generator's clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// MQTT 3.1.1, protocol level 4.
    V311,
    /// MQTT 5.0, protocol level 5.
    V5,
}

/// The packet types by number, as in the high four bits of a fixed header.
pub(crate) mod packet_type {
    pub(crate) const CONNECT: u8 = 1;
    pub(crate) const CONNACK: u8 = 2;
    pub(crate) const PUBLISH: u8 = 3;
    pub(crate) const PUBACK: u8 = 4;
    pub(crate) const PUBREC: u8 = 5;
    pub(crate) const PUBREL: u8 = 6;
    pub(crate) const PUBCOMP: u8 = 7;
    pub(crate) const SUBSCRIBE: u8 = 8;
    pub(crate) const SUBACK: u8 = 9;
    pub(crate) const PINGREQ: u8 = 12;
    pub(crate) const PINGRESP: u8 = 13;
    pub(crate) const DISCONNECT: u8 = 14;
}

/// PINGREQ, both bytes.
pub(crate) const PINGREQ: [u8; 2] = [0xC0, 0];
/// PINGRESP, both bytes.
pub(crate) const PINGRESP: [u8; 2] = [0xD0, 0];
/// DISCONNECT in its shortest form, which both versions know.
pub(crate) const DISCONNECT: [u8; 2] = [0xE0, 0];

/// Bytes that no control packet looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WireError(pub(crate) &'static str);

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One control packet as it lies in a buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The first byte of the fixed header: type and flags.
    pub(crate) first: u8,
    /// What follows the fixed header.
    pub(crate) body: &'a [u8],
    /// Length of the whole packet, fixed header included, in bytes.
    pub(crate) length: usize,
}

impl Frame<'_> {
    /// The type in the high four bits of the first byte.
    pub(crate) fn packet_type(&self) -> u8 {
        self.first >> 4
    }
}

/// The first whole frame in `bytes`; `None` while it is incomplete.
#[inline]
pub(crate) fn next_frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, WireError> {
    let [first, rest @ ..] = bytes else {
        return Ok(None);
    };
    let Some((remaining, digits)) = variable_integer(rest)? else {
        return Ok(None);
    };
    let body = rest.get(digits..digits + remaining);
    Ok(body.map(|body| Frame {
        first: *first,
        body,
        length: 1 + digits + remaining,
    }))
}

/// A variable byte integer at the start of `bytes` and how many bytes it takes; `None` while it is incomplete.
#[inline]
pub(crate) fn variable_integer(bytes: &[u8]) -> Result<Option<(usize, usize)>, WireError> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + 1)));
        }
    }
    match bytes.len() {
        0..4 => Ok(None),
        _ => Err(WireError(
            "a variable byte integer is longer than four bytes [MQTT-1.5.5-1]",
        )),
    }
}

/// A PUBLISH taken apart as far as the checks need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Publish<'a> {
    pub(crate) qos: u8,
    pub(crate) dup: bool,
    pub(crate) topic: &'a [u8],
    /// 0 at QoS 0.
    pub(crate) packet_id: u16,
    pub(crate) payload: &'a [u8],
}

/// Takes the frame of a PUBLISH apart: topic length, packet identifier, length of the properties; nothing else is read.
#[inline]
pub(crate) fn publish<'a>(frame: Frame<'a>, version: Version) -> Result<Publish<'a>, WireError> {
    const SHORT: WireError = WireError("a PUBLISH ends inside its variable header");
    let qos = (frame.first >> 1) & 3;
    let (topic, mut rest) = string(frame.body).ok_or(SHORT)?;
    let mut packet_id = 0;
    if qos > 0 {
        let (id, after) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
        packet_id = u16::from_be_bytes(*id);
        rest = after;
    }
    if version == Version::V5 {
        let (length, digits) = variable_integer(rest)?.ok_or(SHORT)?;
        rest = rest.get(digits + length..).ok_or(SHORT)?;
    }
    Ok(Publish {
        qos,
        dup: frame.first & 8 != 0,
        topic,
        packet_id,
        payload: rest,
    })
}

/// The packet identifier and reason code of PUBACK, PUBREC, PUBREL or PUBCOMP; the short form means Success.
#[inline]
pub(crate) fn acknowledgement(frame: Frame<'_>) -> Result<(u16, u8), WireError> {
    match *frame.body {
        [high, low] => Ok((u16::from_be_bytes([high, low]), 0)),
        [high, low, reason, ..] => Ok((u16::from_be_bytes([high, low]), reason)),
        _ => Err(WireError("an acknowledgement without a packet identifier")),
    }
}

/// What a CONNACK says that a generator must obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connack {
    /// Return code or reason code; 0 is accepted.
    pub(crate) code: u8,
    /// How many QoS 1 and 2 publishes may be unacknowledged; 65,535 when not said.
    pub(crate) receive_maximum: u16,
}

/// Reads a CONNACK.
pub(crate) fn connack(frame: Frame<'_>, version: Version) -> Result<Connack, WireError> {
    const SHORT: WireError = WireError("a CONNACK ends too early");
    let [_session_present, code, rest @ ..] = frame.body else {
        return Err(SHORT);
    };
    let mut receive_maximum = u16::MAX;
    if version == Version::V5 && !rest.is_empty() {
        let (length, digits) = variable_integer(rest)?.ok_or(SHORT)?;
        let mut properties = rest.get(digits..digits + length).ok_or(SHORT)?;
        while let [identifier, value @ ..] = properties {
            if let (0x21, Some(bytes)) = (*identifier, value.first_chunk::<2>()) {
                receive_maximum = u16::from_be_bytes(*bytes);
            }
            let skipped = connack_property_length(*identifier, value)?;
            properties = value.get(skipped..).ok_or(SHORT)?;
        }
    }
    Ok(Connack {
        code: *code,
        receive_maximum,
    })
}

/// How long the value of a property of CONNACK is, in bytes. MQTT 5.0, table 2-4.
fn connack_property_length(identifier: u8, value: &[u8]) -> Result<usize, WireError> {
    const SHORT: WireError = WireError("a property of CONNACK ends too early");
    let string_length = |value: &[u8]| {
        let length = value.first_chunk::<2>().ok_or(SHORT)?;
        Ok(2 + usize::from(u16::from_be_bytes(*length)))
    };
    match identifier {
        0x24 | 0x25 | 0x28 | 0x29 | 0x2A => Ok(1),
        0x13 | 0x21 | 0x22 => Ok(2),
        0x11 | 0x27 => Ok(4),
        0x12 | 0x15 | 0x16 | 0x1A | 0x1C | 0x1F => string_length(value),
        0x26 => {
            let name = string_length(value)?;
            Ok(name + string_length(value.get(name..).ok_or(SHORT)?)?)
        }
        _ => Err(WireError(
            "a property that CONNACK does not have [MQTT-3.2.2]",
        )),
    }
}

/// The codes of a SUBACK, one for each filter.
pub(crate) fn suback_codes<'a>(frame: Frame<'a>, version: Version) -> Result<&'a [u8], WireError> {
    const SHORT: WireError = WireError("a SUBACK ends too early");
    let rest = frame.body.get(2..).ok_or(SHORT)?;
    if version == Version::V311 {
        return Ok(rest);
    }
    let (length, digits) = variable_integer(rest)?.ok_or(SHORT)?;
    rest.get(digits + length..).ok_or(SHORT)
}

/// A string with its two-byte length at the start of `bytes`, and what follows it.
#[inline]
pub(crate) fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// User name and password.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: Vec<u8>,
}

/// CONNECT with a clean session and no keep alive.
pub(crate) fn encode_connect(version: Version, client_id: &str, login: Option<&Login>) -> Vec<u8> {
    let mut body = Vec::new();
    put_string(&mut body, "MQTT");
    body.push(match version {
        Version::V311 => 4,
        Version::V5 => 5,
    });
    // Clean session, or Clean Start; with both a user name and a password.
    body.push(if login.is_some() { 0xC2 } else { 0x02 });
    body.extend_from_slice(&[0, 0]);
    put_no_properties(&mut body, version);
    put_string(&mut body, client_id);
    if let Some(login) = login {
        put_string(&mut body, &login.username);
        put_bytes(&mut body, &login.password);
    }
    framed(packet_type::CONNECT << 4, &body)
}

/// SUBSCRIBE to `filters`, all at `qos`, with packet identifier 1.
pub(crate) fn encode_subscribe(version: Version, filters: &[String], qos: u8) -> Vec<u8> {
    let mut body = vec![0, 1];
    put_no_properties(&mut body, version);
    for filter in filters {
        put_string(&mut body, filter);
        body.push(qos);
    }
    framed(packet_type::SUBSCRIBE << 4 | 2, &body)
}

/// A PUBLISH, and where in it the packet identifier and the payload lie, to be written over for each message.
pub(crate) struct Template {
    pub(crate) bytes: Vec<u8>,
    /// Offset of the packet identifier; `None` at QoS 0.
    pub(crate) packet_id_at: Option<usize>,
    pub(crate) payload_at: usize,
}

/// A PUBLISH to `topic` with `payload_bytes` of payload.
pub(crate) fn encode_publish(
    version: Version,
    topic: &str,
    qos: u8,
    payload_bytes: usize,
) -> Template {
    let mut body = Vec::new();
    put_string(&mut body, topic);
    if qos > 0 {
        body.extend_from_slice(&[0, 1]);
    }
    let from_end_of_topic = body.len();
    put_no_properties(&mut body, version);
    let payload_in_body = body.len();
    body.resize(payload_in_body + payload_bytes, b'.');
    let bytes = framed(packet_type::PUBLISH << 4 | qos << 1, &body);
    let header = bytes.len() - body.len();
    Template {
        bytes,
        packet_id_at: (qos > 0).then_some(header + from_end_of_topic - 2),
        payload_at: header + payload_in_body,
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP in the short form, which means Success.
#[inline]
pub(crate) fn encode_acknowledgement(kind: u8, packet_id: u16) -> [u8; 4] {
    let flags = if kind == packet_type::PUBREL { 2 } else { 0 };
    let [high, low] = packet_id.to_be_bytes();
    [kind << 4 | flags, 2, high, low]
}

/// A packet of `body` behind its fixed header.
pub(crate) fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut remaining = body.len();
    loop {
        let digit = (remaining & 0x7F) as u8;
        remaining >>= 7;
        if remaining == 0 {
            bytes.push(digit);
            break;
        }
        bytes.push(digit | 0x80);
    }
    assert!(
        bytes.len() <= 5,
        "a packet of the generator is larger than MQTT allows"
    );
    bytes.extend_from_slice(body);
    bytes
}

fn put_string(body: &mut Vec<u8>, string: &str) {
    put_bytes(body, string.as_bytes());
}

fn put_bytes(body: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).expect("names and passwords are short");
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(bytes);
}

fn put_no_properties(body: &mut Vec<u8>, version: Version) {
    if version == Version::V5 {
        body.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_reads_back_as_it_was_written() {
        for version in [Version::V311, Version::V5] {
            for qos in 0..3 {
                for payload in [0, 16, 200, 20_000] {
                    let mut template = encode_publish(version, "a/b", qos, payload);
                    if let Some(at) = template.packet_id_at {
                        template.bytes[at..at + 2].copy_from_slice(&513u16.to_be_bytes());
                    }
                    let frame = next_frame(&template.bytes).unwrap().unwrap();
                    assert_eq!(frame.length, template.bytes.len());
                    let read = publish(frame, version).unwrap();
                    let packet_id = if qos > 0 { 513 } else { 0 };
                    assert_eq!(
                        (read.topic, read.qos, read.packet_id),
                        (&b"a/b"[..], qos, packet_id)
                    );
                    assert_eq!(read.payload, &template.bytes[template.payload_at..]);
                    assert_eq!(read.payload.len(), payload);
                }
            }
        }
    }

    #[test]
    fn a_frame_is_whole_only_with_its_last_byte() {
        let bytes = encode_publish(Version::V311, "topic", 1, 300).bytes;
        for cut in 0..bytes.len() {
            assert!(next_frame(&bytes[..cut]).unwrap().is_none(), "cut at {cut}");
        }
        assert!(next_frame(&[0x30, 0x80, 0x80, 0x80, 0x80]).is_err());
    }

    #[test]
    fn a_connack_tells_the_receive_maximum_among_other_properties() {
        let mut properties = vec![
            0x22, 0, 10, 0x12, 0, 2, b'i', b'd', 0x26, 0, 1, b'n', 0, 1, b'v',
        ];
        properties.extend_from_slice(&[0x21, 0, 20, 0x24, 1]);
        let mut body = vec![0, 0, properties.len() as u8];
        body.extend_from_slice(&properties);
        let frame = Frame {
            first: 0x20,
            body: &body,
            length: 0,
        };
        let expected = Connack {
            code: 0,
            receive_maximum: 20,
        };
        assert_eq!(connack(frame, Version::V5), Ok(expected));
        let short = Frame {
            first: 0x20,
            body: &[0, 5],
            length: 4,
        };
        assert_eq!(connack(short, Version::V311).unwrap().code, 5);
    }
}
