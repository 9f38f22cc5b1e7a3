//! Fuzzes [`sanderling_fuzz::decode_server`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sanderling_fuzz::decode_server(input));
