//! The inputs that the fuzzer starts from: small, each with one idea, named after it.
//!
//! `cargo run --manifest-path fuzz/Cargo.toml --example write_seeds` writes them below `corpus/`.

mod broker;
mod client;
mod pipeline;
mod server;
mod simulation;
mod topics;
mod wheel;

/// One file of the corpus.
pub struct Seed {
    /// The target it is for.
    pub target: &'static str,
    /// The file name.
    pub name: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// All seeds of all targets.
pub fn seeds() -> Vec<Seed> {
    let all = client::seeds().into_iter().chain(server::seeds());
    let all = all.chain(topics::seeds()).chain(broker::seeds());
    all.chain(simulation::seeds())
        .chain(wheel::seeds())
        .chain(pipeline::seeds())
        .collect()
}
