use redis::Value;

use super::{Form, bytes, bytes_or_nil, count, list, ok, ok_or_nil, one_or_none, pong, text, time_left};

const REPLIES: [&str; 13] = [
    "_",
    "+OK",
    "+PONG",
    "+what",
    "$2\r\nab",
    "=6\r\ntxt:ab",
    ":0",
    ":1",
    ":2",
    ":-2",
    ":-3",
    "*1\r\n:1",
    "#t",
];

/// Whatever a command never gives is found out: it may be all that tells of a connection that is out of step.
#[test]
fn commands_give_nothing_else() {
    let forms: [(Form, &[&str]); 10] = [
        (ok, &["+OK"]),
        (ok_or_nil, &["_", "+OK"]),
        (pong, &["+PONG"]),
        (bytes, &["$2\r\nab"]),
        (bytes_or_nil, &["_", "$2\r\nab"]),
        (text, &["$2\r\nab", "=6\r\ntxt:ab"]),
        (list, &["*1\r\n:1"]),
        (count, &[":0", ":1", ":2"]),
        (one_or_none, &[":0", ":1"]),
        (time_left, &[":0", ":1", ":2", ":-2"]),
    ];
    for (number, (form, wanted)) in forms.into_iter().enumerate() {
        let fits = |line: &&str| {
            let reply: Value = redis::parse_redis_value(format!("{line}\r\n").as_bytes()).expect("a reply");
            form(&reply)
        };
        let found: Vec<_> = REPLIES.into_iter().filter(fits).collect();
        assert_eq!(found, wanted, "form {number}");
    }
}
