#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickpath_hostile::orders::orders(data));
