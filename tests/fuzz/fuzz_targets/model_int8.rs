//! Fuzz program for `model_int8`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| micse_fuzz::run("model_int8", bytes));
