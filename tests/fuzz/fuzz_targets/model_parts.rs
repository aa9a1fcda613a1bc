//! Fuzz program for `model_parts`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| micse_fuzz::run("model_parts", bytes));
