//! Fuzz program for `model_shards`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| micse_fuzz::run("model_shards", bytes));
