//! The trace of a run: a hash of everything that was said, and on demand the words.

use super::wire::{Out, Payload};
use sanderling_core::{broker::Event, id::ConnId, packet::ClientPacket, time::Instant};
use std::fmt::Write;

#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn new(verbose: bool) -> Self {
        Self {
            hash: 0xCBF2_9CE4_8422_2325,
            lines: verbose.then(Vec::new),
        }
    }

    /// Stands for all events and orders so far.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }

    fn mix(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    /// A remark for the reader; no part of the hash.
    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(text());
        }
    }

    pub(super) fn event(&mut self, now: Instant, event: &Event<'_>) {
        self.mix(&now.as_nanos().to_le_bytes());
        if let Some(lines) = &mut self.lines {
            let text = match event {
                Event::Opened { conn, .. } => format!("opened {conn}"),
                Event::Received { conn, packet, .. } => format!("{conn} > {}", said(packet)),
                Event::Malformed { conn, error } => format!("{conn} > malformed: {error}"),
                Event::Flushed { conn, bytes } => format!("flushed {conn} {bytes}"),
                Event::Closed { conn, cause } => format!("closed {conn} {cause:?}"),
                Event::Drained { conn } => format!("drained {conn}"),
                Event::TimerFired => "timer fired".into(),
                Event::Ruled { ticket, verdict } => format!("ruled {ticket} {verdict:?}"),
                Event::Ordered { command, .. } => format!("ordered {command:?}"),
                below => format!("{below:?}"),
            };
            lines.push(format!("  {now} {text}"));
        }
    }

    pub(super) fn order(&mut self, text: impl FnOnce() -> String) {
        let text = text();
        self.mix(text.as_bytes());
        if let Some(lines) = &mut self.lines {
            lines.push(format!("      {text}"));
        }
    }

    pub(super) fn bytes(&mut self, conn: ConnId, bytes: &[u8]) {
        self.mix(&conn.slot.to_le_bytes());
        self.mix(bytes);
    }

    pub(super) fn packet(&mut self, conn: ConnId, packet: &Out) {
        if let Some(lines) = &mut self.lines {
            let mut line = String::new();
            let _ = match packet {
                Out::Publish(delivery) => write!(
                    line,
                    "PUBLISH {:?} {:?}, qos {}{}{} id {:?} {:?}",
                    delivery.topic,
                    delivery.payload,
                    delivery.qos,
                    if delivery.retain { " retain" } else { "" },
                    if delivery.dup { " dup" } else { "" },
                    delivery.packet_id,
                    delivery.properties,
                ),
                Out::Ack {
                    packet,
                    packet_id,
                    reason,
                } => write!(line, "{packet} {packet_id} {reason}"),
                other => write!(line, "{other:?}"),
            };
            lines.push(format!("      {conn} < {line}"));
        }
    }
}

/// A packet of a client in words.
fn said(packet: &ClientPacket<'_>) -> String {
    match packet {
        ClientPacket::Publish(publish) => format!(
            "PUBLISH {:?} {:?}, qos {}{}{} id {:?} {:?}",
            publish.topic,
            Payload::from(publish.payload),
            publish.qos,
            if publish.retain { " retain" } else { "" },
            if publish.dup { " dup" } else { "" },
            publish.packet_id.map(|id| id.get()),
            publish.properties,
        ),
        other => format!("{other:?}"),
    }
}
