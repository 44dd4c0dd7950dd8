//! Any text is a ring, or refused without showing it.
#![no_main]

use cloakroom_codec::{ErrorKind, KeyRing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match KeyRing::parse(text) {
        Ok(ring) => assert_eq!(format!("{ring:?}"), "KeyRing { .. }"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config);
            let shown = error.to_string();
            assert!(text.split(',').map(str::trim).all(|part| part.len() < 16 || !shown.contains(part)));
        }
    }
});
