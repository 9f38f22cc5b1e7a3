//! Stories: a few commands, and everything that is received because of them. They live in `tests/stories/`, and each is
//! told in every world that offers what it needs: by hand, and over sockets to each driver.
//!
//! ```text
//! # The title: what the story claims.                 all of a line from # on is a comment
//! needs time                                          what not every world offers: time, hooks, commands, stalls
//! config inflight_max=1                               fields of Config and Limits
//! hook publish refuse not_authorized secret/#         one hook set: accept, connect, subscribe, publish
//!
//! alice: connect v5 keep_alive=10                     a client does something; the client identifier is its name
//! alice< connack success ..                           and this is all it receives, `..`: and more words
//! alice: subscribe 1 news/+ qos=1 no_local, b qos=0
//! bob: connect v311
//! alice< suback 1 granted_qos_1 granted_qos_0         many actions make one step; what is received follows
//! bob< connack accepted
//! bob: publish news/today "hello" qos=1 id=7
//! bob< puback 7
//! alice< publish news/today "hello" qos=1 id=1
//! bob: closes                                         or resets, opens v5, hex 10 00 "MQTT", stalls, reads
//! wait 30s                                            alice said nothing for 15 s
//! alice< disconnect keep_alive_timeout ..
//! alice< closed
//! hook: permit                                        a verdict on the question asked first: refuse R, grant R…
//! server: publish a/b "x" qos=1                       the program around the broker: publish, drain
//! ```
//!
//! Packets are written with their fields in the standard's order, then their properties by their names in the standard,
//! user properties last. Between clients there is no order; each client's packets must come in theirs. Whatever is
//! received and not written here, or written here and not received, is a failure.

mod act;
mod direct;
mod hook;
mod property;
mod reason;
mod render;
mod script;
mod setting;
mod socket;
mod tell;
mod word;
mod world;

pub use direct::{Direct, Manner};
pub use hook::RuleHooks;
pub use script::{Action, Expectation, Line, Need, ScriptError, Step, Story};
pub use setting::Settings;
pub use socket::{Questions, Socket};
pub use tell::{Failure, tell};
pub use word::Word;
pub use world::{Ending, Peer, Received, World};
