//! Plugins: parts of a broker with a beginning and an end of their own.

use crate::{Handle, HookSets};
use std::{
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};
use tracing::{error, info, info_span};

/// Why a plugin cannot do what it is asked to.
pub type PluginError = Box<dyn Error + Send + Sync>;

/// A part of a broker that has hooks, and a beginning and an end: a server of its own, a connection, a file.
///
/// It knows neither tokio nor mio, and must not keep the thread that calls it: what waits does so on a thread of its own,
/// with a clone of the handle.
///
/// # Life
/// 1. [`load`](Self::load), once, before anybody can connect, in the order in which plugins were given;
/// 2. [`hooks`](Self::hooks), once, right after it;
/// 3. [`unload`](Self::unload), once, when the broker has stopped and hooks were told so, in the same order; not if the
///    broker did not stop in the time it was given.
///
/// If one cannot be loaded, those before it are unloaded in reverse order and the broker does not start.
pub trait Plugin: Send {
    /// What it is called, in logs and errors.
    fn name(&self) -> &str;

    /// Begins. The handle is good for the broker's whole life; calls that wait for the broker return
    /// [`NotStarted`](crate::HandleError::NotStarted) as long as it is being built.
    ///
    /// # Errors
    /// It cannot do its work: the broker does not start.
    fn load(&mut self, handle: &Handle) -> Result<(), PluginError> {
        let _ = handle;
        Ok(())
    }

    /// Gives its hooks. They are asked after those of the builder, and of plugins before.
    fn hooks(&mut self, hooks: &mut HookSets) {
        let _ = hooks;
    }

    /// Ends all it has begun. Calls of the handle return [`Stopped`](crate::HandleError::Stopped).
    ///
    /// # Errors
    /// They are logged.
    fn unload(&mut self) -> Result<(), PluginError> {
        Ok(())
    }
}

impl fmt::Debug for dyn Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plugin").field(&self.name()).finish()
    }
}

/// A plugin could not be loaded.
#[derive(Debug)]
pub struct LoadError {
    plugin: String,
    cause: PluginError,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin {} cannot be loaded: {}", self.plugin, self.cause)
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

/// The plugins of a broker, loaded. Those that are loaded are unloaded in reverse order if the broker does not come into being.
#[derive(Debug, Default)]
pub struct Plugins {
    loaded: Vec<Box<dyn Plugin>>,
}

impl Plugins {
    /// Loads plugins in this order, and appends their hooks.
    pub(crate) fn load(
        plugins: Vec<Box<dyn Plugin>>,
        handle: &Handle,
        hooks: &mut HookSets,
    ) -> Result<Self, LoadError> {
        let mut loaded = Self::default();
        for mut plugin in plugins {
            let _span = info_span!("plugin", name = plugin.name()).entered();
            info!(name = plugin.name(), "loading plugin");
            let name = plugin.name().to_owned();
            let not_loaded = |cause| LoadError {
                plugin: name,
                cause,
            };
            guarded(|| plugin.load(handle)).map_err(not_loaded.clone())?;
            loaded.loaded.push(plugin);
            if let Some(plugin) = loaded.loaded.last_mut() {
                let gather = || {
                    plugin.hooks(hooks);
                    Ok(())
                };
                guarded(gather).map_err(not_loaded)?;
            }
        }
        Ok(loaded)
    }

    /// Unloads them in the order in which they were loaded.
    pub(crate) fn unload(mut self) {
        self.loaded.drain(..).for_each(unload);
    }

    /// Leaves them as they are.
    pub(crate) fn leave(mut self) {
        self.loaded.clear();
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        self.loaded.drain(..).rev().for_each(unload);
    }
}

fn unload(mut plugin: Box<dyn Plugin>) {
    let _span = info_span!("plugin", name = plugin.name()).entered();
    if let Err(cause) = guarded(|| plugin.unload()) {
        error!(name = plugin.name(), %cause, "plugin not unloaded");
    }
}

/// What `act` returns; a panic is an error like another.
fn guarded(act: impl FnOnce() -> Result<(), PluginError>) -> Result<(), PluginError> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| Err("it panicked".into()))
}
