//! Fuzzes [`sanderling_fuzz::broker`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sanderling_fuzz::broker(input));
