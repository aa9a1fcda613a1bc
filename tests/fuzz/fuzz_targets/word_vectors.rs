//! Fuzz program for `word_vectors`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| micse_fuzz::run("word_vectors", bytes));
