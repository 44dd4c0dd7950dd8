//! Any bytes as what a Redis, a node of a Cluster or a Sentinel says: nothing panics, and nobody is sent nowhere.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    cloakroom_redis::fuzzing::reply(bytes);
    // A text and a chart of one range are found by a fuzzer only where they are given to it.
    let text = [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    cloakroom_redis::fuzzing::reply(&text);
    let chart = [b"*1\r\n*3\r\n:0\r\n:16383\r\n".as_slice(), bytes].concat();
    cloakroom_redis::fuzzing::reply(&chart);
    let named = [b"*2\r\n*2\r\n$12\r\nconfig-epoch\r\n$1\r\n5\r\n".as_slice(), bytes].concat();
    cloakroom_redis::fuzzing::reply(&named);
});
