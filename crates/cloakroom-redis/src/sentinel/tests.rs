use std::io;

use cloakroom_core::StoreErrorKind;

use super::{Answer, Round};
use crate::dial::broken;
use crate::error::Failure;

/// One that was set up otherwise does not make a wrong URL of an outage.
#[test]
fn service_is_unknown_where_most_who_were_asked_say_so() {
    let out = || Err(Failure::Unreached(broken(io::ErrorKind::ConnectionRefused)));
    let kind = |asked, answers| match (Round { answers }).newest(asked) {
        Err(Failure::Nobody { kind, .. }) => kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(1, vec![Ok(Answer::Unknown)]), StoreErrorKind::Misconfigured);
    assert_eq!(kind(3, vec![Ok(Answer::Unknown), out(), Ok(Answer::Unknown)]), StoreErrorKind::Misconfigured);
    assert_eq!(kind(3, vec![Ok(Answer::Unknown), out(), out()]), StoreErrorKind::Unavailable);
    // The others did not answer in time.
    assert_eq!(kind(3, vec![Ok(Answer::Unknown)]), StoreErrorKind::Unavailable);
}
