//! Fuzz program for `config`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| micse_fuzz::run("static_model", bytes));
