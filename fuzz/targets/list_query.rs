#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| usher_api::fuzzing::list_query(data));
