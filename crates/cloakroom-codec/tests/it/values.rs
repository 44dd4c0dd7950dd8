//! The values of a session, by key.

use cloakroom_codec::{ErrorKind, MAX_VALUE_LEN, Pair, Value, Values};

#[test]
fn a_pair_is_put_as_its_key_and_value_are_inserted() {
    let value = Value::encode(&"seven").unwrap();
    let pair = Pair::encode("n", &"seven").unwrap();
    assert_eq!((pair.key(), pair.value(), pair.value_len()), ("n", value.clone(), value.len()));
    let (mut put, mut inserted) = (Values::default(), Values::default());
    assert_eq!((put.put(&pair), inserted.insert("n", value.clone())), (None, None));
    assert_eq!(put, inserted);
    assert_eq!(put.put(&pair.clone()), Some(value), "what stood there comes back");
}

#[test]
fn cleared_values_are_none() {
    let mut values = Values::default();
    values.insert("a", Value::encode(&1).unwrap());
    values.clear();
    assert_eq!((values.len(), values.is_empty(), values.get("a")), (0, true, None));
    assert_eq!(values.keys().count(), 0);
}

#[test]
fn a_pair_takes_the_values_that_a_value_takes() {
    // A key is no part of the limit of its value, nor of what is checked.
    let longest = "x".repeat(MAX_VALUE_LEN - 5);
    assert_eq!(Pair::encode("a key", &longest).unwrap().value_len(), MAX_VALUE_LEN);
    let refused = Pair::encode("a key", &(longest + "x")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    let mut nested = serde_json::json!(1);
    for _ in 0..40 {
        nested = serde_json::json!([nested]);
    }
    assert_eq!(Pair::encode("a key", &nested).unwrap_err().kind(), ErrorKind::Value);
    for (key, value) in [("", ""), ("", "v"), ("k", ""), ("a longer key than most", "a value")] {
        let pair = Pair::encode(key, value).unwrap();
        assert_eq!((pair.key(), pair.value().decode::<String>().unwrap()), (key, value.to_owned()));
    }
}
