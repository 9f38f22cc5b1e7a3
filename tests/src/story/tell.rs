//! The teller: performs a story's actions in a world and compares what is received with what the story says.

use super::{
    act, hook, render,
    script::{Action, Line, Step, Story},
    word::{Word, join},
    world::{Ending, Peer, Received, World},
};
use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromServer},
    packet::{ServerPacket, Version},
    reason::ReasonCode,
};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::{self, Write},
};

/// Clients of stories take what comes.
const UNLIMITED: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: u32::MAX,
    packet_bytes_max: u32::MAX,
};

/// Why a story does not hold.
#[derive(Debug)]
pub struct Failure {
    at: String,
    title: String,
    what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n{}", self.at, self.title, self.what)
    }
}

impl std::error::Error for Failure {}

/// Tells `story` in `world`.
///
/// # Errors
/// The first step whose outcome is not what the story says.
///
/// # Panics
/// The world does not offer what the story needs.
pub fn tell(story: &Story, world: &mut dyn World) -> Result<(), Failure> {
    for need in &story.needs {
        assert!(world.offers(*need), "{} needs {need:?}", story.file);
    }
    let mut teller = Teller {
        world,
        clients: BTreeMap::new(),
        others: BTreeMap::new(),
        held: VecDeque::new(),
    };
    for step in &story.steps {
        teller.step(step).map_err(|(line, what)| Failure {
            at: format!("{}:{line}", story.file),
            title: story.title.clone(),
            what,
        })?;
    }
    Ok(())
}

struct Teller<'a> {
    world: &'a mut dyn World,
    clients: BTreeMap<String, Client>,
    /// What `hook` and `server` received in this step.
    others: BTreeMap<&'static str, Vec<Vec<Word>>>,
    /// Client identifiers in open questions, oldest first: what these clients send is not read.
    held: VecDeque<String>,
}

/// The client's end of a network connection.
struct Client {
    peer: Peer,
    decoder: FromServer,
    bytes: Vec<u8>,
    /// What came in this step: packets, then `closed`.
    received: Vec<Vec<Word>>,
    version: Version,
    phase: Phase,
    /// Whether it did something in this step.
    active: bool,
    /// PINGREQs of the story that were not answered yet.
    pings: usize,
}

/// ```text
/// Silent --CONNACK--> Live --DISCONNECT or raw bytes--> Unsure
///    |                  |                                  |
///    +------------------+----------------------------------+--> Closed
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Nothing but a CONNECT may be sent.
    Silent,
    /// A PINGREQ may be sent, and will be answered.
    Live,
    /// A PINGREQ would be out of place.
    Unsure,
    /// The broker has closed the connection.
    Closed,
}

type Wrong = (usize, String);

impl Teller<'_> {
    fn step(&mut self, step: &Step) -> Result<(), Wrong> {
        for client in self.clients.values_mut() {
            client.active = false;
        }
        let mut last_actor = None;
        for Line { number, what } in &step.actions {
            let actor = what.actor();
            if actor != last_actor {
                self.finish_turn(last_actor, step);
                last_actor = actor;
            }
            self.act(what).map_err(|wrong| (*number, wrong))?;
        }
        self.world.settle();
        self.gather(step);
        self.compare(step)
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Open { name, version } => self.open(name, *version)?,
            Action::Close(name) => self.end(name, Ending::Close)?,
            Action::Reset(name) => self.end(name, Ending::Reset)?,
            Action::Stall(name) => {
                let peer = self.connected(name)?.peer;
                self.world.stall(peer, true);
            }
            Action::Read(name) => {
                let peer = self.connected(name)?.peer;
                self.world.stall(peer, false);
            }
            Action::Raw(name, bytes) => {
                let client = self.connected(name)?;
                if client.phase == Phase::Live {
                    client.phase = Phase::Unsure;
                }
                let peer = client.peer;
                self.world.send(peer, bytes);
            }
            Action::Packet(name, words) => self.packet(name, words)?,
            Action::Command(words) => self.world.command(act::command(words)?),
            Action::Rule(words) => {
                if !self.world.rule(hook::verdict(words)?) {
                    return Err("no question is open".into());
                }
                self.held.pop_front();
            }
            Action::Wait(time) => self.world.advance(*time),
        }
        Ok(())
    }

    fn open(&mut self, name: &str, version: Version) -> Result<(), String> {
        if self
            .clients
            .get(name)
            .is_some_and(|client| client.phase != Phase::Closed)
        {
            return Err(format!(
                "{name} is connected already; another name, or `{name}: closes`"
            ));
        }
        let client = Client {
            peer: self.world.open(),
            decoder: FromServer::new(version, UNLIMITED),
            bytes: Vec::new(),
            received: Vec::new(),
            version,
            phase: Phase::Silent,
            active: true,
            pings: 0,
        };
        self.clients.insert(name.into(), client);
        Ok(())
    }

    fn end(&mut self, name: &str, how: Ending) -> Result<(), String> {
        let peer = self.connected(name)?.peer;
        self.world.end(peer, how);
        self.clients.remove(name);
        Ok(())
    }

    fn packet(&mut self, name: &str, words: &[Word]) -> Result<(), String> {
        let is_connected = self
            .clients
            .get(name)
            .is_some_and(|client| client.phase != Phase::Closed);
        if !is_connected && let Some(version) = act::connect_version(words) {
            self.open(name, version)?;
        }
        let client = self.connected(name)?;
        let bytes = act::packet(name, words, client.version)?;
        match words[0].text.as_str() {
            "pingreq" => client.pings += 1,
            "disconnect" | "auth" => client.phase = Phase::Unsure,
            _ => {}
        }
        let peer = client.peer;
        self.world.send(peer, &bytes);
        Ok(())
    }

    fn connected(&mut self, name: &str) -> Result<&mut Client, String> {
        let client = self
            .clients
            .get_mut(name)
            .filter(|client| client.phase != Phase::Closed);
        let client = client.ok_or_else(|| format!("{name} is not connected"))?;
        client.active = true;
        Ok(client)
    }

    /// Has the broker handle what `name` did before another acts, so that the order of the lines is that of the world.
    fn finish_turn(&mut self, name: Option<&str>, step: &Step) {
        let Some(name) = name.filter(|_| !self.world.is_immediate()) else {
            return;
        };
        if let Some(client) = self.clients.get_mut(name) {
            // Who is not connected yet waits for the answer to that, and cannot send a PINGREQ before.
            let is_connecting = client.phase == Phase::Silent && step.expected_by(name) > 0;
            client.gather(
                usize::from(is_connecting),
                self.held.iter().any(|held| held == name),
                self.world,
            );
        }
    }

    /// Receives what came of the step. A PINGREQ to each who acted makes sure that the actions were handled; then one to
    /// everybody, that all was received.
    fn gather(&mut self, step: &Step) {
        for (who, words) in self
            .world
            .heard(step.expected_by("hook") + step.expected_by("server"))
        {
            if let ("hook", [_, name, ..]) = (who, words.as_slice()) {
                self.held.push_back(name.text.clone());
            }
            self.others.entry(who).or_default().push(words);
        }
        for only_active in [true, false] {
            for (name, client) in &mut self.clients {
                if client.phase == Phase::Closed || (only_active && !client.active) {
                    continue;
                }
                let is_held = self.held.contains(name);
                client.gather(step.expected_by(name), is_held, self.world);
            }
        }
    }

    fn compare(&mut self, step: &Step) -> Result<(), Wrong> {
        let mut received: BTreeMap<&str, Vec<Vec<Word>>> =
            core::mem::take(&mut self.others).into_iter().collect();
        for (name, client) in &mut self.clients {
            received.insert(name, core::mem::take(&mut client.received));
        }
        let unknown = step
            .expectations
            .iter()
            .find(|line| !received.contains_key(line.what.name.as_str()));
        if let Some(line) = unknown {
            let name = &line.what.name;
            return Err((
                line.number,
                format!("{name} is not connected and receives nothing"),
            ));
        }
        for (name, got) in received {
            let expected: Vec<_> = step
                .expectations
                .iter()
                .filter(|line| line.what.name == name)
                .collect();
            let at = (0..expected.len().max(got.len())).find(|&at| {
                !matches!((expected.get(at), got.get(at)),
                    (Some(line), Some(got)) if fits(&line.what.words, got))
            });
            let Some(at) = at else { continue };
            let last = step.actions.last().map_or(0, |line| line.number);
            let line = expected.get(at).map_or(last, |line| line.number);
            let expected: Vec<_> = expected.iter().map(|line| join(&line.what.words)).collect();
            let got: Vec<_> = got.iter().map(|words| join(words)).collect();
            return Err((line, difference(name, at, &expected, &got)));
        }
        Ok(())
    }
}

impl Client {
    /// Receives so many packets, and then all there are: a PINGREQ that is answered says so.
    fn gather(&mut self, expected: usize, is_held: bool, world: &mut dyn World) {
        if world.is_immediate() {
            while self.receive(world) == Received::Bytes {}
            return;
        }
        let pings = core::mem::take(&mut self.pings);
        while self.received.len() < expected && self.phase != Phase::Closed {
            if self.receive(world) == Received::Nothing {
                return;
            }
        }
        if self.phase == Phase::Live && !is_held {
            self.barrier(pings, world);
        }
    }

    /// Sends a PINGREQ and receives until it is answered.
    fn barrier(&mut self, pings: usize, world: &mut dyn World) {
        let answered = |received: &[Vec<Word>]| {
            received
                .iter()
                .filter(|words| words[0].is("pingresp"))
                .count()
        };
        // Those of the story that came already in the first of two rounds stay where they are.
        let wanted = pings.max(answered(&self.received)) + 1;
        world.send(self.peer, &act::PINGREQ);
        while answered(&self.received) < wanted && self.phase != Phase::Closed {
            if self.receive(world) == Received::Nothing {
                return;
            }
        }
        if answered(&self.received) == wanted
            && let Some(at) = self
                .received
                .iter()
                .rposition(|words| words[0].is("pingresp"))
        {
            self.received.remove(at);
        }
    }

    fn receive(&mut self, world: &mut dyn World) -> Received {
        if self.phase == Phase::Closed {
            return Received::Nothing;
        }
        let came = world.receive(self.peer, &mut self.bytes);
        self.decode();
        if came == Received::Closed {
            if !self.bytes.is_empty() {
                self.received.push(vec![
                    Word::plain("part_of_a_packet"),
                    Word::bytes(&self.bytes),
                ]);
            }
            self.received.push(vec![Word::plain("closed")]);
            self.phase = Phase::Closed;
        }
        came
    }

    fn decode(&mut self) {
        while !self.bytes.is_empty() {
            match self.decoder.decode(&self.bytes) {
                Ok(Decoded::Packet { packet, len }) => {
                    if let ServerPacket::ConnAck(connack) = &packet
                        && connack.reason == ReasonCode::SUCCESS
                    {
                        self.phase = Phase::Live;
                    }
                    self.received.push(render::packet(&packet, self.version));
                    self.bytes.drain(..len);
                }
                Ok(Decoded::Need(_)) => return,
                Err(error) => {
                    let bytes = core::mem::take(&mut self.bytes);
                    self.received.push(vec![
                        Word::plain("not_mqtt"),
                        Word::plain(error),
                        Word::bytes(&bytes),
                    ]);
                    return;
                }
            }
        }
    }
}

/// True if `got` is what `expected` says. Of the counters only those that are named matter.
fn fits(expected: &[Word], got: &[Word]) -> bool {
    if got.first().is_some_and(|word| word.is("statistics")) {
        return expected.iter().all(|word| got.contains(word));
    }
    let (expected, open) = match expected.split_last() {
        Some((last, rest)) if last.is("..") => (rest, true),
        _ => (expected, false),
    };
    let enough = got.len() == expected.len() || (open && got.len() > expected.len());
    enough
        && expected.iter().zip(got).all(|(expected, got)| {
            expected == got
                || (expected.key.is_some() && expected.key == got.key && expected.text == "*")
        })
}

/// What `name` was to receive and what it did, from the first that differs on.
fn difference(name: &str, from: usize, expected: &[String], got: &[String]) -> String {
    let mut text = format!("{name} received something else (- expected, + received):\n");
    for same in &got[..from] {
        let _ = writeln!(text, "    {name}< {same}");
    }
    for missing in &expected[from..] {
        let _ = writeln!(text, "  - {name}< {missing}");
    }
    for extra in &got[from..] {
        let _ = writeln!(text, "  + {name}< {extra}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Direct, Manner};
    use super::*;

    #[test]
    fn an_expectation_is_complete_unless_it_says_otherwise() {
        let fits = |expected: &str, got: &str| {
            fits(&Word::split(expected).unwrap(), &Word::split(got).unwrap())
        };
        assert!(fits("connack success a=1", "connack success a=1"));
        assert!(!fits("connack success", "connack success a=1"));
        assert!(fits("connack success ..", "connack success a=1"));
        assert!(fits("connack success ..", "connack success"));
        assert!(fits("connack success a=*", "connack success a=1"));
        assert!(!fits("connack success a=*", "connack success b=1"));
        assert!(!fits("connack success a=1 b=2", "connack success a=1"));
        assert!(fits("statistics b=2", "statistics a=1 b=2"));
        assert!(!fits("statistics b=1", "statistics a=1 b=2"));
    }

    #[test]
    fn what_is_missing_too_much_or_different_is_shown_with_its_line() {
        for (steps, line, shown) in [
            ("a: connect v311", 2, "  + a< connack accepted"),
            (
                "a: connect v311\na< connack accepted\na< pingresp",
                4,
                "  - a< pingresp",
            ),
            (
                "a: connect v311\na< closed",
                3,
                "  - a< closed\n  + a< connack accepted",
            ),
            (
                "a: connect v311\na: subscribe 1 x\na< connack accepted\na< suback 1 granted_qos_1",
                5,
                "    a< connack accepted\n  - a< suback 1 granted_qos_1\n  + a< suback 1 granted_qos_0",
            ),
            (
                "a: opens v5\nb< closed",
                3,
                "b is not connected and receives nothing",
            ),
            (
                "a: connect v311\na< connack accepted\nb: pingreq",
                4,
                "b is not connected",
            ),
            (
                "a: connect v311\na< connack accepted\na: dance",
                4,
                "nothing that a client does",
            ),
        ] {
            let failure = told(steps).unwrap_err().to_string();
            assert!(
                failure.starts_with(&format!("x.txt:{line}: Title\n")),
                "{failure}"
            );
            assert!(failure.contains(shown), "{failure}");
        }
        told("a: connect v311\na< connack accepted").unwrap();
    }

    /// What others receive is expected just like what the acting client does.
    #[test]
    fn every_client_is_looked_at_after_every_step() {
        let steps = "a: connect v311\na: subscribe 1 x\nb: connect v311\na< connack accepted\n\
                     a< suback 1 granted_qos_0\nb< connack accepted\nb: publish x \"1\"";
        let failure = told(steps).unwrap_err().to_string();
        assert!(failure.contains("  + a< publish x \"1\""), "{failure}");
    }

    fn told(steps: &str) -> Result<(), Failure> {
        let story = Story::parse("x.txt", &format!("# Title\n{steps}")).unwrap();
        tell(&story, &mut Direct::new(&story.settings, Manner::Prompt, 0))
    }
}
