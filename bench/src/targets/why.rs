//! What remains where a target is missed, and why.

/// What is known of a target, by what it is called; nothing of most.
pub(super) fn why(what: &str) -> &'static str {
    WHY.iter().find(|(begin, _)| what.starts_with(begin)).map_or("", |(_, why)| why)
}

/// By how the names of the targets begin.
pub(super) const WHY: [(&str, &str); 14] = [
    (
        "allocations, S1",
        "two of the five are axum's for any layer of a router (`noop-layer` has them too). The layer around the whole router, \
         `cloakroom-around`, asks for three.",
    ),
    (
        "CPU, S1",
        "of what the layer costs, a good part is what axum asks for any layer of a router (`noop-layer`).",
    ),
    (
        "CPU, S3, memory",
        "the peers clone a map of plain values. Cloakroom checks a MAC of some twenty blocks of SHA-256 over the record, and \
         decrypts it under a key of its own: that is about half of what the request costs. A cache of opened records would hide \
         it, and would keep plain text in memory beyond the request.",
    ),
    (
        "CPU, S4, redis",
        "the calls to the system are the same, one write and one read for each of two round trips. What is over is opening \
         the record, encoding and sealing it anew, in the process itself.",
    ),
    (
        "CPU, S6, redis",
        "the calls to the system are the same but for two that fetch random bytes. What is over is encoding and sealing a record.",
    ),
    (
        "CPU, S7",
        "a value is decoded only where it is asked for, but MAC and cipher go over all 32 KiB of the record before any byte of \
         it is trusted. That alone is several times the whole of S3 where the server answers fast.",
    ),
    (
        "sealing and opening 1 KiB",
        "half of what is over is a key for each message, as XAES-256-GCM wants it: two blocks of AES, a key schedule and a table \
         for GHASH. The rest are two more blocks of SHA-256 each way, which bind the record to its namespace, purpose and \
         place, and the pieces that they are fed in, and wiping. A key used for all messages would need nonces that never repeat in a fleet.",
    ),
    (
        "HTTP throughput",
        "the raw handler asks one command and opens nothing. A session asks three, the record, its time to live and the number that tells \
         replies from another's, and then checks a MAC and decrypts, on two cores that `wrk` and the server share. Over many connections \
         all of them go to the server in few writes, so that the server costs both little and what is left is the session: what S3 costs \
         in memory, where no server is asked, is a quarter of what the whole process of the raw handler takes for a request over 32 connections.",
    ),
    (
        "CPU, S4, postgres",
        "nearly all of it is the client library and the system: `raw-client`, which reads and writes the same bytes and does nothing \
         else, is close above or below the bound itself.",
    ),
    (
        "CPU, S6, postgres",
        "three quarters of it are the client library and the system, as `raw-client` shows, which inserts the same bytes and does nothing \
         else: that leaves a tenth of the bound for encoding, sealing and the layer.",
    ),
    (
        "memory store: throughput",
        "two cores run two threads at a time, nine of ten verbs share the one lock, and all wait for memory alike. The lock costs as much \
         as they meet at it, and that differs from process to process: Cloakroom is as fast in one and twice as fast in another. \
         What the shards bring on many cores is not measured.",
    ),
    (
        "memory store: bytes per session beyond its sealed payload, with a principal",
        "what is over is the index: a list of its own for each principal, with one entry, as where nobody has a second session.",
    ),
    (
        "CPU, request with a forged cookie",
        "the token is refused in a fifth of that time, and no server is asked. The rest is the layer, and a session for the handler, \
         which asks for one and gets an empty one, and what the response tells caches of that. With peers it is a round trip more.",
    ),
    (
        "CPU, S5",
        "S5 does what S3 does unless a touch is due, so that this is the noise of two figures of the same work and the touches \
         that were due.",
    ),
];
