use std::num::NonZeroU64;

use cloakroom_core::Version;
use memcache::exp::{MetaResponse, parse_meta_result};

use super::{Reply, Request, Written};
use crate::error::{Failure, Refusal};

fn text(request: &Request) -> (String, String) {
    let opaque = String::from_utf8(request.opaque.clone()).expect("digits");
    let wire = String::from_utf8(request.command().encode().expect("a command")).expect("text");
    (wire.replace(&format!(" O{opaque}"), " O#"), opaque)
}

fn seven() -> NonZeroU64 {
    NonZeroU64::new(7).expect("not zero")
}

#[test]
fn requests_are_these_bytes() {
    let choice = Version::new(u64::MAX);
    let wire = |request: Result<Request, _>| text(&request.expect("a request")).0;
    assert_eq!(wire(Request::look("p:k")), "mg p:k v c t O#\r\n");
    assert_eq!(wire(Request::add("p:k", b"ab".to_vec(), 5, None)), "ms p:k 2 ME T5 O#\r\nab\r\n");
    assert_eq!(
        wire(Request::add("p:k", b"ab".to_vec(), 5, choice)),
        "ms p:k 2 ME c T5 E18446744073709551615 O#\r\nab\r\n"
    );
    assert_eq!(wire(Request::swap("p:k", seven(), b"".to_vec(), 9, None)), "ms p:k 0 T9 C7 O#\r\n\r\n");
    assert_eq!(
        wire(Request::swap("p:k", seven(), b"\r\n".to_vec(), 9, choice)),
        "ms p:k 2 c T9 C7 E18446744073709551615 O#\r\n\r\n\r\n"
    );
    assert_eq!(wire(Request::delete("p:k")), "md p:k O#\r\n");
}

#[test]
fn no_two_requests_bear_one_token() {
    let tokens: std::collections::BTreeSet<_> =
        (0..1_000).map(|_| text(&Request::look("k").expect("a request")).1).collect();
    assert_eq!(tokens.len(), 1_000);
}

#[test]
fn reply_to_another_request_is_none() {
    let (mine, other) = (Request::look("k").expect("a request"), Request::look("k").expect("a request"));
    let received = |line: String| MetaResponse::parse_header(line.as_bytes()).and_then(parse_meta_result);
    let echo = |request: &Request| text(request).1;
    assert!(mine.reply(received(format!("EN O{}", echo(&mine)))).is_ok());
    for line in
        [format!("EN O{}", echo(&other)), "EN".to_owned(), "EN O".to_owned(), format!("HD O{}0", echo(&mine))]
    {
        assert!(matches!(mine.reply(received(line.clone())), Err(Failure::Lost(_))), "{line}");
    }
}

#[test]
fn rejection_of_our_number_is_told_from_other_rejections() {
    let request = |choice| Request::add("k", Vec::new(), 2, choice).expect("a request");
    let received = |line: &str| MetaResponse::parse_header(line.as_bytes()).and_then(parse_meta_result);
    let rejected = request(Version::new(3)).reply(received("CLIENT_ERROR invalid flag")).expect("an answer");
    assert!(matches!(rejected, Reply::ChoiceRefused));
    assert_eq!(rejected.written().expect("an answer"), Written::ChoiceRefused);
    let plain = request(None).reply(received("CLIENT_ERROR invalid flag"));
    assert!(matches!(plain, Err(Failure::Refused(Refusal::Rejected))));
    for (line, refusal) in [
        ("CLIENT_ERROR unauthenticated", Refusal::Unauthenticated),
        ("ERROR", Refusal::Unknown),
        ("SERVER_ERROR out of memory storing object", Refusal::Full),
    ] {
        let other = request(Version::new(3)).reply(received(line));
        assert!(matches!(other, Err(Failure::Refused(found)) if found == refusal), "{line}");
    }
}
