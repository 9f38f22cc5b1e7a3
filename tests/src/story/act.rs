//! What clients do, from words to packets.

use super::{property, word::Word, words::Words};
use sanderling_core::{
    packet::{
        Ack, Auth, ClientPacket, Connect, Disconnect, PacketId, PropertiesBuf, Publish, QoS,
        Subscribe, SubscribeEntry, Unsubscribe, Version, Will,
    },
    topic::{TopicFilter, TopicName},
};

/// The two bytes of a PINGREQ.
pub(super) const PINGREQ: [u8; 2] = [0xC0, 0x00];

/// `v5`, `v311` or `v31`.
pub(super) fn version(word: &str) -> Option<Version> {
    match word {
        "v5" => Some(Version::V5),
        "v311" => Some(Version::V311),
        "v31" => Some(Version::V31),
        _ => None,
    }
}

/// The version of a `connect v5 …`; none for anything else.
pub(super) fn connect_version(words: &[Word]) -> Option<Version> {
    match words {
        [connect, version_word, ..] if connect.is("connect") => version(&version_word.text),
        _ => None,
    }
}

/// The bytes of the packet that `words` describe, sent by the client `name`.
///
/// # Errors
/// What of the words is not understood.
pub(super) fn packet(name: &str, words: &[Word], version: Version) -> Result<Vec<u8>, String> {
    let mut words = Words(words.to_vec());
    let verb = words.next("a packet")?.text;
    match verb.as_str() {
        "connect" => connect(name, words),
        "publish" => publish(words, version),
        "subscribe" => subscribe(&words, version),
        "unsubscribe" => unsubscribe(&words, version),
        "puback" | "pubrec" | "pubrel" | "pubcomp" => ack(&verb, words, version),
        "pingreq" => {
            words.end()?;
            Ok(PINGREQ.to_vec())
        }
        "disconnect" => {
            let reason = words.reason()?;
            let properties = words.properties()?;
            let packet = Disconnect {
                reason,
                properties: properties.as_properties(),
            };
            encode(&ClientPacket::Disconnect(packet), version)
        }
        "auth" => {
            let reason = words.reason()?;
            let properties = words.properties()?;
            let packet = Auth {
                reason,
                properties: properties.as_properties(),
            };
            encode(&ClientPacket::Auth(packet), version)
        }
        other => Err(format!("{other:?} is nothing that a client does")),
    }
}

fn connect(name: &str, mut words: Words) -> Result<Vec<u8>, String> {
    let version = version(&words.next("a version")?.text).ok_or("connect needs v5, v311 or v31")?;
    let clean = if version == Version::V5 {
        "clean_start"
    } else {
        "clean_session"
    };
    let client_id = words
        .take("client_id")
        .map_or_else(|| name.into(), |word| word.text);
    let clean_start = words.number(clean)?.unwrap_or(1_u8) == 1;
    let keep_alive_s = words.number("keep_alive")?.unwrap_or(0);
    let username = words.take("username").map(|word| word.text);
    let password = words
        .take("password")
        .map(|word| word.to_bytes())
        .transpose()?;
    let will = take_will(&mut words)?;
    let properties = words.properties()?;
    let will = match &will {
        None => None,
        Some(will) => Some(Will {
            topic: TopicName::parse(&will.topic).map_err(|e| format!("the will topic {e}"))?,
            payload: &will.payload,
            qos: will.qos,
            retain: will.retain,
            properties: will.properties.as_properties(),
        }),
    };
    let packet = ClientPacket::Connect(Box::new(Connect {
        version,
        client_id: &client_id,
        clean_start,
        keep_alive_s,
        username: username.as_deref(),
        password: password.as_deref(),
        will,
        properties: properties.as_properties(),
    }));
    encode(&packet, version)
}

struct OwnedWill {
    topic: String,
    payload: Vec<u8>,
    qos: QoS,
    retain: bool,
    properties: PropertiesBuf,
}

/// `will_topic=a will_payload="b" will_qos=1 will_retain`; `will_` goes before its properties, too.
fn take_will(words: &mut Words) -> Result<Option<OwnedWill>, String> {
    let Some(topic) = words.take("will_topic") else {
        return Ok(None);
    };
    let payload = words
        .take("will_payload")
        .ok_or("a will needs will_payload=…")?
        .to_bytes()?;
    let qos = words.qos("will_qos")?;
    let retain = words.flag("will_retain");
    let mut properties = Vec::new();
    words.0.retain(|word| {
        let Some(key) = word
            .key
            .as_deref()
            .and_then(|key| key.strip_prefix("will_"))
        else {
            return true;
        };
        let key = if key == "delay_interval" {
            "will_delay_interval"
        } else {
            key
        };
        properties.push(Word {
            key: Some(key.into()),
            ..word.clone()
        });
        false
    });
    let properties = property::parse(&properties)?;
    Ok(Some(OwnedWill {
        topic: topic.text,
        payload,
        qos,
        retain,
        properties,
    }))
}

fn publish(mut words: Words, version: Version) -> Result<Vec<u8>, String> {
    let topic = words.next("a topic")?.text;
    let payload = words.next("a payload")?.to_bytes()?;
    let qos = words.qos("qos")?;
    let packet_id = words.number("id")?.map(packet_id).transpose()?;
    let retain = words.flag("retain");
    let dup = words.flag("dup");
    let properties = words.properties()?;
    let properties = properties.as_properties();
    let (topic, payload) = (topic.as_str(), payload.as_slice());
    let packet = Publish {
        topic,
        payload,
        qos,
        retain,
        dup,
        packet_id,
        properties,
    };
    encode(&ClientPacket::Publish(packet), version)
}

/// `subscribe 1 subscription_identifier=7 a/+ qos=1 no_local, b/#`: options follow their filter.
fn subscribe(words: &Words, version: Version) -> Result<Vec<u8>, String> {
    let mut lists = words.lists();
    let mut head = lists.remove(0);
    let packet_id = packet_id(head.next("a packet identifier")?.parsed()?)?;
    let properties: Vec<_> = {
        let from_filter = head.0.iter().position(|word| word.key.is_none());
        head.0
            .drain(..from_filter.unwrap_or(head.0.len()))
            .collect()
    };
    lists.insert(0, head);
    let properties = property::parse(&properties)?;
    let mut entries = Vec::new();
    for mut list in lists {
        let filter = list.next("a topic filter")?.text;
        let options = list.subscribe_options()?;
        list.end()?;
        entries.push((filter, options));
    }
    let entries = entries.iter().map(|(filter, options)| {
        Ok(SubscribeEntry {
            filter: topic_filter(filter)?,
            options: *options,
        })
    });
    let entries = entries.collect::<Result<_, String>>()?;
    let properties = properties.as_properties();
    let packet = Subscribe {
        packet_id,
        entries,
        properties,
    };
    encode(&ClientPacket::Subscribe(Box::new(packet)), version)
}

/// `unsubscribe 1 a/+, b/#`
fn unsubscribe(words: &Words, version: Version) -> Result<Vec<u8>, String> {
    let mut lists = words.lists();
    let packet_id = packet_id(lists[0].next("a packet identifier")?.parsed()?)?;
    let mut filters = Vec::new();
    for mut list in lists {
        filters.push(list.next("a topic filter")?.text);
        list.end()?;
    }
    let filters = filters
        .iter()
        .map(|filter| topic_filter(filter))
        .collect::<Result<_, String>>()?;
    let properties = PropertiesBuf::default();
    let packet = Unsubscribe {
        packet_id,
        filters,
        properties: properties.as_properties(),
    };
    encode(&ClientPacket::Unsubscribe(Box::new(packet)), version)
}

fn ack(verb: &str, mut words: Words, version: Version) -> Result<Vec<u8>, String> {
    let packet_id = packet_id(words.next("a packet identifier")?.parsed()?)?;
    let reason = words.reason()?;
    let properties = words.properties()?;
    let ack = Ack {
        packet_id,
        reason,
        properties: properties.as_properties(),
    };
    let packet = match verb {
        "puback" => ClientPacket::PubAck(ack),
        "pubrec" => ClientPacket::PubRec(ack),
        "pubrel" => ClientPacket::PubRel(ack),
        _ => ClientPacket::PubComp(ack),
    };
    encode(&packet, version)
}

fn encode(packet: &ClientPacket<'_>, version: Version) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    packet
        .encode(version, &mut bytes)
        .map_err(|error| format!("cannot be encoded: {error}"))?;
    Ok(bytes)
}

fn packet_id(number: u16) -> Result<PacketId, String> {
    PacketId::new(number).ok_or_else(|| "0 is no packet identifier; send it as hex".into())
}

fn topic_filter(filter: &str) -> Result<TopicFilter<'_>, String> {
    TopicFilter::parse(filter).map_err(|error| format!("{filter:?} {error}; send it as hex"))
}
