//! SIGINT and SIGTERM: the first asks to stop, the second stops. SIGHUP: files are to be read again.

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
    iterator::Signals,
};
use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
    thread,
};

/// Calls `stop` on a thread of its own at the first SIGINT or SIGTERM. The second one ends the process at once, as if
/// nobody had asked to be told.
pub(crate) fn on_first(stop: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag down, and raises it for the second.
        flag::register_conditional_default(signal, Arc::clone(&stopping))?;
        flag::register(signal, Arc::clone(&stopping))?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if signals.forever().next().is_some() {
                stop();
            }
        })?;
    Ok(())
}

/// Calls `reload` on a thread of its own at each SIGHUP.
pub(crate) fn on_hangup(reload: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP])?;
    thread::Builder::new()
        .name("hangups".to_owned())
        .spawn(move || signals.forever().for_each(|_| reload()))?;
    Ok(())
}
