//! What the examples share, so that each shows its own subject only: arguments, signals, errors, the log. It is no
//! library for programs.

use sanderling_runtime::Endpoint;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
    iterator::Signals,
};
use std::{
    env,
    error::Error,
    fmt,
    io::{self, IsTerminal},
    sync::{Arc, atomic::AtomicBool},
    thread,
};

/// Why a program ended, as a sentence: `main` shows a `Box<dyn Error>` as Rust spells the value.
pub struct Failure(Box<dyn Error>);

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The program's arguments in their order, and the defaults of those that were not given.
pub fn arguments<const N: usize>(defaults: [&str; N]) -> [String; N] {
    let mut given = env::args().skip(1);
    defaults.map(|default| given.next().unwrap_or_else(|| default.to_owned()))
}

/// Tells where clients can connect. With port 0 in an argument this is how to find out.
pub fn announce(endpoints: &[Endpoint]) {
    for endpoint in endpoints {
        println!("listening on {endpoint}");
    }
}

/// Calls `stop` on a thread of its own at the first Ctrl-C or SIGTERM. The second ends the program at once.
///
/// # Errors
/// The system refuses a thread or a signal.
pub fn on_signal(stop: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order the first signal finds false here, and leaves true for the second.
        flag::register_conditional_default(signal, Arc::clone(&stopping))?;
        flag::register(signal, Arc::clone(&stopping))?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if signals.forever().next().is_some() {
                stop();
            }
        })?;
    Ok(())
}

/// Writes what the broker and the program log to standard error.
pub fn log_to_stderr() {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
}
