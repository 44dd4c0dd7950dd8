//! Hostile bytes are no state, or one that is written back as the same bytes.
#![no_main]

use cloakroom_codec::State;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(state) = State::decode(Zeroizing::new(bytes.to_vec())) {
        for (key, value) in state.values.iter() {
            assert_eq!(state.values.get(key).as_ref(), Some(&value));
            let _ = value.decode::<IgnoredAny>();
        }
        assert_eq!(&*state.encode().unwrap(), bytes);
    }
});
