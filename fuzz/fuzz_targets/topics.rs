//! Fuzzes [`sanderling_fuzz::topics`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sanderling_fuzz::topics(input));
