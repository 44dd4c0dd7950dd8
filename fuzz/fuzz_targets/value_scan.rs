//! Hostile bytes are no value, or one that any type either takes or refuses.
#![no_main]

use std::collections::BTreeMap;

use cloakroom_codec::Value;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Anything {
    Unit,
    One(i128),
    Many(Vec<Self>),
    Fields { name: Option<String>, map: BTreeMap<i64, Self> },
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(f64),
    Text(String),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = Value::from_bytes(bytes.to_vec()) {
        assert_eq!(value.as_bytes(), bytes);
        let _ = value.decode::<IgnoredAny>();
        let _ = value.decode::<Untagged>();
        if let Ok(anything) = value.decode::<Anything>() {
            // What was read can be written, and read again.
            let again = Value::encode(&anything).unwrap();
            assert!(again.decode::<Anything>().is_ok());
        }
    }
});
