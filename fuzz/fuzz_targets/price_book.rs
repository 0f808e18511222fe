#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| counterfoil_fuzz::price_book(data));
