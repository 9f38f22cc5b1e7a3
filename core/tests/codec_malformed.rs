//! Every way that we know of to be no MQTT, and what the peer is told: the cases stand in `codec_malformed.txt`.

use sanderling_core::{
    codec::{DecodeError, DecodeLimits, Decoded, FromClient, FromServer},
    packet::Version,
};
use std::{collections::HashSet, fmt};

const LIMITS: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: 10_000,
    packet_bytes_max: 10_000,
};

/// One line of the table.
struct Case {
    version: Version,
    stage: &'static str,
    reason: u8,
    rule: &'static str,
    name: &'static str,
    bytes: Vec<u8>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} {}: {} {:02X?}",
            self.version, self.stage, self.name, self.bytes
        )
    }
}

/// [K6]
#[test]
fn every_case_is_refused_by_its_rule() {
    for case in cases() {
        let error = refusal(&case, case.bytes.len());
        let error = error.unwrap_or_else(|| panic!("{case} is taken for a packet"));
        let expected = (case.reason, case.rule);
        assert_eq!(
            (error.reason().0, error.rule()),
            expected,
            "{case}: {error}"
        );
    }
}

/// However few of the bytes are there, the verdict is the same or still open.
#[test]
fn no_beginning_of_a_case_is_refused_otherwise() {
    for case in cases() {
        let whole = refusal(&case, case.bytes.len());
        let mut known = false;
        for len in 0..case.bytes.len() {
            let error = refusal(&case, len);
            assert!(
                error.is_none() || error == whole,
                "{case} cut to {len}: {error:?}"
            );
            assert!(
                error.is_some() || !known,
                "{case} cut to {len} is well again"
            );
            known |= error.is_some();
        }
    }
}

/// [K6]
#[test]
fn an_error_says_what_where_and_which_rule_in_one_line() {
    for case in cases() {
        let error = refusal(&case, case.bytes.len()).unwrap();
        let text = error.to_string();
        let (packet, rule) = (error.packet(), error.rule());
        assert!(text.ends_with(&format!("[{rule}]")), "{text}");
        assert!(
            text.contains(error.field()) && !text.contains('\n'),
            "{text}"
        );
        assert!(
            packet.is_none_or(|packet| text.contains(&packet.to_string())),
            "{text}"
        );
    }
}

#[test]
fn no_case_stands_twice() {
    let mut seen = HashSet::new();
    for case in cases() {
        let key = (case.version, case.stage, case.bytes.clone());
        assert!(seen.insert(key), "{case}");
    }
    assert!(seen.len() > 250, "only {} cases were read", seen.len());
}

fn cases() -> impl Iterator<Item = Case> {
    let lines = include_str!("codec_malformed.txt").lines();
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<_> = line.split(" | ").map(str::trim).collect();
            let [version, stage, reason, rule, name, hex] = fields[..] else {
                panic!("six fields in {line:?}");
            };
            Case {
                version: match version {
                    "3.1" => Version::V31,
                    "3.1.1" => Version::V311,
                    "5.0" => Version::V5,
                    _ => panic!("a version in {line:?}"),
                },
                stage,
                reason: u8::from_str_radix(reason, 16).expect("a reason code"),
                rule,
                name,
                bytes: from_hex(hex),
            }
        })
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("two digits"))
        .collect()
}

/// What a decoder at the case's stage says to the first `len` bytes; `None` if it refuses nothing.
fn refusal(case: &Case, len: usize) -> Option<DecodeError> {
    let bytes = &case.bytes[..len];
    match case.stage {
        "connect" => FromClient::new(LIMITS).decode(bytes).err(),
        "connack" => FromServer::new(case.version, LIMITS).decode(bytes).err(),
        "client" => {
            let mut decoder = FromClient::new(LIMITS);
            let connect: &[u8] = match case.version {
                Version::V31 => b"\x10\x0F\0\x06MQIsdp\x03\x02\0\x3C\0\x01c",
                Version::V311 => b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01c",
                Version::V5 => b"\x10\x0E\0\x04MQTT\x05\x02\0\x3C\0\0\x01c",
            };
            let decoded = decoder.decode(connect).map(|decoded| is_packet(&decoded));
            assert_eq!(decoded, Ok(true));
            decoder.decode(bytes).err()
        }
        "server" => {
            let mut decoder = FromServer::new(case.version, LIMITS);
            let connack: &[u8] = match case.version {
                Version::V31 | Version::V311 => b"\x20\x02\0\0",
                Version::V5 => b"\x20\x03\0\0\0",
            };
            let decoded = decoder.decode(connack).map(|decoded| is_packet(&decoded));
            assert_eq!(decoded, Ok(true));
            decoder.decode(bytes).err()
        }
        stage => panic!("no stage {stage:?}"),
    }
}

fn is_packet<P>(decoded: &Decoded<P>) -> bool {
    matches!(decoded, Decoded::Packet { .. })
}
