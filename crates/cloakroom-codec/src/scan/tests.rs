use std::cell::Cell;

use super::*;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn count_call() {
    CALLS.set(CALLS.get() + 1);
}

/// How often this thread has looked at MessagePack.
pub(crate) fn calls() -> u64 {
    CALLS.get()
}

#[test]
fn the_deepest_value_is_thirty_two_deep() {
    for container in [&[0x91][..], &[0x81, 0x01]] {
        let nested = |depth| [container.repeat(depth), vec![0xc0]].concat();
        assert_eq!(check(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(check(&nested(MAX_DEPTH + 1)), Err(Flaw::TooDeep));
    }
    // A container as a map's key counts as one in its value does.
    let nested = |depth| [[0x81].repeat(depth), vec![0xc0; depth + 1]].concat();
    assert_eq!(check(&nested(MAX_DEPTH)), Ok(()));
    assert_eq!(check(&nested(MAX_DEPTH + 1)), Err(Flaw::TooDeep));
}

#[test]
fn a_key_stands_once_in_a_map() {
    assert_eq!(check(&[0x82, 0x01, 0xc0, 0x01, 0xc3]), Err(Flaw::DuplicateKey));
    assert_eq!(check(&[0x82, 0x01, 0xc0, 0x02, 0xc3]), Ok(()));
    // Not side by side, and within an inner map.
    assert_eq!(check(&[0x91, 0x83, 0xa1, b'a', 1, 0xa1, b'b', 1, 0xa1, b'a', 1]), Err(Flaw::DuplicateKey));
    // The same key in an outer and in an inner map, and in two maps side by side.
    assert_eq!(check(&[0x82, 0x01, 0x81, 0x01, 0xc0, 0x02, 0x81, 0x01, 0xc0]), Ok(()));
    // A map as a key leaves the outer map's keys alone.
    assert_eq!(check(&[0x82, 0x81, 0x07, 0xc0, 0xc0, 0x07, 0xc0]), Ok(()));
    assert_eq!(check(&[0x82, 0x81, 0x07, 0xc0, 0xc0, 0x81, 0x07, 0xc0, 0xc0]), Err(Flaw::DuplicateKey));
}

#[test]
fn bytes_are_exactly_one_value() {
    assert_eq!(check(&[]), Err(Flaw::Broken));
    assert_eq!(check(&[0xc0, 0xc0]), Err(Flaw::Broken));
    assert_eq!(check(&[0xc1]), Err(Flaw::Broken));
    assert_eq!(check(&[0xa1, 0xff]), Err(Flaw::Broken), "not UTF-8");
    assert_eq!(check(&[0xd4, 0x05, 0x00]), Ok(()), "an extension of one byte");
    assert_eq!(check(&[0xd4, 0x05]), Err(Flaw::Broken));
}

#[test]
fn a_claim_is_not_believed() {
    for claim in [
        [0xdd, 0xff, 0xff, 0xff, 0xff], // array
        [0xdf, 0xff, 0xff, 0xff, 0xff], // map
        [0xdb, 0xff, 0xff, 0xff, 0xff], // str
        [0xc6, 0xff, 0xff, 0xff, 0xff], // bin
        [0xc9, 0xff, 0xff, 0xff, 0xff], // ext
    ] {
        assert_eq!(check(&claim), Err(Flaw::Broken));
        assert_eq!(check(&[&claim[..], &[0; 1000]].concat()), Err(Flaw::Broken));
    }
}
