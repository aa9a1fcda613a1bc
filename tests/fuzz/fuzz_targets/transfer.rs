//! Fuzz program for `transfer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| micse_fuzz::run("transfer", bytes));
