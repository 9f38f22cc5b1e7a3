//! Fuzzes [`sanderling_fuzz::pipeline`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sanderling_fuzz::pipeline(input));
