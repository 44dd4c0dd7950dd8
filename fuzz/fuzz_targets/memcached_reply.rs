//! Any bytes as what a Memcached server says: no reply, or one that says what they say; and no write whose reply is none
//! is taken for one that took no effect.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = cloakroom_memcached::fuzzing::replies(bytes);
    let _ = cloakroom_memcached::fuzzing::told(bytes);
    // A value and its end are found by a fuzzer only where they are given to it.
    let (flags, value) = bytes.split_at(bytes.len().min(24));
    let whole = [format!("VA {} ", value.len()).as_bytes(), flags, b"\r\n", value, b"\r\nEN\r\n"].concat();
    let count = cloakroom_memcached::fuzzing::replies(&whole);
    assert!(count == 2 || flags.iter().any(|byte| !byte.is_ascii_alphanumeric()) || odd(flags));
});

/// A flag whose number is none, or too large.
fn odd(flags: &[u8]) -> bool {
    flags.first().is_some_and(|first| b"cfhlstb".contains(first))
}
