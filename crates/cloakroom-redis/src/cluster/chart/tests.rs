use redis::Value;

use super::Chart;
use crate::cluster::slot::Slot;
use crate::place::Place;

fn tcp(host: &str, port: u16) -> Place {
    Place::Tcp { host: host.to_owned(), port }
}

fn slot(number: u16) -> Slot {
    Slot::new(number).expect("a slot")
}

fn node(host: Option<&str>, port: i64) -> Value {
    let host = host.map_or(Value::Nil, |host| Value::BulkString(host.as_bytes().to_vec()));
    // Newer servers add an id and more.
    Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec()), Value::Array(Vec::new())])
}

fn range(first: i64, last: i64, nodes: Vec<Value>) -> Value {
    Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat())
}

#[test]
fn every_slot_of_a_range_has_its_primary() {
    let reply = Value::Array(vec![
        range(8000, 16383, vec![node(Some("b"), 2), node(Some("d"), 4)]),
        range(0, 7998, vec![node(Some("a"), 1), node(Some("c"), 3)]),
    ]);
    let chart = Chart::read(reply, &tcp("asked", 9)).expect("a chart");
    for (number, owner) in [
        (0, Some(tcp("a", 1))),
        (7998, Some(tcp("a", 1))),
        (7999, None),
        (8000, Some(tcp("b", 2))),
        (16383, Some(tcp("b", 2))),
    ] {
        assert_eq!(chart.owner(slot(number)), owner.as_ref(), "{number}");
    }
    assert_eq!(chart.primaries().collect::<Vec<_>>(), [&tcp("a", 1), &tcp("b", 2)]);
    assert_eq!(chart.replicas(), [tcp("d", 4), tcp("c", 3)]);
}

#[test]
fn node_without_a_name_is_the_one_that_was_asked() {
    for host in [None, Some(""), Some("?")] {
        let reply = Value::Array(vec![range(0, 16383, vec![node(host, 7000)])]);
        let asked = Place::Tls { host: "asked".to_owned(), port: 9 };
        let chart = Chart::read(reply, &asked).expect("a chart");
        let owner = Place::Tls { host: "asked".to_owned(), port: 7000 };
        assert_eq!(chart.owner(slot(5)), Some(&owner), "{host:?}");
    }
}

#[test]
fn what_was_learned_holds_for_one_slot() {
    let reply = Value::Array(vec![range(0, 16383, vec![node(Some("a"), 1)])]);
    let chart = Chart::read(reply, &tcp("asked", 9)).expect("a chart").corrected(slot(7), tcp("b", 2));
    assert_eq!(chart.owner(slot(7)), Some(&tcp("b", 2)));
    assert_eq!(chart.owner(slot(8)), Some(&tcp("a", 1)));
    assert!(chart.names(&tcp("b", 2)) && !chart.names(&tcp("c", 3)));
}

#[test]
fn replies_that_are_no_chart_are_none() {
    for reply in [
        Value::Nil,
        Value::Okay,
        Value::Array(Vec::new()),
        Value::Array(vec![Value::Int(1)]),
        Value::Array(vec![range(0, 16384, vec![node(Some("a"), 1)])]),
        Value::Array(vec![range(-1, 5, vec![node(Some("a"), 1)])]),
        Value::Array(vec![range(0, 5, Vec::new())]),
        Value::Array(vec![range(0, 5, vec![node(Some("a"), 0)])]),
        Value::Array(vec![range(0, 5, vec![node(Some("a"), 65536)])]),
    ] {
        let shown = format!("{reply:?}");
        assert!(Chart::read(reply, &tcp("asked", 9)).is_none(), "{shown}");
    }
}
