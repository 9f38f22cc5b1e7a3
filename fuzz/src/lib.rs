//! What the fuzz targets check, as plain functions on bytes: they return if all is well and panic if not.
//!
//! The fuzzer calls them with what it makes up, the test `fuzz_corpus` with what is kept under `corpus/`.
#![forbid(unsafe_code)]

mod broker;
mod decode;
mod pipeline;
mod seeds;
mod topics;
mod wheel;

pub use broker::broker;
pub use decode::{decode_client, decode_server};
pub use pipeline::pipeline;
pub use seeds::{Seed, seeds};
pub use topics::topics;
pub use wheel::wheel;

/// A target: its name, which is also that of its corpus, and its check.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("broker", broker),
    ("decode_client", decode_client),
    ("decode_server", decode_server),
    ("pipeline", pipeline),
    ("simulation", simulation),
    ("topics", topics),
    ("wheel", wheel),
];

/// Carries out the steps that the input chooses, with the simulator's model as the judge.
pub fn simulation(input: &[u8]) {
    sanderling_tests::sim::judge(input);
}
