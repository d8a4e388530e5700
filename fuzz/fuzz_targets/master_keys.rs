#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| zegel_fuzz::master_keys::holds(input));
