//! The hooks of a simulated broker. What they answer depends on a number that the simulator sets before each event and on
//! what they are asked about, so the model can work out the same answers without asking the broker.

use super::{
    dice::{Dice, digest, mix},
    orders,
    wire::{Payload, copy},
};
use sanderling_core::{
    broker::{Command, Link, Publication},
    hooks::{
        AuthRuling, AuthStep, Client, Context, Draft, DropCause, End, HookSet, Hooks, Notice,
        Ruling, SessionEnd, SubscribeRequest,
    },
    id::ConnId,
    packet::{Connect, PropertiesBuf, Publish, QoS},
    reason::ReasonCode,
};
use std::sync::{Arc, Mutex};

/// The method of authentication that hooks know.
pub(super) const METHOD: &str = "m";

/// How often hooks answer in which way, in percent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Rates {
    /// Hook sets in the chain.
    pub(super) sets: u16,
    pub(super) turn_away: u32,
    pub(super) refuse: u32,
    pub(super) ask: u32,
    /// How often a notice makes the first set publish.
    pub(super) order: u32,
    /// How often a set changes a message.
    pub(super) edit: u32,
}

/// What the hooks of one event go by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Policy {
    pub(super) rates: Rates,
    /// Whether clients share subscriptions.
    pub(super) shares: bool,
    /// Set before each event.
    pub(super) nonce: u64,
}

impl Policy {
    fn throw(&self, hook: u16, about: &[u8]) -> u64 {
        mix(self.nonce ^ mix(u64::from(hook) + 1) ^ digest(about)) % 100
    }

    /// Whether a network connection is let in.
    pub(super) fn accepts(&self, hook: u16, link: &Link) -> bool {
        self.throw(hook, &link.entropy) >= u64::from(self.rates.turn_away)
    }

    fn rules(&self, hook: u16, about: &[u8], refusals: &[ReasonCode]) -> Ruling {
        let throw = self.throw(hook, about);
        let (refuse, ask) = (u64::from(self.rates.refuse), u64::from(self.rates.ask));
        if throw < refuse {
            Ruling::Refuse(refusals[throw as usize % refusals.len()])
        } else if throw < refuse + ask {
            Ruling::Ask
        } else {
            Ruling::Permit
        }
    }

    pub(super) fn connect(&self, hook: u16, connect: &Connect<'_>) -> Ruling {
        let refusals = [
            ReasonCode::NOT_AUTHORIZED,
            ReasonCode::BAD_USER_NAME_OR_PASSWORD,
            ReasonCode(5),
            ReasonCode(4),
            ReasonCode::BANNED,
            ReasonCode::TOPIC_FILTER_INVALID,
            ReasonCode::SUCCESS,
        ];
        self.rules(hook, connect.client_id.as_bytes(), &refusals)
    }

    pub(super) fn publish(&self, hook: u16, publish: &Publish<'_>) -> Ruling {
        let refusals = [
            ReasonCode::NOT_AUTHORIZED,
            ReasonCode::QUOTA_EXCEEDED,
            ReasonCode::SUCCESS,
            ReasonCode::SERVER_BUSY,
        ];
        self.rules(hook, publish.payload, &refusals)
    }

    /// What a hook makes of a message before it rules on it.
    pub(super) fn change(&self, hook: u16, publish: &Publish<'_>) -> Option<Change> {
        // An empty payload is how retained messages are removed.
        if publish.payload.is_empty() {
            return None;
        }
        let throw = self.throw(hook + 100, publish.payload);
        if throw >= u64::from(self.rates.edit) {
            return None;
        }
        let text = || [publish.payload, b"!", &hook.to_be_bytes()].concat();
        let topic = TOPICS[throw as usize / 5 % TOPICS.len()];
        Some(match throw % 5 {
            0 => Change::Topic(topic),
            1 => Change::Payload(text()),
            2 => Change::QoS(QoS::ExactlyOnce),
            3 => Change::Retain(!publish.retain),
            _ => Change::All(Publication::new(topic, text()).qos(QoS::AtLeastOnce)),
        })
    }

    /// The ruling on a step of an enhanced authentication.
    pub(super) fn authenticate(&self, method: &str, data: Option<&[u8]>) -> AuthRuling {
        if method != METHOD || self.rates.sets == 0 {
            return AuthRuling::UnknownMethod;
        }
        let data = data.unwrap_or_default();
        let refusals = [
            ReasonCode::NOT_AUTHORIZED,
            ReasonCode::BAD_USER_NAME_OR_PASSWORD,
            ReasonCode::SUCCESS,
        ];
        match self.rules(0, data, &refusals) {
            Ruling::Refuse(reason) => AuthRuling::Refuse(reason),
            Ruling::Ask => AuthRuling::Ask,
            Ruling::Permit => match self.throw(1, data) % 4 {
                0 | 1 => AuthRuling::Continue(b"more".to_vec()),
                2 => AuthRuling::Succeed(None),
                _ => AuthRuling::Succeed(Some(b"done".to_vec())),
            },
        }
    }

    /// The ruling on a SUBSCRIBE as a whole.
    pub(super) fn subscribe(&self, hook: u16) -> Ruling {
        self.rules(
            hook,
            b"subscribe",
            &[ReasonCode::NOT_AUTHORIZED, ReasonCode::QUOTA_EXCEEDED],
        )
    }

    /// What one filter gets from a set that does not refuse all.
    pub(super) fn grant(
        &self,
        hook: u16,
        filter: &str,
        granted: Result<QoS, ReasonCode>,
    ) -> Result<QoS, ReasonCode> {
        let throw = self.throw(hook, filter.as_bytes());
        if self.rates.refuse == 0 || throw >= 30 {
            return granted;
        }
        match throw % 3 {
            0 => Err(ReasonCode::NOT_AUTHORIZED),
            1 => Ok(QoS::AtMostOnce),
            _ => Ok(QoS::ExactlyOnce),
        }
    }
}

/// What a hook makes of a message.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Topic(&'static str),
    Payload(Vec<u8>),
    QoS(QoS),
    Retain(bool),
    All(Publication),
}

/// Where hooks publish.
const TOPICS: &[&str] = &["a", "a/b", "t", "s/a"];

/// A notice that outlives its event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Heard {
    Connected(String, bool),
    Ended(ConnId, End),
    SessionEnded(String, SessionEnd),
    Subscribed(String, String),
    Unsubscribed(String, String),
    Dropped(Lost),
    /// A hook has ordered this.
    Ordered(Command),
    /// A hook was not let order any more.
    Overordered,
}

/// A copy of a message that was lost, as hooks hear of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Lost {
    pub(super) client_id: String,
    pub(super) topic: String,
    pub(super) payload: Payload,
    pub(super) properties: PropertiesBuf,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// In ascending order.
    pub(super) identifiers: Vec<u32>,
    pub(super) shared: bool,
    pub(super) why: DropCause,
}

/// What the hook sets of one broker share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) policy: Policy,
    pub(super) heard: Vec<Heard>,
    /// Messages that hooks have ordered, so that each says something else.
    ordered: u64,
}

impl Shared {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// What a notice makes the hook order.
    fn order_because_of(&mut self, heard: &Heard) -> Option<Command> {
        let (client_id, about) = match heard {
            Heard::Connected(client_id, _) => (client_id, client_id),
            Heard::Subscribed(client_id, filter) => (client_id, filter),
            _ => return None,
        };
        let throw = self.policy.throw(0, about.as_bytes());
        if throw >= u64::from(self.policy.rates.order) {
            return None;
        }
        self.ordered += 1;
        let text = format!("h{};", self.ordered);
        let mut dice = Dice::new(self.policy.nonce ^ digest(about.as_bytes()));
        let shares = self.policy.shares;
        Some(orders::command(&mut dice, client_id, text, shares))
    }
}

/// One hook set.
#[derive(Debug)]
pub(super) struct SimHooks {
    number: u16,
    shared: Arc<Mutex<Shared>>,
}

impl SimHooks {
    pub(super) fn new(number: u16, shared: Arc<Mutex<Shared>>) -> Self {
        Self { number, shared }
    }

    fn policy(&self) -> Policy {
        self.shared.lock().expect("one thread").policy
    }
}

impl Hooks for SimHooks {
    /// The first set listens; it is there even if no set decides anything.
    fn wants(&self) -> HookSet {
        let decides = HookSet::ACCEPT | HookSet::CONNECT | HookSet::SUBSCRIBE | HookSet::PUBLISH;
        match (self.number, self.policy().rates.sets) {
            (0, 0) => HookSet::NOTICE,
            (0, _) => decides | HookSet::NOTICE | HookSet::AUTHENTICATE,
            _ => decides,
        }
    }

    fn accept(&mut self, link: &Link, _: &mut Context<'_>) -> bool {
        self.policy().accepts(self.number, link)
    }

    fn connect(&mut self, _: &Link, connect: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        self.policy().connect(self.number, connect)
    }

    fn authenticate(&mut self, _: &Link, step: &AuthStep<'_>, _: &mut Context<'_>) -> AuthRuling {
        self.policy().authenticate(step.method, step.data)
    }

    fn subscribe(
        &mut self,
        _: &Client<'_>,
        requests: &mut [SubscribeRequest<'_>],
        _: &mut Context<'_>,
    ) -> Ruling {
        let policy = self.policy();
        let ruling = policy.subscribe(self.number);
        if ruling == Ruling::Permit {
            for request in requests {
                let filter = request.entry.filter.as_str();
                request.granted = policy.grant(self.number, filter, request.granted);
            }
        }
        ruling
    }

    fn publish(&mut self, _: &Client<'_>, publish: &mut Draft<'_>, _: &mut Context<'_>) -> Ruling {
        let policy = self.policy();
        let applied = match policy.change(self.number, publish.packet()) {
            None => Ok(()),
            Some(Change::Topic(topic)) => publish.set_topic(topic),
            Some(Change::Payload(payload)) => {
                publish.set_payload(payload);
                Ok(())
            }
            Some(Change::QoS(qos)) => {
                publish.set_qos(qos);
                Ok(())
            }
            Some(Change::Retain(retain)) => {
                publish.set_retain(retain);
                Ok(())
            }
            Some(Change::All(publication)) => publish.replace(publication),
        };
        applied.expect("a topic name");
        policy.publish(self.number, publish.packet())
    }

    fn notice(&mut self, notice: &Notice<'_>, context: &mut Context<'_>) {
        let heard = match *notice {
            Notice::Connected {
                client,
                session_present,
            } => Heard::Connected(client.client_id.into(), session_present),
            Notice::Ended { conn, end, .. } => Heard::Ended(conn, end),
            Notice::SessionEnded { session, why } => {
                Heard::SessionEnded(session.client_id().into(), why)
            }
            Notice::Subscribed { client, entry, .. } => {
                Heard::Subscribed(client.client_id.into(), entry.filter.as_str().into())
            }
            Notice::Unsubscribed { client, filter } => {
                Heard::Unsubscribed(client.client_id.into(), filter.into())
            }
            Notice::Dropped {
                client_id,
                topic,
                payload,
                properties,
                qos,
                retain,
                identifiers,
                shared,
                why,
            } => {
                let mut identifiers = identifiers.to_vec();
                identifiers.sort_unstable();
                Heard::Dropped(Lost {
                    client_id: client_id.into(),
                    topic: topic.into(),
                    payload: payload.into(),
                    properties: copy(properties),
                    qos,
                    retain,
                    identifiers,
                    shared,
                    why,
                })
            }
            // What follows from the others.
            Notice::SessionCreated { .. }
            | Notice::SessionResumed { .. }
            | Notice::Delivered { .. }
            | Notice::Acked { .. }
            | Notice::Stopped => return,
        };
        let mut shared = self.shared.lock().expect("one thread");
        let order = shared.order_because_of(&heard);
        shared.heard.push(heard);
        if let Some(command) = order {
            shared.heard.push(match context.order(command.clone()) {
                Ok(()) => Heard::Ordered(command),
                Err(_) => Heard::Overordered,
            });
        }
    }
}
