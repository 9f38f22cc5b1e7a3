//! The simulator: one seed decides a whole life of the broker, and a reference model judges every packet it sends.
//!
//! - [`Plan`] is what a seed decides: configuration, clients, hooks, steps. Swarm choice: each run leaves some kinds of
//!   step out and overdoes others, and draws some limits down to 1.
//! - [`run`] carries a plan out in virtual time over connections that split, stall, reset and overlap. First anything
//!   may happen (safety); then everybody comes back, reads and acknowledges, and all that is owed must arrive
//!   (liveness); then everybody leaves, and nothing may be left.
//! - The model is written from the standard with plain maps and knows nothing of the broker's insides. It takes each
//!   event with everything that came of it.
//! - A [`Failure`] names the rule that was broken; [`shrink`] makes its list of steps short.
//! - [`Tally`] counts what was checked, what came up, and which fault met which state of the protocol.

mod act;
mod client;
mod dice;
mod fuzz;
mod grid;
mod heal;
mod model;
mod network;
mod orders;
mod packets;
mod plan;
mod policy;
mod run;
mod settings;
mod shrink;
mod tally;
mod trace;
mod wire;
mod world;

pub use fuzz::judge;
pub use grid::{lost, page};
pub use plan::{Plan, Step};
pub use run::{Failure, Outcome, run, run_traced};
pub use shrink::shrink;
pub use tally::{FAULTS, INVARIANTS, STATES, Tally};
pub use world::Chances;
