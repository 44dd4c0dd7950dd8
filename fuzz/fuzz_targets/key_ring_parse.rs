//! Any text is a ring, which shows nothing, or refused.
#![no_main]

use cloakroom_codec::{ErrorKind, KeyRing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match KeyRing::parse(text) {
        Ok(ring) => assert_eq!(format!("{ring:?}"), "KeyRing { .. }"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Config),
    }
});
