//! Fuzz program for `tokenizer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| micse_fuzz::run("tokenizer", bytes));
