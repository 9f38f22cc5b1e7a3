//! Fuzzes [`sanderling_fuzz::wheel`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sanderling_fuzz::wheel(input));
