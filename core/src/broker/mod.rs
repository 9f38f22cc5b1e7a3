//! The machine: one entry, [`Broker::handle`]; one file per flow.

mod action;
mod command;
mod event;

pub use action::{Action, Actions, Close, Frame, Target, Targets};
pub use command::{Answer, Command, Publication};
pub use event::{CloseCause, Event, Link};
