//! What one seed decides: the configuration, the clients, the ways of the hooks, and a list of steps.
//!
//! Steps stand for themselves: each has a kind, a client and a number that it draws its details from when it is carried
//! out. So any of them can be left out and the rest still makes sense, which is how a failing list is made short.

use super::{dice::Dice, policy::Rates, settings};
use sanderling_core::{config::Config, packet::Version};

/// What happens in a step.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    /// A client opens a connection and sends CONNECT.
    Connect,
    Publish,
    Subscribe,
    Unsubscribe,
    Ping,
    /// A client sends acknowledgements that it has put off.
    Acknowledge,
    /// A client sends again what was not acknowledged, or acknowledges what was not sent.
    Confuse,
    /// A client authenticates again.
    Authenticate,
    /// DISCONNECT, with or without will.
    Disconnect,
    /// The client closes without a word.
    Close,
    /// The network fails.
    Reset,
    /// The connection goes silent, though both sides believe in it.
    Abandon,
    /// Bytes that are no MQTT, or packets that are not allowed.
    Garbage,
    /// A layer below MQTT gives a connection up.
    Fault,
    /// A peer keeps half a packet, or the output, for too long.
    Lag,
    /// Bytes of a client reach the broker.
    Arrive,
    /// The network takes bytes from the broker, and the client reads them.
    Flush,
    /// A connection stops or goes on reading.
    Stall,
    /// A hook answers.
    Rule,
    /// A hook answers what is settled.
    RuleAgain,
    /// Time passes.
    Wait,
    /// Time passes to just before, at, or just after a deadline.
    WaitForTimer,
    /// The timer fires, due or not.
    Fire,
    /// The program around the broker publishes.
    Order,
    /// It asks for the counters.
    Statistics,
    /// The driver reports at last that a connection is read whose session is about to go.
    Drained,
    /// The process begins anew.
    Restart,
    /// The program around the broker stops it.
    Drain,
}

impl Kind {
    /// All, in an order that does not change: inputs kept from fuzzing go by it. New ones come last.
    pub(super) const ALL: &[Self] = &[
        Self::Connect,
        Self::Publish,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Ping,
        Self::Acknowledge,
        Self::Confuse,
        Self::Authenticate,
        Self::Disconnect,
        Self::Close,
        Self::Reset,
        Self::Abandon,
        Self::Garbage,
        Self::Fault,
        Self::Lag,
        Self::Arrive,
        Self::Flush,
        Self::Stall,
        Self::Rule,
        Self::RuleAgain,
        Self::Wait,
        Self::WaitForTimer,
        Self::Fire,
        Self::Order,
        Self::Statistics,
        Self::Drained,
        Self::Restart,
        Self::Drain,
    ];
}

/// How often each kind comes in a run with everything as usual.
const USUAL: &[(Kind, u32)] = &[
    (Kind::Connect, 10),
    (Kind::Publish, 34),
    (Kind::Subscribe, 10),
    (Kind::Unsubscribe, 4),
    (Kind::Ping, 2),
    (Kind::Acknowledge, 14),
    (Kind::Confuse, 3),
    (Kind::Authenticate, 2),
    (Kind::Disconnect, 3),
    (Kind::Close, 2),
    (Kind::Reset, 2),
    (Kind::Abandon, 1),
    (Kind::Garbage, 1),
    (Kind::Fault, 1),
    (Kind::Lag, 1),
    (Kind::Arrive, 10),
    (Kind::Flush, 10),
    (Kind::Stall, 3),
    (Kind::Rule, 6),
    (Kind::RuleAgain, 2),
    (Kind::Wait, 5),
    (Kind::WaitForTimer, 4),
    (Kind::Fire, 1),
    (Kind::Order, 2),
    (Kind::Statistics, 1),
    (Kind::Drained, 3),
    (Kind::Restart, 1),
];

/// One step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    pub(super) kind: Kind,
    pub(super) client: usize,
    /// What the details are drawn from.
    pub(super) dice: u64,
}

/// When a client acknowledges what it receives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Acks {
    AtOnce,
    /// In steps of their own.
    Later,
    Never,
}

/// A client and its habits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Persona {
    pub(super) client_id: &'static str,
    pub(super) version: Version,
    pub(super) acks: Acks,
    pub(super) hostile: bool,
    /// In how many of a hundred connections bytes move only in steps of their own.
    pub(super) lazy: u32,
    /// In how many of a hundred connections something is drawn small: Receive Maximum, Maximum Packet Size.
    pub(super) tight: u32,
    pub(super) clean: u32,
    pub(super) will: u32,
    pub(super) authenticates: u32,
}

/// All that one seed decides.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    pub(super) config: Config,
    pub(super) rates: Rates,
    pub(super) personas: Vec<Persona>,
    /// Payloads are padded to one of these lengths.
    pub(super) paddings: &'static [usize],
    /// In how many of a hundred connections something comes before MQTT.
    pub(super) layers: u32,
    /// Clients use shared subscriptions.
    pub(super) shares: bool,
    pub(super) steps: Vec<Step>,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let shares = dice.chance(25);
        let config = settings::draw(&mut dice);
        let rates = settings::rates(&mut dice);
        let personas = personas(&mut dice, rates.sets > 0);
        let paddings = dice.one(&[&[0, 10][..], &[0, 0, 10, 300], &[0, 10, 300, 5000]]);
        let layers = dice.one(&[0, 0, 30, 100]);
        let weights = weights(&mut dice, &personas);
        let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
        let len = 40 + dice.below(360);
        let mut steps: Vec<_> = (0..len)
            .map(|_| {
                let mut at = dice.below(total as usize) as u32;
                let found = weights.iter().find(|(_, weight)| {
                    let here = at < *weight;
                    at = at.wrapping_sub(if here { 0 } else { *weight });
                    here
                });
                Step {
                    kind: found.map_or(Kind::Wait, |(kind, _)| *kind),
                    client: dice.below(personas.len()),
                    dice: dice.roll(),
                }
            })
            .collect();
        if dice.chance(5) {
            steps.push(Step {
                kind: Kind::Drain,
                client: 0,
                dice: dice.roll(),
            });
        }
        Self {
            seed,
            config,
            rates,
            personas,
            paddings,
            layers,
            shares,
            steps,
        }
    }

    /// The steps, to be left out in part.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The same plan with these steps only.
    #[must_use]
    pub fn with_steps(&self, steps: Vec<Step>) -> Self {
        Self {
            steps,
            ..self.clone()
        }
    }
}

/// Swarm: each run leaves some kinds of step out and overdoes others.
fn weights(dice: &mut Dice, personas: &[Persona]) -> Vec<(Kind, u32)> {
    let hostile = personas.iter().any(|persona| persona.hostile);
    let mut weights: Vec<_> = USUAL
        .iter()
        .map(|&(kind, usual)| match kind {
            Kind::Connect | Kind::Publish | Kind::Subscribe | Kind::Rule => (kind, usual),
            Kind::Garbage if hostile => (kind, usual * 6),
            // It leaves nothing to go on with.
            Kind::Restart => (kind, u32::from(dice.chance(10))),
            _ => (kind, usual * dice.one(&[0, 1, 1, 1, 1, 4])),
        })
        .collect();
    weights.retain(|(_, weight)| *weight > 0);
    weights
}

fn personas(dice: &mut Dice, hooks_decide: bool) -> Vec<Persona> {
    const IDS: &[&str] = &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let most = if dice.chance(15) { 11 } else { 5 };
    let count = 2 + dice.below(most);
    let names = if dice.chance(30) {
        count.div_ceil(2)
    } else {
        count
    };
    let versions: &[Version] = match dice.below(6) {
        0 => &[Version::V311],
        1 => &[Version::V31, Version::V311],
        2 => &[Version::V5],
        _ => &[
            Version::V31,
            Version::V311,
            Version::V5,
            Version::V5,
            Version::V5,
        ],
    };
    let hostile = if dice.chance(35) { 40 } else { 0 };
    let lazy = dice.one(&[0, 0, 30, 100]);
    let tight = dice.one(&[0, 0, 20, 80]);
    let clean = dice.one(&[5, 20, 60]);
    let will = dice.one(&[0, 20, 60]);
    let authenticates = dice.one(if hooks_decide {
        &[0, 1, 40]
    } else {
        &[0, 0, 2]
    });
    (0..count)
        .map(|number| Persona {
            client_id: if dice.chance(4) {
                ""
            } else {
                IDS[number % names]
            },
            version: dice.one(versions),
            acks: dice.one(&[
                Acks::AtOnce,
                Acks::AtOnce,
                Acks::Later,
                Acks::Later,
                Acks::Never,
            ]),
            hostile: dice.chance(hostile),
            lazy,
            tight,
            clean,
            will,
            authenticates,
        })
        .collect()
}
