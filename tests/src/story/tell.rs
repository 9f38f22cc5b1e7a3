//! The teller: performs a story's actions in a world and compares what is received with what the story says.

use super::{
    act,
    client::{Client, Phase},
    compare::{difference, fits},
    hook, order,
    script::{Action, Line, Step, Story},
    word::{Word, join},
    world::{Ending, World},
};
use sanderling_core::packet::Version;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
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
            Action::Command(words) => self.world.command(order::command(words)?),
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
        let client = Client::new(self.world.open(), version);
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
        let drains = |line: &Line<Action>| matches!(&line.what, Action::Command(words) if words[0].is("drain"));
        if step.actions.iter().any(drains) {
            // The last that is heard is that everybody has gone.
            self.gather_clients(step);
            self.gather_others(step);
        } else {
            self.gather_others(step);
            self.gather_clients(step);
        }
    }

    fn gather_others(&mut self, step: &Step) {
        for (who, words) in self.world.heard(
            ["hook", "server", "watch"]
                .map(|name| step.expected_by(name))
                .iter()
                .sum(),
        ) {
            if let ("hook", [_, name, ..]) = (who, words.as_slice()) {
                self.held.push_back(name.text.clone());
            }
            self.others.entry(who).or_default().push(words);
        }
    }

    fn gather_clients(&mut self, step: &Step) {
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

#[cfg(test)]
mod tests {
    use super::super::{Direct, Manner};
    use super::*;

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
