//! The text of a story: a header, then steps. What the steps mean is the business of [`act`] and
//! [`render`].

use super::{
    act,
    setting::Settings,
    word::{Word, parse_hex},
};
use sanderling_core::packet::Version;
use std::{fmt, time::Duration};

/// One story, read from a file.
#[derive(Debug)]
pub struct Story {
    /// The name of its file.
    pub file: String,
    /// Its first line: the claim it makes.
    pub title: String,
    /// What the header says of the broker.
    pub settings: Settings,
    /// What it needs of a world beyond a network.
    pub needs: Vec<Need>,
    /// The steps: what is done, and then all that must come of it.
    pub steps: Vec<Step>,
}

/// What not every world offers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// Time that passes when the story says so: `wait`.
    Time,
    /// Hooks in the broker: `hook`.
    Hooks,
    /// Orders from the program around the broker: `server:`.
    Commands,
    /// A client whose network takes nothing for a while: `stalls`.
    Stalls,
}

/// Actions, and what is received because of them. Nothing else may be received.
#[derive(Debug, Default)]
pub struct Step {
    /// In this order.
    pub actions: Vec<Line<Action>>,
    /// For each name in this order.
    pub expectations: Vec<Line<Expectation>>,
}

/// Something and the number of its line, from 1.
#[derive(Clone, Debug)]
pub struct Line<T> {
    /// The number of the line.
    pub number: usize,
    /// What stands there.
    pub what: T,
}

/// `name: …`, or something that nobody in particular does.
#[derive(Clone, Debug)]
pub enum Action {
    /// `name: opens v5`: makes a network connection and sends nothing. Connects open one by themselves.
    Open {
        /// Whose.
        name: String,
        /// How what comes is read.
        version: Version,
    },
    /// `name: closes`: ends the network connection without a DISCONNECT.
    Close(String),
    /// `name: resets`: the network connection fails.
    Reset(String),
    /// `name: stalls`: reads nothing any more.
    Stall(String),
    /// `name: reads`: reads again.
    Read(String),
    /// `name: hex 10 00 "abc"`: sends bytes, whatever they are.
    Raw(String, Vec<u8>),
    /// `name: connect …` and all other packets.
    Packet(String, Vec<Word>),
    /// `server: …`: an order of the program around the broker.
    Command(Vec<Word>),
    /// `hook: …`: the verdict on the question asked first.
    Rule(Vec<Word>),
    /// `wait 30s`: time passes.
    Wait(Duration),
}

/// `name< …`: a packet, `closed`, or a question of a hook.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Who receives it.
    pub name: String,
    /// The packet in words; `..` at the end stands for any more words, `key=*` for any text.
    pub words: Vec<Word>,
}

impl Action {
    /// The client that does it.
    pub fn actor(&self) -> Option<&str> {
        match self {
            Self::Open { name, .. }
            | Self::Close(name)
            | Self::Reset(name)
            | Self::Stall(name)
            | Self::Read(name)
            | Self::Raw(name, _)
            | Self::Packet(name, _) => Some(name),
            Self::Command(_) | Self::Rule(_) | Self::Wait(_) => None,
        }
    }
}

impl Step {
    /// How many packets `name` is to receive, its `closed` included.
    pub fn expected_by(&self, name: &str) -> usize {
        let expected = self.expectations.iter();
        expected.filter(|line| line.what.name == name).count()
    }
}

/// What is wrong with the text of a story.
#[derive(Debug, Eq, PartialEq)]
pub struct ScriptError {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

impl std::error::Error for ScriptError {}

impl Story {
    /// Reads the text of the file `file`.
    ///
    /// # Errors
    /// The first line that cannot be understood.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScriptError> {
        let mut story = Self {
            file: file.into(),
            title: String::new(),
            settings: Settings::default(),
            needs: Vec::new(),
            steps: Vec::new(),
        };
        for (number, line) in (1..).zip(text.lines()) {
            let error = |what| ScriptError {
                file: file.into(),
                line: number,
                what,
            };
            story.read(number, line.trim_end()).map_err(error)?;
        }
        let missing = match &story {
            Self { title, .. } if title.is_empty() => "a story begins with a title: # …",
            Self { steps, .. } if steps.is_empty() => "nothing happens",
            _ => return Ok(story),
        };
        let line = text.lines().count();
        Err(ScriptError {
            file: file.into(),
            line,
            what: missing.into(),
        })
    }

    /// The version of a client that says `connect v5 …`; none for any other packet.
    pub fn connect_version(words: &[Word]) -> Option<Version> {
        act::connect_version(words)
    }

    fn read(&mut self, number: usize, line: &str) -> Result<(), String> {
        if let Some(comment) = line.strip_prefix('#') {
            if self.title.is_empty() {
                self.title = comment.trim().into();
            }
            return Ok(());
        }
        let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
        if head.is_empty() {
            return Ok(());
        }
        if let Some(name) = head.strip_suffix('<') {
            let what = Expectation {
                name: checked(name)?,
                words: Word::split(rest)?,
            };
            return self.expect(Line { number, what });
        }
        let what = match head.strip_suffix(':') {
            Some("server") => self.needing(Need::Commands, Action::Command(Word::split(rest)?))?,
            Some("hook") => self.needing(Need::Hooks, Action::Rule(Word::split(rest)?))?,
            Some(name) => self.action(checked(name)?, rest)?,
            None if head == "wait" => {
                self.needing(Need::Time, Action::Wait(duration(rest.trim())?))?
            }
            None => return self.header(head, rest),
        };
        self.act(Line { number, what });
        Ok(())
    }

    fn action(&self, name: String, rest: &str) -> Result<Action, String> {
        let (verb, after) = rest.split_once(' ').unwrap_or((rest, ""));
        let action = match verb {
            "opens" => {
                let version = act::version(after).ok_or("opens needs v5, v311 or v31")?;
                return Ok(Action::Open { name, version });
            }
            "closes" => Action::Close(name),
            "resets" => Action::Reset(name),
            "stalls" => self.needing(Need::Stalls, Action::Stall(name))?,
            "reads" => self.needing(Need::Stalls, Action::Read(name))?,
            "hex" => return Ok(Action::Raw(name, raw(after)?)),
            _ => return Ok(Action::Packet(name, Word::split(rest)?)),
        };
        if after.is_empty() {
            Ok(action)
        } else {
            Err(format!("{verb} stands alone"))
        }
    }

    fn header(&mut self, head: &str, rest: &str) -> Result<(), String> {
        if !self.steps.is_empty() {
            return Err(format!(
                "expected `name: …`, `name< …` or `wait …`, found {head:?}"
            ));
        }
        match head {
            "needs" => {
                for word in Word::split(rest)? {
                    self.needs.push(need(&word.text)?);
                }
                Ok(())
            }
            "config" => self.settings.config(&Word::split(rest)?),
            "hook" => {
                self.needing(Need::Hooks, ())?;
                self.settings.hook(&Word::split(rest)?)
            }
            _ => Err(format!(
                "expected needs, config, hook or a step, found {head:?}"
            )),
        }
    }

    /// A step that not every world can do must be announced, so that the header tells where the story is told.
    fn needing<T>(&self, need: Need, what: T) -> Result<T, String> {
        if self.needs.contains(&need) {
            return Ok(what);
        }
        Err(format!("say `needs {}` in the header first", name_of(need)))
    }

    fn act(&mut self, action: Line<Action>) {
        if self
            .steps
            .last()
            .is_none_or(|step| !step.expectations.is_empty())
        {
            self.steps.push(Step::default());
        }
        if let Some(step) = self.steps.last_mut() {
            step.actions.push(action);
        }
    }

    fn expect(&mut self, expectation: Line<Expectation>) -> Result<(), String> {
        if expectation.what.words.is_empty() {
            return Err("a packet is missing".into());
        }
        let step = self.steps.last_mut().ok_or("something must happen first")?;
        step.expectations.push(expectation);
        Ok(())
    }
}

const NEEDS: [(&str, Need); 4] = [
    ("time", Need::Time),
    ("hooks", Need::Hooks),
    ("commands", Need::Commands),
    ("stalls", Need::Stalls),
];

fn need(name: &str) -> Result<Need, String> {
    let found = NEEDS.iter().find(|(known, _)| *known == name);
    found.map(|(_, need)| *need).ok_or_else(|| {
        let known: Vec<_> = NEEDS.iter().map(|(known, _)| *known).collect();
        format!(
            "nothing is known that is called {name:?}; known are {}",
            known.join(", ")
        )
    })
}

fn name_of(need: Need) -> &'static str {
    NEEDS
        .iter()
        .find(|(_, known)| *known == need)
        .map_or("", |(name, _)| name)
}

fn checked(name: &str) -> Result<String, String> {
    let legal = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if legal {
        Ok(name.into())
    } else {
        Err(format!("{name:?} is no name"))
    }
}

/// `30s`, `1500ms` or `2h`.
///
/// # Errors
/// It is none of these.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is no time, such as 30s"))?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "h" => Ok(Duration::from_secs(number * 3600)),
        unit => Err(format!("{unit:?} is no unit of time; take ms, s or h")),
    }
}

fn raw(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for word in Word::split(text)? {
        bytes.extend(if word.quoted {
            word.text.into_bytes()
        } else {
            parse_hex(&word.text)?
        });
    }
    if bytes.is_empty() {
        Err("hex needs bytes: 10 00 \"text\"".into())
    } else {
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_belong_to_the_actions_before_them() {
        let text = "# Title\n# more\nneeds time\n\na: opens v5\nb: opens v31\na< closed\nwait 5s\nb< closed\n";
        let story = Story::parse("x.txt", text).unwrap();
        assert_eq!(story.title, "Title");
        let shape: Vec<_> = story
            .steps
            .iter()
            .map(|step| (step.actions.len(), step.expectations.len()))
            .collect();
        assert_eq!(shape, [(2, 1), (1, 1)]);
        assert_eq!(story.steps[1].actions[0].number, 8);
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, wrong) in [
            ("a: opens v5", "x.txt:1: a story begins with a title"),
            ("# T\n", "x.txt:1: nothing happens"),
            ("# T\nwait 3s", "x.txt:2: say `needs time`"),
            ("# T\nneeds time\nwait 3", "x.txt:3: \"\" is no unit"),
            ("# T\na< closed", "x.txt:2: something must happen first"),
            (
                "# T\na: opens v5\nconfig inflight_max=1",
                "x.txt:3: expected `name: …`",
            ),
            ("# T\nneeds luck", "x.txt:2: nothing is known"),
            ("# T\na: hex 1", "x.txt:2: \"1\" is not an even number"),
            ("# T\na: closes now", "x.txt:2: closes stands alone"),
            ("# T\na: opens", "x.txt:2: opens needs v5"),
            ("# T\nconfig inflight_maximum=1", "x.txt:2: "),
        ] {
            let error = Story::parse("x.txt", text).unwrap_err().to_string();
            assert!(error.starts_with(wrong), "{error}");
        }
    }

    #[test]
    fn bytes_are_digits_and_quoted_text() {
        assert_eq!(raw("10 0005 \"ab\"").unwrap(), [0x10, 0, 5, b'a', b'b']);
    }
}
