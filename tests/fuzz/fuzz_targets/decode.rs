//! Gives whatever the fuzzer makes to the decoder that `DECODER` names, or to all of them.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static NAME: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("DECODER").ok());

fuzz_target!(|bytes: &[u8]| {
    flagship_tests::decoders::feed(NAME.as_deref(), bytes);
});
