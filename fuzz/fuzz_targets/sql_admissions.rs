//! Any bytes as the list of admissions in a row: nothing panics, and what is taken is written back byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    cloakroom_sqlx::fuzzing::admissions(bytes);
    // Places are found by a fuzzer only where their form is given to it.
    let mut list = vec![1];
    for (number, chunk) in bytes.chunks(16).take(64).enumerate() {
        let mut place = [0; 48];
        place[0] = number as u8;
        place[32..32 + chunk.len()].copy_from_slice(chunk);
        list.extend_from_slice(&place);
    }
    cloakroom_sqlx::fuzzing::admissions(&list);
});
