//! Fuzzes [`sanderling_fuzz::simulation`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sanderling_fuzz::simulation(input));
