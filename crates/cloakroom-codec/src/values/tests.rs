use crate::{SecretHash, State, Value, Values};

fn small() -> Value {
    Value::encode(&7).unwrap()
}

/// Values that stand in a buffer.
fn loaded(keys: &[&str]) -> Values {
    let mut state = State::new(0, 1, 1, SecretHash::from_bytes([1; 32]));
    for key in keys {
        state.values.insert(key, small());
    }
    State::decode(state.encode().unwrap()).unwrap().values
}

#[test]
fn the_buffer_goes_with_the_last_value_in_it() {
    let mut values = loaded(&["a", "b", "c"]);
    values.insert("d", small());
    assert_eq!(values.insert("a", small()), Some(small()));
    assert_eq!(values.remove("b"), Some(small()));
    values.remove("d");
    assert!(values.loaded.is_some() && values.get("c") == Some(small()));
    let last = values.remove("c");
    assert!(values.loaded.is_none(), "what was decrypted is wiped");
    assert_eq!((last, values.get("a")), (Some(small()), Some(small())));

    let mut values = loaded(&["a"]);
    values.insert("a", small());
    assert!(values.loaded.is_none());
    let mut values = loaded(&["a", "b"]);
    values.clear();
    assert!(values.loaded.is_none() && values.is_empty());
}
