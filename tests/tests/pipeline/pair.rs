//! Both ends of a connection in memory: the broker's pipeline, and a client.

use sanderling_core::{
    broker::{Fault, Identity, Stage},
    config::Limits,
};
use sanderling_runtime::{Arrival, Layers, Listener, Outbox, Packets, Transport, WebSocketOptions};
use sanderling_tests::peer::{Below, Certificates, Link};
use std::{
    iter::Cycle,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    vec::IntoIter,
};

/// Lengths in which bytes arrive, over and over.
pub(crate) type Splits = Cycle<IntoIter<usize>>;

pub(crate) fn splits(lengths: &[usize]) -> Splits {
    Vec::from(lengths).into_iter().cycle()
}

/// What the broker's side has seen.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) packets: Vec<String>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) announced: Option<Option<SocketAddr>>,
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) fault: Option<Fault>,
    pub(crate) closed: bool,
}

pub(crate) struct Pair {
    pub(crate) client: Link,
    layers: Option<Box<Layers>>,
    packets: Packets,
    outbox: Outbox,
    /// What a proxy sends before the client's first byte, and what follows it.
    announcement: Vec<u8>,
    pub(crate) seen: Seen,
    /// In which bytes come to the broker, and to the client.
    to_broker: Splits,
    to_client: Splits,
    /// Why the client gave up.
    pub(crate) complaint: Option<String>,
    /// MQTT bytes that the client got.
    pub(crate) received: Vec<u8>,
    /// MQTT bytes that were reported as written.
    pub(crate) flushed: usize,
}

/// What a listener with test certificates speaks.
pub(crate) fn transport(below: Below) -> Transport {
    of(Listener::tcp("127.0.0.1:0"), below)
}

/// The same behind a proxy.
pub(crate) fn proxied(below: Below) -> Transport {
    let nobody = std::iter::empty::<IpAddr>().collect();
    of(Listener::tcp("127.0.0.1:0").proxied(nobody), below)
}

fn of(mut listener: Listener, below: Below) -> Transport {
    if below.has_tls() {
        listener = listener.tls(Certificates::get().server("server"));
    }
    if below.has_websocket() {
        listener = listener.websocket(WebSocketOptions::default());
    }
    listener.transport().unwrap()
}

impl Pair {
    pub(crate) fn new(transport: &Transport, client: Link) -> Self {
        Self::split(
            transport,
            client,
            splits(&[usize::MAX]),
            splits(&[usize::MAX]),
        )
    }

    pub(crate) fn split(
        transport: &Transport,
        client: Link,
        to_broker: Splits,
        to_client: Splits,
    ) -> Self {
        let layers = transport.layers(None);
        let first = layers
            .as_ref()
            .map_or(Stage::Connect, |layers| layers.stage());
        Self {
            client,
            layers,
            packets: Packets::new(&Limits::default()),
            outbox: Outbox::default(),
            announcement: Vec::new(),
            seen: Seen {
                stages: vec![first],
                ..Seen::default()
            },
            to_broker,
            to_client,
            complaint: None,
            received: Vec::new(),
            flushed: 0,
        }
    }

    /// A proxy sends its header first. The layers of these tests have no address, and so believe whoever sends one.
    pub(crate) fn announce(&mut self, header: &[u8]) {
        self.announcement = header.to_vec();
    }

    /// Bytes of the broker for the client.
    pub(crate) fn answer(&mut self, bytes: &[u8]) {
        self.outbox.push(bytes);
    }

    /// A large payload of the broker, which is shared.
    pub(crate) fn answer_shared(&mut self, bytes: Vec<u8>) {
        self.outbox.push_shared(bytes.into());
    }

    /// Carries bytes in both directions until there are none.
    pub(crate) fn talk(&mut self) {
        loop {
            let mut to_broker = std::mem::take(&mut self.announcement);
            to_broker.extend(self.client.take_wire());
            let to_client = self.written();
            if to_broker.is_empty() && to_client.is_empty() {
                return;
            }
            self.hand_to_broker(&to_broker);
            self.hand_to_client(&to_client);
        }
    }

    fn hand_to_broker(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let at = self.to_broker.next().unwrap().clamp(1, bytes.len());
            let (now, later) = bytes.split_at(at);
            bytes = later;
            self.take(&mut now.to_vec());
        }
    }

    fn take(&mut self, bytes: &mut [u8]) {
        let (packets, seen) = (&mut self.packets, &mut self.seen);
        let Some(layers) = &mut self.layers else {
            return decode(packets, bytes, seen);
        };
        let outcome = layers.receive(bytes, &mut |arrival| match arrival {
            Arrival::Plain(bytes) => decode(packets, bytes, seen),
            Arrival::Announced { remote, stage } => {
                seen.announced = Some(remote);
                seen.stages.push(stage);
            }
            Arrival::Identified(identity) => seen.identity = Some(identity),
            Arrival::Reached(stage) => seen.stages.push(stage),
            Arrival::Closed => seen.closed = true,
            Arrival::Secured => panic!("told to layers only"),
        });
        if let Err(fault) = outcome {
            assert_eq!(seen.fault.replace(fault), None, "nothing follows a fault");
        }
    }

    /// What the broker's side writes to its socket.
    fn written(&mut self) -> Vec<u8> {
        let Some(layers) = &mut self.layers else {
            let bytes: Vec<_> = self.outbox.chunks().flatten().copied().collect();
            self.outbox.consume(bytes.len());
            self.flushed += bytes.len();
            return bytes;
        };
        if layers.wire().is_empty() && (!self.outbox.is_empty() || layers.has_pong()) {
            layers.seal(&mut self.outbox, &mut Vec::new()).unwrap();
        }
        let bytes = layers.wire().to_vec();
        // The socket takes it in pieces, too.
        let mut left = bytes.len();
        while left > 0 {
            let taken = self.to_client.next().unwrap().clamp(1, left);
            left -= taken;
            self.flushed += layers.wrote(taken);
        }
        bytes
    }

    fn hand_to_client(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.complaint.is_none() {
            let at = self.to_client.next().unwrap().clamp(1, bytes.len());
            let (now, later) = bytes.split_at(at);
            bytes = later;
            self.complaint = self.client.receive(now).err();
            self.received.extend(self.client.take_plain());
        }
    }

    /// The broker ends the connection.
    pub(crate) fn close(&mut self) {
        if let Some(layers) = &mut self.layers {
            layers.close();
        }
        self.talk();
    }
}

fn decode(packets: &mut Packets, mut bytes: &[u8], seen: &mut Seen) {
    let print = |received: sanderling_runtime::Received<'_>| match received {
        Ok((packet, len)) => format!("{len}: {packet:?}"),
        Err(error) => error.to_string(),
    };
    while let Some(packet) = packets.next(&mut bytes, print) {
        seen.packets.push(packet);
    }
}
