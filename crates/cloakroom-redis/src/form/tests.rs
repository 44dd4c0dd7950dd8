use redis::Value;

use super::{
    Form, bytes, bytes_or_nil, count, list, ok, ok_or_nil, one_or_none, pong, scores, text, time, time_left,
};

const TIME: &str = "*2\r\n$2\r\n12\r\n$1\r\n3";
const SCORES: &str = "*1\r\n*2\r\n$1\r\na\r\n,1.5";

const REPLIES: [&str; 18] = [
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
    "*0",
    TIME,
    "*2\r\n$1\r\na\r\n,1.5",
    SCORES,
    "*1\r\n*2\r\n,1.5\r\n,1.5",
];

/// Whatever a command never gives is found out: it may be all that tells of a connection that is out of step.
#[test]
fn commands_give_nothing_else() {
    let forms: [(Form, &[&str]); 12] = [
        (ok, &["+OK"]),
        (ok_or_nil, &["_", "+OK"]),
        (pong, &["+PONG"]),
        (bytes, &["$2\r\nab"]),
        (bytes_or_nil, &["_", "$2\r\nab"]),
        (text, &["$2\r\nab", "=6\r\ntxt:ab"]),
        (list, &["*1\r\n:1", "*0", TIME, "*2\r\n$1\r\na\r\n,1.5", SCORES, "*1\r\n*2\r\n,1.5\r\n,1.5"]),
        (time, &[TIME]),
        (scores, &["*0", SCORES]),
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
