//! Fuzz program for `pickle`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| micse_fuzz::run("pickle", bytes));
