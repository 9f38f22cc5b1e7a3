//! The plugin: what an embedder sets, and its life.

use crate::{gate::Gate, hook::SysHook, presence::Presence, publisher::Publisher};
use sanderling_runtime::{Handle, HookSets, Plugin, PluginError};
use std::{
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

/// Publishes `$SYS` topics, and keeps them for administrators.
#[derive(Debug)]
pub struct Sys {
    interval: Duration,
    gate: Gate,
    presence: Option<Presence>,
    /// The most clients that were connected at a time.
    clients_maximum: Arc<AtomicU32>,
    publisher: Option<Publisher>,
}

impl Default for Sys {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            gate: Gate::default(),
            presence: Some(Presence::new("sanderling")),
            clients_maximum: Arc::default(),
            publisher: None,
        }
    }
}

impl Sys {
    /// Every ten seconds, with presence, and for connections of this machine only.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often counters are published; never with zero. They are at multiples of it in civil time, so that those of
    /// several brokers are of the same moment.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Lets clients with this user name read the topics, wherever they connect from.
    #[must_use]
    pub fn administrator(mut self, username: impl Into<String>) -> Self {
        self.gate.usernames.insert(username.into());
        self
    }

    /// Trusts connections of this machine no more than others.
    #[must_use]
    pub fn without_local(mut self) -> Self {
        self.gate.local = false;
        self
    }

    /// What this broker is called in the topics of presence, one level; otherwise `sanderling`.
    #[must_use]
    pub fn node(mut self, node: &str) -> Self {
        self.presence = Some(Presence::new(node));
        self
    }

    /// Does not tell who comes and goes.
    #[must_use]
    pub fn without_presence(mut self) -> Self {
        self.presence = None;
        self
    }
}

impl Plugin for Sys {
    fn name(&self) -> &str {
        "sys"
    }

    fn load(&mut self, handle: &Handle) -> Result<(), PluginError> {
        if !self.interval.is_zero() {
            let maximum = Arc::clone(&self.clients_maximum);
            let publisher = Publisher::start(handle.clone(), self.interval, maximum)?;
            self.publisher = Some(publisher);
        }
        Ok(())
    }

    fn hooks(&mut self, hooks: &mut HookSets) {
        hooks.hook(SysHook {
            gate: self.gate.clone(),
            presence: self.presence.clone(),
            clients_maximum: Arc::clone(&self.clients_maximum),
        });
    }

    fn unload(&mut self) -> Result<(), PluginError> {
        match self.publisher.take() {
            Some(publisher) => publisher.stop(),
            None => Ok(()),
        }
    }
}
