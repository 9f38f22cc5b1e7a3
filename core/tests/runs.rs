//! A run is what its packets are: nobody can tell whether messages came together or one by one.
//!
//! A failing test prints what was done, shrunk, and a seed that repeats it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::{prelude::*, test_runner::FileFailurePersistence};
use sanderling_core::{
    broker::{Action, Actions, Broker, Event, Link, Seed, Stage},
    codec::{DecodeLimits, Decoded, FromClient, FromServer},
    config::{Config, DeliveryMode},
    hooks::HookChain,
    id::ConnId,
    packet::{
        Ack, ClientPacket, Connect, PacketId, Properties, PropertiesBuf, Property, Publish, QoS,
        ServerPacket, Subscribe, SubscribeEntry, SubscribeOptions, Version,
    },
    time::{Instant, WallClock},
    topic::TopicFilter,
};

const CLIENTS: usize = 5;
const FILTERS: [&str; 6] = ["a", "a/#", "+", "a/b", "$share/g/a", "#"];
const TOPICS: [&str; 4] = ["a", "a/b", "", "$SYS/a"];

#[derive(Clone, Debug)]
struct Client {
    version: Version,
    packet_bytes_max: Option<u32>,
    alias_maximum: u16,
    subscriptions: Vec<(usize, SubscribeOptions, Option<u32>)>,
}

#[derive(Clone, Debug)]
enum Step {
    /// Messages in a row: the publisher, the topic, for each the length of the payload, QoS and RETAIN.
    Publish(usize, usize, Vec<(usize, QoS, bool)>),
    /// The network took all that a client was sent.
    Flush(usize),
    /// A client answers all messages and PUBRELs that it was sent, but for every so many-th, and sorted by type or not.
    Acknowledge(usize, usize, bool),
    /// A publisher releases all identifiers that a PUBREC has come for, but for every so many-th.
    Release(usize, usize),
    Subscribe(usize, usize),
}

const LIMITS: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: 1000,
    packet_bytes_max: 100_000,
};

struct World {
    broker: Broker,
    actions: Actions,
    decoders: Vec<FromClient>,
    runs: bool,
    /// How many messages came in runs.
    in_runs: u32,
    /// How many acknowledgements came in a row.
    in_a_row: u32,
    /// How many bytes each client has answered or passed over as a receiver, and as a publisher.
    done: [Vec<usize>; 2],
    sent: Vec<Vec<u8>>,
    unflushed: Vec<u32>,
}

fn conn(slot: usize) -> ConnId {
    ConnId {
        slot: slot as u32,
        generation: 0,
    }
}

impl World {
    fn new(config: &Config, runs: bool) -> Self {
        let (seed, now) = (Seed([1; 32]), Instant::ORIGIN);
        Self {
            broker: Broker::new(config.clone(), HookChain::new(), seed, now, WallClock(0)),
            actions: Actions::new(),
            decoders: vec![FromClient::new(LIMITS); CLIENTS],
            runs,
            in_runs: 0,
            in_a_row: 0,
            done: [vec![0; CLIENTS], vec![0; CLIENTS]],
            sent: vec![Vec::new(); CLIENTS],
            unflushed: vec![0; CLIENTS],
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        let _ = self
            .broker
            .handle(Instant::ORIGIN, event, &mut self.actions);
        self.perform();
    }

    fn perform(&mut self) {
        for action in self.actions.list() {
            match action {
                Action::Send { conn, frame } => {
                    let bytes = self.actions.bytes(*frame);
                    self.sent[conn.slot as usize].extend_from_slice(bytes);
                    self.unflushed[conn.slot as usize] += bytes.len() as u32;
                }
                Action::Deliver {
                    frame,
                    packet_id_at,
                    targets,
                } => {
                    let tail = self.actions.tail(*frame).map_or(&[][..], |tail| tail);
                    let bytes = [self.actions.bytes(*frame), tail].concat();
                    for target in self.actions.targets(*targets) {
                        let sent = &mut self.sent[target.conn.slot as usize];
                        let start = sent.len() + *packet_id_at as usize;
                        sent.extend_from_slice(&bytes);
                        if let Some(id) = target.packet_id {
                            sent[start..start + 2].copy_from_slice(&id.get().to_be_bytes());
                        }
                        self.unflushed[target.conn.slot as usize] += bytes.len() as u32;
                    }
                }
                _ => {}
            }
        }
        self.actions.clear();
    }

    fn receive(&mut self, slot: usize, mut input: &[u8]) {
        let conn = conn(slot);
        while !input.is_empty() {
            let mut decoder = self.decoders[slot].clone();
            if self.runs
                && let Some(run) = decoder.run(input)
            {
                let packets: Vec<_> = run.packets().collect();
                assert_eq!(packets.len(), run.count() as usize);
                self.in_runs += run.count();
                self.tell(Event::ReceivedRun { conn, run });
                input = &input[run.bytes().len()..];
                continue;
            }
            if self.runs
                && let Some(acks) = decoder.acks(input)
            {
                assert_eq!(acks.packet_ids().count(), acks.count() as usize);
                self.in_a_row += acks.count();
                self.tell(Event::ReceivedAcks { conn, acks });
                input = &input[acks.bytes().len()..];
                continue;
            }
            let Ok(Decoded::Packet { packet, len }) = decoder.decode_lending(input) else {
                panic!("whole packets are received");
            };
            self.tell(Event::Received {
                conn,
                packet,
                bytes: len as u32,
            });
            self.decoders[slot] = decoder;
            input = &input[len..];
        }
    }

    fn connect(&mut self, slot: usize, client: &Client) {
        self.tell(Event::Opened {
            conn: conn(slot),
            link: Link::new(0, None, [0; 16]),
            stage: Stage::Connect,
        });
        let mut properties = PropertiesBuf::new();
        if client.version == Version::V5 {
            if let Some(bytes) = client.packet_bytes_max {
                properties.push(Property::MaximumPacketSize(bytes)).unwrap();
            }
            let alias = Property::TopicAliasMaximum(client.alias_maximum);
            properties.push(alias).unwrap();
        }
        let client_id = slot.to_string();
        let connect = ClientPacket::Connect(Box::new(Connect {
            version: client.version,
            client_id: &client_id,
            clean_start: true,
            keep_alive_s: 0,
            username: None,
            password: None,
            will: None,
            properties: properties.as_properties(),
        }));
        self.send(slot, client.version, &connect);
        for number in 0..client.subscriptions.len() {
            self.subscribe(slot, client, number);
        }
    }

    fn subscribe(&mut self, slot: usize, client: &Client, number: usize) {
        let Some(&(filter, options, identifier)) = client.subscriptions.get(number) else {
            return;
        };
        let filter = TopicFilter::parse(FILTERS[filter]).unwrap();
        let is_v5 = client.version == Version::V5;
        let no_local = options.no_local && is_v5 && filter.shared().is_none();
        let options = SubscribeOptions {
            no_local,
            retain_as_published: options.retain_as_published && is_v5,
            qos: options.qos,
            ..SubscribeOptions::default()
        };
        let mut properties = PropertiesBuf::new();
        if let (Some(identifier), true) = (identifier, is_v5) {
            let identifier = Property::SubscriptionIdentifier(identifier);
            properties.push(identifier).unwrap();
        }
        let subscribe = ClientPacket::Subscribe(Box::new(Subscribe {
            packet_id: PacketId::MIN,
            entries: vec![SubscribeEntry { filter, options }],
            properties: properties.as_properties(),
        }));
        self.send(slot, client.version, &subscribe);
    }

    fn send(&mut self, slot: usize, version: Version, packet: &ClientPacket<'_>) {
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes).unwrap();
        self.receive(slot, &bytes);
    }

    fn step(&mut self, step: &Step, clients: &[Client]) {
        match step {
            Step::Publish(slot, topic, messages) => {
                let mut bytes = Vec::new();
                for (number, &(len, qos, retain)) in (1..).zip(messages) {
                    let packet = ClientPacket::Publish(Publish {
                        topic: if TOPICS[*topic].is_empty() {
                            "b"
                        } else {
                            TOPICS[*topic]
                        },
                        payload: &vec![number as u8; len],
                        qos,
                        retain,
                        dup: false,
                        packet_id: PacketId::new(number).filter(|_| qos != QoS::AtMostOnce),
                        properties: Properties::EMPTY,
                    });
                    packet.encode(clients[*slot].version, &mut bytes).unwrap();
                }
                self.receive(*slot, &bytes);
            }
            Step::Flush(slot) => {
                let bytes = core::mem::take(&mut self.unflushed[*slot]);
                let conn = conn(*slot);
                self.tell(Event::Flushed { conn, bytes });
            }
            Step::Acknowledge(slot, but, sorted) => {
                let version = clients[*slot].version;
                self.acknowledge(*slot, *but, *sorted, version);
            }
            Step::Release(slot, but) => self.release(*slot, *but, clients[*slot].version),
            Step::Subscribe(slot, number) => self.subscribe(*slot, &clients[*slot], *number),
        }
    }
}

impl World {
    /// What came for a client since it answered last in this part.
    fn news(&mut self, part: usize, slot: usize, version: Version) -> Vec<News> {
        let mut decoder = FromServer::new(version, LIMITS);
        let (all, mut at, mut news) = (&self.sent[slot], 0, Vec::new());
        while let Ok(Decoded::Packet { packet, len }) = decoder.decode(&all[at..]) {
            if at >= self.done[part][slot] {
                news.extend(match packet {
                    ServerPacket::Publish(publish) => {
                        publish.packet_id.map(|id| News::Message(publish.qos, id))
                    }
                    ServerPacket::PubRel(ack) => Some(News::Release(ack.packet_id)),
                    ServerPacket::PubRec(ack) => Some(News::Received(ack.packet_id)),
                    _ => None,
                });
            }
            at += len;
        }
        self.done[part][slot] = at;
        news
    }

    fn acknowledge(&mut self, slot: usize, but: usize, sorted: bool, version: Version) {
        let news = self.news(0, slot, version);
        let answers = news.into_iter().filter_map(|news| match news {
            News::Message(QoS::ExactlyOnce, id) => Some(ClientPacket::PubRec(Ack::success(id))),
            News::Message(_, id) => Some(ClientPacket::PubAck(Ack::success(id))),
            News::Release(id) => Some(ClientPacket::PubComp(Ack::success(id))),
            News::Received(_) => None,
        });
        let mut answers: Vec<_> = answers.collect();
        if sorted {
            answers.sort_by_key(|packet| core::cmp::Reverse(packet.packet_type() as u8));
        }
        self.answer(slot, but, version, &answers);
    }

    fn release(&mut self, slot: usize, but: usize, version: Version) {
        let news = self.news(1, slot, version);
        let answers = news.into_iter().filter_map(|news| match news {
            News::Received(id) => Some(ClientPacket::PubRel(Ack::success(id))),
            _ => None,
        });
        let answers: Vec<_> = answers.collect();
        self.answer(slot, but, version, &answers);
    }

    fn answer(&mut self, slot: usize, but: usize, version: Version, answers: &[ClientPacket<'_>]) {
        let mut bytes = Vec::new();
        for (number, packet) in (1..).zip(answers) {
            if number % but != 0 {
                packet.encode(version, &mut bytes).unwrap();
            }
        }
        self.receive(slot, &bytes);
    }
}

/// What a client answers.
enum News {
    Message(QoS, PacketId),
    Release(PacketId),
    Received(PacketId),
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![
        3 => Just(QoS::AtMostOnce),
        1 => Just(QoS::AtLeastOnce),
        1 => Just(QoS::ExactlyOnce),
    ]
}

fn client() -> impl Strategy<Value = Client> {
    let version = prop_oneof![Just(Version::V311), Just(Version::V5), Just(Version::V31)];
    let options =
        (qos(), any::<bool>(), any::<bool>()).prop_map(|(qos, no_local, as_published)| {
            SubscribeOptions {
                qos,
                no_local,
                retain_as_published: as_published,
                ..SubscribeOptions::default()
            }
        });
    let identifier = prop::option::weighted(0.2, 1..5_u32);
    let subscriptions = prop::collection::vec((0..FILTERS.len(), options, identifier), 0..3);
    let packet_bytes_max = prop::option::weighted(0.3, 30..300_u32);
    let alias_maximum = prop_oneof![3 => Just(0), 1 => Just(2_u16)];
    (version, packet_bytes_max, alias_maximum, subscriptions).prop_map(
        |(version, packet_bytes_max, alias_maximum, subscriptions)| Client {
            version,
            packet_bytes_max,
            alias_maximum,
            subscriptions,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS;
    let retain = prop_oneof![9 => Just(false), 1 => Just(true)];
    let message = (0..300_usize, qos(), retain);
    let mixed = prop::collection::vec(message, 1..90);
    let alike = (0..300_usize, qos(), 1..90_usize)
        .prop_map(|(len, qos, count)| vec![(len, qos, false); count]);
    let messages = prop_oneof![mixed, alike];
    prop_oneof![
        4 => (client(), 0..TOPICS.len(), messages).prop_map(|(a, b, c)| Step::Publish(a, b, c)),
        2 => client().prop_map(Step::Flush),
        2 => (client(), 2..20_usize, any::<bool>())
            .prop_map(|(a, b, c)| Step::Acknowledge(a, b, c)),
        1 => (client(), 2..20_usize).prop_map(|(a, b)| Step::Release(a, b)),
        1 => (client(), 0..3_usize).prop_map(|(a, b)| Step::Subscribe(a, b)),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let mode = prop_oneof![Just(DeliveryMode::OnlyOnce), Just(DeliveryMode::Overlap)];
    let outbound = prop_oneof![Just(1_000_000_u32), 1..20_000_u32];
    let inflight = prop_oneof![Just(1_u16), 2..40_u16];
    (mode, outbound, any::<bool>(), inflight).prop_map(|(mode, outbound, queue_qos0, inflight)| {
        let mut config = Config {
            delivery_mode: mode,
            queue_qos0,
            ..Config::default()
        };
        config.limits.outbound_bytes_max = outbound;
        config.limits.inflight_max = inflight;
        config
    })
}

/// For clients that may differ, packets in a row are handed in as runs to one broker and one by one to another.
fn check(config: &Config, clients: &[Client], steps: &[Step]) -> Result<World, TestCaseError> {
    let [mut runs, mut singles] = [true, false].map(|runs| World::new(config, runs));
    for (slot, client) in clients.iter().enumerate() {
        runs.connect(slot, client);
        singles.connect(slot, client);
    }
    for step in steps {
        runs.step(step, clients);
        singles.step(step, clients);
        prop_assert_eq!(&runs.sent, &singles.sent);
        prop_assert_eq!(&runs.unflushed, &singles.unflushed);
        let statistics =
            [&runs, &singles].map(|world| format!("{:?}", world.broker.view().statistics()));
        prop_assert_eq!(&statistics[0], &statistics[1]);
    }
    Ok(runs)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_run_is_what_its_packets_are(
        config in config(),
        clients in prop::collection::vec(client(), CLIENTS),
        steps in prop::collection::vec(step(), 1..20),
    ) {
        check(&config, &clients, &steps)?;
    }
}

#[test]
fn messages_of_one_topic_come_in_runs() {
    let client = Client {
        version: Version::V311,
        packet_bytes_max: None,
        alias_maximum: 0,
        subscriptions: vec![(0, SubscribeOptions::default(), None)],
    };
    let messages = vec![(20, QoS::AtMostOnce, false); 100];
    let steps = [Step::Publish(0, 0, messages)];
    let world = check(&Config::default(), &vec![client; CLIENTS], &steps).unwrap();
    assert_eq!(world.in_runs, 99, "the first one makes the topic known");
}

#[test]
fn acknowledgements_come_in_a_row_and_open_the_window() {
    let options = SubscribeOptions {
        qos: QoS::AtLeastOnce,
        ..SubscribeOptions::default()
    };
    let client = Client {
        version: Version::V5,
        packet_bytes_max: None,
        alias_maximum: 0,
        subscriptions: vec![(0, options, None)],
    };
    let mut config = Config::default();
    config.limits.inflight_max = 40;
    let messages = vec![(20, QoS::AtLeastOnce, false); 90];
    let mut steps = vec![Step::Publish(0, 0, messages)];
    steps.extend((0..3).flat_map(|_| [Step::Flush(1), Step::Acknowledge(1, 1000, false)]));
    let world = check(&config, &vec![client; CLIENTS], &steps).unwrap();
    assert_eq!(world.in_a_row, 90, "40, then 40, then 10");
}

#[test]
fn all_packets_of_qos_2_come_in_rows() {
    let options = SubscribeOptions {
        qos: QoS::ExactlyOnce,
        ..SubscribeOptions::default()
    };
    for version in [Version::V311, Version::V5] {
        let client = |subscriptions| Client {
            version,
            packet_bytes_max: None,
            alias_maximum: 0,
            subscriptions,
        };
        let receiver = client(vec![(0, options, None)]);
        let clients = [client(Vec::new()), receiver.clone(), receiver];
        let messages = vec![(20, QoS::ExactlyOnce, false); 20];
        let mut steps = vec![Step::Publish(0, 0, messages), Step::Release(0, 1000)];
        steps.extend([1, 2].map(|slot| Step::Acknowledge(slot, 1000, false)));
        steps.extend([1, 2].map(|slot| Step::Acknowledge(slot, 7, false)));
        let world = check(&Config::default(), &clients, &steps).unwrap();
        assert_eq!(world.in_runs, 19, "the first one makes the topic known");
        let (pubrels, pubrecs, pubcomps) = (20, 2 * 20, 2 * (20 - 2));
        assert_eq!(world.in_a_row, pubrels + pubrecs + pubcomps);
    }
}
