//! Fuzz program for `corpus_zstd`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| micse_fuzz::run("corpus_zstd", bytes));
