//! What a run has seen: how often each invariant was checked with something at stake, which interesting states came up,
//! and which fault met which state of the protocol.

use std::{collections::BTreeMap, fmt};

/// The invariants that are checked, with what each says. Numbers as in docs/invariants.md.
pub const INVARIANTS: &[(&str, &str)] = &[
    ("I01", "a delivery is an accepted message, unaltered"),
    (
        "I02",
        "deliveries of one topic and QoS come in the order of acceptance",
    ),
    (
        "I03",
        "what is owed is delivered, or lost for a named reason",
    ),
    ("I06", "a QoS 2 message goes on once"),
    (
        "I07",
        "PUBREL alone frees the identifier of a QoS 2 message",
    ),
    (
        "I08",
        "after PUBREC there is no PUBLISH; PUBREL is owed until PUBCOMP",
    ),
    (
        "I09",
        "what is sent again comes first, with DUP, its identifier, and in order",
    ),
    ("I10", "DUP says nothing of the publisher's DUP"),
    (
        "I11",
        "the QoS of a delivery is the lower of published and granted",
    ),
    ("I13", "a subscription is replaced in one step"),
    ("I14", "No Local keeps a client's own messages away"),
    (
        "I15",
        "overlapping subscriptions give the copies that the mode says",
    ),
    ("I16", "subscription identifiers stand on every copy"),
    (
        "I17",
        "the client's Receive Maximum is kept, ours is enforced",
    ),
    ("I18", "packet identifiers are free when they are used"),
    ("I19", "no packet is larger than the client takes"),
    ("I20", "topic aliases belong to one connection"),
    (
        "I21",
        "queues and accounts stay within their limits, and the policy chooses what is lost",
    ),
    ("I23", "nothing waits that could go"),
    ("I25", "Session Present tells the truth"),
    (
        "I26",
        "a session has one connection; the older one is told and closed",
    ),
    ("I27", "a CONNECT that is refused changes nothing"),
    ("I28", "a session lives as long as was agreed"),
    ("I30", "what has ended leaves nothing behind"),
    (
        "I31",
        "the retained message of a topic is the last one accepted",
    ),
    (
        "I32",
        "a new subscription gets the retained messages it asks for",
    ),
    (
        "I33",
        "a replay is never older than what was delivered live",
    ),
    ("I34", "an expired retained message is not delivered"),
    ("I36", "a will is published once, or not at all"),
    ("I37", "a will comes when its delay or its session ends"),
    ("I40", "filters match as the standard says"),
    ("I43", "what a hook refuses has no effect"),
    ("I45", "a message of a group goes to one member"),
    (
        "I46",
        "a message of a group waits only where somebody has to wait",
    ),
    (
        "I48",
        "a silent client is disconnected in time, and no other",
    ),
    ("I49", "the expiry interval counts down and is never 0"),
    ("I51", "no deadline is forgotten"),
    ("I58", "the counters agree with a recount"),
    ("I64", "nothing panics"),
    (
        "R01",
        "every request is answered as the standard says, and nothing else is said",
    ),
    (
        "R02",
        "a rule that is broken ends the connection with its reason",
    ),
    (
        "R03",
        "orders name open connections, and ask only for what can be done",
    ),
    ("R04", "a question ends once"),
    (
        "R05",
        "a client that takes no answers is not read, and no other",
    ),
    (
        "R06",
        "an enhanced authentication goes the way that the hook says",
    ),
];

/// The faults of the grid.
pub const FAULTS: &[&str] = &[
    "reset",
    "close",
    "stall",
    "split",
    "garbage",
    "layer fault",
    "lag",
    "takeover",
    "late verdict",
    "no verdict",
    "time",
    "leap",
    "half-open",
    "duplicate",
    "drain",
    "restart",
];

/// The protocol states of the grid.
pub const STATES: &[&str] = &[
    "opening",
    "before CONNECT",
    "asking about CONNECT",
    "authenticating",
    "waiting for a session",
    "idle",
    "held",
    "takes no answers",
    "awaits PUBREL",
    "awaits PUBACK or PUBREC",
    "awaits PUBCOMP",
    "window full",
    "output full",
    "queue waits",
    "replay waits",
    "closing",
];

/// Counters of one or more runs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    checks: BTreeMap<&'static str, u64>,
    sometimes: BTreeMap<&'static str, u64>,
    grid: BTreeMap<(&'static str, &'static str), u64>,
    /// Events handed to brokers.
    pub events: u64,
    /// Virtual milliseconds.
    pub simulated_ms: u64,
}

impl Tally {
    /// An invariant was checked, and could have failed.
    pub(super) fn check(&mut self, name: &'static str) {
        *self.checks.entry(name).or_default() += 1;
    }

    /// Something worth knowing came up.
    pub(super) fn sometimes(&mut self, what: &'static str) {
        *self.sometimes.entry(what).or_default() += 1;
    }

    /// A fault hit a connection in this state.
    pub(super) fn fault(&mut self, fault: &'static str, state: &'static str) {
        debug_assert!(
            FAULTS.contains(&fault) && STATES.contains(&state),
            "{fault}, {state}"
        );
        *self.grid.entry((fault, state)).or_default() += 1;
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.checks {
            *self.checks.entry(name).or_default() += count;
        }
        for (name, count) in &other.sometimes {
            *self.sometimes.entry(name).or_default() += count;
        }
        for (place, count) in &other.grid {
            *self.grid.entry(*place).or_default() += count;
        }
        self.events += other.events;
        self.simulated_ms += other.simulated_ms;
    }

    /// How often an invariant was checked with something at stake.
    pub fn checks(&self, name: &str) -> u64 {
        self.checks.get(name).copied().unwrap_or(0)
    }

    /// How often something worth knowing came up.
    pub fn came_up(&self, what: &str) -> u64 {
        self.sometimes.get(what).copied().unwrap_or(0)
    }

    /// How often a fault met a state.
    pub fn met(&self, fault: &'static str, state: &'static str) -> u64 {
        self.grid.get(&(fault, state)).copied().unwrap_or(0)
    }

    /// The same for any texts.
    pub(super) fn met_by_name(&self, fault: &str, state: &str) -> u64 {
        let mut places = self.grid.iter();
        let place = places.find(|((f, s), _)| *f == fault && *s == state);
        place.map_or(0, |(_, count)| *count)
    }

    /// Invariants that were never checked.
    pub fn vacuous(&self) -> Vec<&'static str> {
        let names = INVARIANTS.iter().map(|(name, _)| *name);
        names.filter(|name| self.checks(name) == 0).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.simulated_ms as f64 / 3_600_000.0;
        writeln!(f, "{} events, {hours:.1} hours simulated", self.events)?;
        writeln!(f, "\ninvariant checks")?;
        for (name, what) in INVARIANTS {
            writeln!(f, "{:>12}  {name} {what}", self.checks(name))?;
        }
        writeln!(f, "\nsometimes")?;
        for (what, count) in &self.sometimes {
            writeln!(f, "{count:>12}  {what}")?;
        }
        writeln!(f, "\nfaults (columns) and what they met")?;
        write!(f, "{:<24}", "")?;
        for fault in FAULTS {
            write!(f, "{fault:>13}")?;
        }
        for state in STATES {
            write!(f, "\n{state:<24}")?;
            for fault in FAULTS {
                write!(f, "{:>13}", self.met(fault, state))?;
            }
        }
        writeln!(f)
    }
}
