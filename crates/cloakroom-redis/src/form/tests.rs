use redis::Value;

use super::{
    Form, address_or_nil, bytes, bytes_or_nil, count, facts, hello, list, ok, ok_or_nil, one_or_none, pong,
    role, scores, subscribed, text, time, time_left,
};

const TIME: &str = "*2\r\n$2\r\n12\r\n$1\r\n3";
const SCORES: &str = "*1\r\n*2\r\n$1\r\na\r\n,1.5";

const ADDRESS: &str = "*2\r\n$1\r\nh\r\n$1\r\n1";
const ROLE: &str = "*3\r\n$5\r\nslave\r\n:0\r\n*0";
const FACTS: &str = "%1\r\n$1\r\na\r\n$1\r\nb";
const SUBSCRIBED: &str = ">3\r\n+subscribe\r\n+a\r\n:1";

const REPLIES: [&str; 23] = [
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
    ADDRESS,
    ROLE,
    FACTS,
    "%0",
    SUBSCRIBED,
];

/// Whatever a command never gives is found out: it may be all that tells of a connection that is out of step.
#[test]
fn commands_give_nothing_else() {
    let forms: [(Form, &[&str]); 17] = [
        (ok, &["+OK"]),
        (ok_or_nil, &["_", "+OK"]),
        (pong, &["+PONG"]),
        (bytes, &["$2\r\nab"]),
        (bytes_or_nil, &["_", "$2\r\nab"]),
        (text, &["$2\r\nab", "=6\r\ntxt:ab"]),
        (
            list,
            &[
                "*1\r\n:1",
                "*0",
                TIME,
                "*2\r\n$1\r\na\r\n,1.5",
                SCORES,
                "*1\r\n*2\r\n,1.5\r\n,1.5",
                ADDRESS,
                ROLE,
            ],
        ),
        (hello, &[FACTS]),
        (facts, &[TIME, "*2\r\n$1\r\na\r\n,1.5", ADDRESS, FACTS]),
        (address_or_nil, &["_", TIME, ADDRESS]),
        (role, &[TIME, "*2\r\n$1\r\na\r\n,1.5", ADDRESS, ROLE]),
        (subscribed, &[SUBSCRIBED]),
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
