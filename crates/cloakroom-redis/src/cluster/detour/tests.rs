use super::Detour;
use crate::place::Place;
use crate::request::Replies;

fn tcp(host: &str, port: u16) -> Place {
    Place::Tcp { host: host.to_owned(), port }
}

fn detour(lines: &[&str]) -> Option<Detour> {
    let reply = |line: &&str| redis::parse_redis_value(format!("{line}\r\n").as_bytes()).expect("a reply");
    let replies = Replies { values: lines.iter().map(reply).collect(), waited: None };
    Detour::of(&replies, &tcp("asked", 9))
}

#[test]
fn redirections_are_read() {
    for (line, wanted) in [
        ("-MOVED 3999 127.0.0.1:6381", Detour::Moved(tcp("127.0.0.1", 6381))),
        ("-MOVED 3999 node.internal:6381", Detour::Moved(tcp("node.internal", 6381))),
        ("-MOVED 3999 2001:db8::1:6381", Detour::Moved(tcp("2001:db8::1", 6381))),
        ("-MOVED 3999 :6381", Detour::Moved(tcp("asked", 6381))),
        ("-MOVED 3999 ?:6381", Detour::Moved(tcp("asked", 6381))),
        ("-ASK 3999 127.0.0.1:6381", Detour::Ask(tcp("127.0.0.1", 6381))),
        ("-MOVED", Detour::Elsewhere),
        ("-MOVED 3999", Detour::Elsewhere),
        ("-MOVED 3999 nowhere", Detour::Elsewhere),
        ("-ASK 3999 127.0.0.1:0", Detour::Elsewhere),
        ("-MOVED 3999 127.0.0.1:65536", Detour::Elsewhere),
        ("-READONLY You can't write against a read only replica.", Detour::Elsewhere),
        ("-TRYAGAIN Multiple keys request during rehashing of slot", Detour::Later),
        ("-CLUSTERDOWN Hash slot not served", Detour::Later),
    ] {
        assert_eq!(detour(&[line]), Some(wanted), "{line}");
    }
}

#[test]
fn any_reply_may_send_us_on() {
    let to = Some(Detour::Ask(tcp("b", 2)));
    assert_eq!(detour(&["+OK", "-ASK 1 b:2"]), to);
    assert_eq!(detour(&["-ASK 1 b:2", ":-2"]), to);
}

#[test]
fn other_replies_are_answers() {
    for line in ["+OK", "_", "-OOM command not allowed", "-LOADING no", "-NOPERM no", "-ERR MOVED 1 a:1"] {
        assert_eq!(detour(&[line]), None, "{line}");
    }
}
