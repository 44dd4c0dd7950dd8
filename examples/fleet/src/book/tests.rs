//! Answers that break a promise, and such that do not.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Book, Deed, Doubt};
use crate::Result;
use crate::book::Figures;
use crate::visitor::Seen;

fn seen(status: u16, body: &str) -> std::io::Result<Seen> {
    let by = (status == 200).then_some(address());
    Ok(Seen { status, body: body.to_owned(), by, repeated: 0, cache: None, cookies: Vec::new() })
}

fn address() -> SocketAddr {
    ([127, 0, 0, 1], 3000).into()
}

/// One visitor's answers, and what its count is in the end.
fn close(answers: &[(Deed, u16, &str)], found: u64, doubt: Doubt) -> Result<Figures> {
    let mut book = Book::of(1);
    for (deed, status, body) in answers {
        book.note(0, "ada", *deed, doubt, &seen(*status, body), Duration::ZERO);
    }
    book.found(0, "ada", found);
    book.close([address(); 3], 1)
}

const READ: (Deed, u16, &str) = (Deed::Read, 200, r#"{"principal":"ada"}"#);

#[test]
fn answers_without_a_fault_are_counted() {
    let answers = [READ, (Deed::Add, 200, "1"), (Deed::Add, 502, ""), (Deed::Add, 200, "3"), READ];
    for found in [2, 3] {
        let figures = close(&answers, found, Doubt::Allowed).unwrap();
        assert_eq!((figures.requests, figures.by[0], figures.acknowledged, figures.found), (5, 4, 2, found));
        assert!(figures.to_string().contains("1 × 502"), "{figures}");
    }
}

#[test]
fn whatever_breaks_a_promise_is_told() {
    let broken =
        |answers: &[(Deed, u16, &str)], found, doubt| close(answers, found, doubt).unwrap_err().to_string();
    let one = (Deed::Add, 200, "1");
    for (answers, found, says) in [
        (vec![(Deed::Read, 200, r#"{"principal":null}"#)], 0, "was logged out"),
        (vec![(Deed::Read, 200, r#"{"principal":"bob"}"#)], 0, "was logged out"),
        (vec![(Deed::Add, 409, "session ended")], 0, "session ended"),
        (vec![(Deed::Read, 502, "")], 0, "answered 502"),
        (vec![(Deed::Add, 503, "")], 0, "answered 503"),
        (vec![one], 0, "1 of 1 acknowledged additions of ada are lost"),
        (vec![one, (Deed::Add, 502, "")], 3, "has 3"),
        (vec![one, (Deed::Add, 200, "2"), (Deed::Add, 200, "1")], 1, "2 of 3 acknowledged"),
    ] {
        let told = broken(&answers, found, Doubt::Allowed);
        assert!(told.contains(says), "{answers:?}: {told}");
    }
    let told = broken(&[(Deed::Add, 502, "")], 0, Doubt::Refused);
    assert!(told.contains("drained"), "{told}");
    let mut book = Book::of(1);
    let gone = Err(std::io::ErrorKind::UnexpectedEof.into());
    book.note(0, "ada", Deed::Read, Doubt::Allowed, &gone, Duration::ZERO);
    assert!(book.close([address(); 3], 1).is_err());
}
