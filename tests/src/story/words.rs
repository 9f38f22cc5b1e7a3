//! Words on their way to packets and commands.

use super::{property, reason, word::Word};
use sanderling_core::{
    packet::{PropertiesBuf, QoS, RetainHandling, SubscribeOptions},
    reason::ReasonCode,
};
use std::str::FromStr;

/// The words of a packet that were not understood yet.
pub(super) struct Words(pub(super) Vec<Word>);

impl Words {
    /// The first word, which must have no key.
    pub(super) fn next(&mut self, what: &str) -> Result<Word, String> {
        match self.0.first() {
            Some(word) if word.key.is_none() => Ok(self.0.remove(0)),
            Some(word) => Err(format!("expected {what}, found {word}")),
            None => Err(format!("{what} is missing")),
        }
    }

    /// The word with this key.
    pub(super) fn take(&mut self, key: &str) -> Option<Word> {
        let at = self
            .0
            .iter()
            .position(|word| word.key.as_deref() == Some(key))?;
        Some(self.0.remove(at))
    }

    pub(super) fn number<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        self.take(key).map(|word| word.parsed()).transpose()
    }

    pub(super) fn qos(&mut self, key: &str) -> Result<QoS, String> {
        let number = self.number(key)?.unwrap_or(0);
        QoS::from_bits(number).ok_or_else(|| format!("there is no QoS {number}; send it as hex"))
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        let at = self.0.iter().position(|word| word.is(name));
        at.map(|at| self.0.remove(at)).is_some()
    }

    /// A reason code, if one stands next; else success.
    pub(super) fn reason(&mut self) -> Result<ReasonCode, String> {
        match self.0.first() {
            Some(word) if word.key.is_none() => reason::parse(&self.0.remove(0)),
            _ => Ok(ReasonCode::SUCCESS),
        }
    }

    /// `qos=1 no_local retain_as_published retain_handling=2`, in any order.
    pub(super) fn subscribe_options(&mut self) -> Result<SubscribeOptions, String> {
        Ok(SubscribeOptions {
            qos: self.qos("qos")?,
            no_local: self.flag("no_local"),
            retain_as_published: self.flag("retain_as_published"),
            retain_handling: match self.number("retain_handling")?.unwrap_or(0_u8) {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                2 => RetainHandling::DoNotSend,
                other => return Err(format!("there is no retain handling {other}")),
            },
        })
    }

    /// All that is left.
    pub(super) fn properties(self) -> Result<PropertiesBuf, String> {
        property::parse(&self.0)
    }

    pub(super) fn end(self) -> Result<(), String> {
        self.0
            .first()
            .map_or(Ok(()), |word| Err(format!("{word} does not belong here")))
    }

    /// Parts at the commas, which end a word; at least one.
    pub(super) fn lists(&self) -> Vec<Self> {
        let mut lists = vec![Self(Vec::new())];
        for word in &self.0 {
            let list = lists.len() - 1;
            match word.text.strip_suffix(',') {
                Some(text) if !word.quoted => {
                    lists[list].0.push(Word {
                        text: text.into(),
                        ..word.clone()
                    });
                    lists.push(Self(Vec::new()));
                }
                _ => lists[list].0.push(word.clone()),
            }
        }
        lists
    }
}

impl Word {
    pub(super) fn parsed<T: FromStr>(&self) -> Result<T, String> {
        self.text
            .parse()
            .map_err(|_| format!("{self} is not a number that fits"))
    }
}
