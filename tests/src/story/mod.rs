//! Stories: a few commands, and everything that is received because of them. They live in `tests/stories/`, and each is
//! told in every world that offers what it needs: by hand, and over sockets to each driver.
//!
//! A text becomes a [`Story`] (`script`) of words (`word`). The teller ([`tell`](tell())) makes packets of the words
//! of an action (`act`), hands their bytes to a [`World`], and puts what comes back into words again (`render`), which
//! must be those of the story.
#![doc = ""]
#![doc = include_str!("../../stories/README.md")]

mod act;
mod client;
mod compare;
mod direct;
mod hook;
mod order;
mod property;
mod reason;
mod render;
mod script;
mod setting;
mod socket;
mod tell;
mod watch;
mod word;
mod words;
mod world;

pub use direct::{Direct, Manner};
pub use hook::{RuleHooks, Watcher};
pub use script::{Action, Expectation, Line, Need, ScriptError, Step, Story};
pub use setting::Settings;
pub use socket::{Heard, Socket, Way};
pub use tell::{Failure, tell};
pub use word::Word;
pub use world::{Ending, Peer, Received, World};
