use redis::Value;

use super::{DEEPEST, Garbled, LONGEST, LONGEST_LINE, MOST_ELEMENTS, Replies};

const REPLIES: [&str; 30] = [
    "+OK\r\n",
    "+PONG\r\n",
    "+\r\n",
    "-ERR no\r\n",
    "-MOVED 1 127.0.0.1:1\r\n",
    ":0\r\n",
    ":-2\r\n",
    ":+7\r\n",
    "_\r\n",
    "$-1\r\n",
    "$0\r\n\r\n",
    "$5\r\na\r\nbc\r\n",
    "!9\r\nOOM no no\r\n",
    "=6\r\ntxt:ab\r\n",
    ",1.5\r\n",
    ",inf\r\n",
    "#t\r\n",
    "(123456789012345678901234567890\r\n",
    "*0\r\n",
    "*-1\r\n",
    "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
    "~1\r\n+a\r\n",
    "%1\r\n+a\r\n*2\r\n:1\r\n_\r\n",
    "%0\r\n",
    "|1\r\n+ttl\r\n:1\r\n$1\r\na\r\n",
    "*1\r\n|1\r\n+a\r\n:1\r\n:2\r\n",
    ">2\r\n$7\r\nmessage\r\n$1\r\na\r\n",
    ">3\r\n+subscribe\r\n+a\r\n:1\r\n",
    "*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2\r\n",
    "-a\nb\r\n",
];

fn all(replies: &mut Replies, bytes: &[u8]) -> Result<(Vec<Value>, usize), Garbled> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some((value, length)) = replies.next(&bytes[at..])? {
        found.push(value);
        at += length;
    }
    Ok((found, at))
}

#[test]
fn replies_are_read_as_the_library_reads_them() {
    for reply in REPLIES {
        let wanted = redis::parse_redis_value(reply.as_bytes()).expect(reply);
        let (found, length) = all(&mut Replies::default(), reply.as_bytes()).expect(reply);
        assert_eq!((found, length), (vec![wanted], reply.len()), "{reply:?}");
    }
}

/// However they are cut, and whatever comes behind.
#[test]
fn replies_are_found_wherever_they_are_cut() {
    let stream = REPLIES.concat().into_bytes();
    let wanted = all(&mut Replies::default(), &stream).expect("replies").0;
    assert_eq!(wanted.len(), REPLIES.len());
    for step in 1..stream.len() {
        let (mut replies, mut found, mut start, mut end) = (Replies::default(), Vec::new(), 0, 0);
        while end < stream.len() {
            end = (end + step).min(stream.len());
            let (more, length) = all(&mut replies, &stream[start..end]).expect("replies");
            found.extend(more);
            start += length;
        }
        assert_eq!((&found, start), (&wanted, stream.len()), "{step} at a time");
    }
}

#[test]
fn what_is_no_reply_is_garbled() {
    for garbage in [
        "HTTP/1.1 400 Bad Request\r\n",
        "\0",
        "\r\n",
        ":notanumber\r\n",
        ":\r\n",
        "$99999999999999999999\r\n",
        "$x\r\n",
        "$\r\n",
        "$?\r\n",
        "$1\r\nabc",
        "$-7\r\n",
        "$-1x\r\n",
        "$+1\r\na\r\n",
        "$ 1\r\na\r\n",
        "*-2\r\n",
        "%-1\r\n",
        "~-1\r\n",
        ">-1\r\n",
        "_x\r\n",
        ": 1\r\n",
        "*1\r\n_x\r\n",
        "!-1\r\n",
        "=-1\r\n",
        "*1\r\n*x\r\n",
        ",what\r\n",
        "#x\r\n",
        "=1\r\na\r\n",
        ">1\r\n:1\r\n",
    ] {
        let found = all(&mut Replies::default(), garbage.as_bytes());
        assert!(found.is_err(), "{garbage:?}: {found:?}");
    }
    assert!(all(&mut Replies::default(), b"+\xff\r\n").is_err());
    let line = vec![b'+'; LONGEST_LINE + 1];
    assert!(all(&mut Replies::default(), &line).is_ok(), "it may still end");
    assert!(all(&mut Replies::default(), &[line, vec![b'+'; 2]].concat()).is_err());
}

/// Each piece may be small: all of them together take the memory.
#[test]
fn replies_have_limits_in_all() {
    let found = |reply: &str| all(&mut Replies::default(), reply.as_bytes()).map(|(found, _)| found.len());
    // Told by what is announced, long before it has come.
    assert!(matches!(found(&format!("${}\r\n", LONGEST - 100)), Ok(0)));
    assert!(found(&format!("${}\r\n", LONGEST - 10)).is_err());
    let half = format!("${}\r\n", LONGEST / 2);
    assert!(matches!(found(&format!("*2\r\n{half}")), Ok(0)));
    assert!(found(&format!("*2\r\n{half}{}\r\n{half}", "a".repeat(LONGEST / 2))).is_err());
    assert!(matches!(found(&format!("*{}\r\n", MOST_ELEMENTS - 1)), Ok(0)));
    for announced in [
        format!("*{MOST_ELEMENTS}\r\n"),
        format!("%{}\r\n", MOST_ELEMENTS / 2),
        format!("|{}\r\n", MOST_ELEMENTS / 2),
        format!("*2\r\n*{0}\r\n{1}*{0}\r\n", MOST_ELEMENTS / 2, "_\r\n".repeat(MOST_ELEMENTS / 2)),
    ] {
        assert!(found(&announced).is_err());
    }
    for list in ["*1\r\n", "~1\r\n", "%1\r\n+a\r\n", ">2\r\n+a\r\n", "|1\r\n+a\r\n+a\r\n"] {
        assert!(matches!(found(&(list.repeat(DEEPEST) + ":1\r\n")), Ok(1)), "{list:?}");
        assert!(found(&list.repeat(DEEPEST + 1)).is_err(), "{list:?}");
    }
}
