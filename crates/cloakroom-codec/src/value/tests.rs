use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::*;
use crate::piece::Span;

/// A value that nobody has looked at, as a state hands it out.
fn unseen(bytes: &[u8]) -> Value {
    let buffer = Arc::new(Zeroizing::new([b"before", bytes, b"after"].concat()).into());
    Value::of(&buffer, Span::ending(6 + bytes.len(), bytes.len()))
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "what is decoded is not the point")]
enum Anything {
    Unit,
    One(u64),
    Deep(Box<Self>),
    Many(Vec<Self>),
    Fields { name: Option<String>, map: std::collections::HashMap<String, Self> },
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in vec(any::<u8>(), 0..100)) {
        let value = unseen(&bytes);
        let kinds = [
            value.decode::<IgnoredAny>().err().map(|error| error.kind()),
            value.decode::<u64>().err().map(|error| error.kind()),
            value.decode::<Vec<String>>().err().map(|error| error.kind()),
            value.decode::<Anything>().err().map(|error| error.kind()),
            value.decode::<(Option<i8>, f32)>().err().map(|error| error.kind()),
        ];
        for kind in kinds.into_iter().flatten() {
            prop_assert_eq!(kind, ErrorKind::Value);
        }
    }
}

#[test]
fn bytes_left_over_are_an_error() {
    assert_eq!(unseen(&[0x01]).decode::<u8>().unwrap(), 1);
    assert_eq!(unseen(&[0x01, 0x02]).decode::<u8>().unwrap_err().kind(), ErrorKind::Value);
    assert_eq!(unseen(&[]).decode::<u8>().unwrap_err().kind(), ErrorKind::Value);
}

#[test]
fn one_key_twice_is_an_error() {
    let bytes = [0x82, 0xa1, b'a', 0x01, 0xa1, b'a', 0x02];
    type Map = std::collections::HashMap<String, u8>;
    assert_eq!(unseen(&bytes).decode::<Map>().unwrap_err().kind(), ErrorKind::Value);
    let twice = vec![("a", 1), ("a", 2)];
    struct Pairs(Vec<(&'static str, u8)>);
    impl Serialize for Pairs {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().copied())
        }
    }
    assert_eq!(Value::encode(&Pairs(twice)).unwrap_err().kind(), ErrorKind::Value);
}

#[test]
fn bombs_end_as_errors_on_a_small_stack() {
    let bombs = [
        vec![0x91; 100_000],
        [vec![0x81; 100_000], vec![0xc0; 100_001]].concat(),
        [0x81, 0x00].repeat(100_000),
        [vec![0xdd, 0xff, 0xff, 0xff, 0xff], vec![0xc0; 1000]].concat(),
        [vec![0xdf, 0xff, 0xff, 0xff, 0xff], vec![0xc0; 1000]].concat(),
        vec![0xdb, 0xff, 0xff, 0xff, 0xff],
        vec![0xc6, 0xff, 0xff, 0xff, 0xff],
        vec![0xc9, 0xff, 0xff, 0xff, 0xff, 0x00],
        // An enum's variants nest without a container that the deserialiser would count.
        [b"\x81\xa4Deep".repeat(10_000), vec![0xa4], b"Unit".to_vec()].concat(),
    ];
    let small = std::thread::Builder::new().stack_size(256 << 10);
    let worker = small.spawn(move || {
        for bomb in bombs {
            let value = unseen(&bomb);
            assert_eq!(value.decode::<IgnoredAny>().unwrap_err().kind(), ErrorKind::Value);
            assert_eq!(value.decode::<Anything>().unwrap_err().kind(), ErrorKind::Value);
            assert_eq!(value.decode::<Vec<String>>().unwrap_err().kind(), ErrorKind::Value);
        }
    });
    worker.unwrap().join().unwrap();
}

#[test]
fn depth_is_limited_when_written() {
    #[derive(serde::Serialize)]
    struct Nest(Vec<Self>);
    let nest = |depth| (1..depth).fold(Nest(Vec::new()), |inner, _| Nest(vec![inner]));
    assert!(Value::encode(&nest(MAX_DEPTH)).is_ok());
    assert_eq!(Value::encode(&nest(MAX_DEPTH + 1)).unwrap_err().kind(), ErrorKind::Value);
    // What may be written can be read, whatever the leaf is.
    let deepest = [[0x91].repeat(MAX_DEPTH), vec![0xa1, b'x']].concat();
    let tree = unseen(&deepest).decode::<serde_json::Value>().unwrap();
    assert_eq!(tree.to_string(), format!("{}\"x\"{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)));
    assert!(unseen(&[vec![0x91], deepest].concat()).decode::<serde_json::Value>().is_err());
}

#[test]
fn size_is_limited_when_written() {
    let longest = "x".repeat(MAX_VALUE_LEN - 5);
    assert_eq!(Value::encode(&longest).unwrap().len(), MAX_VALUE_LEN);
    assert_eq!(Value::encode(&format!("{longest}x")).unwrap_err().kind(), ErrorKind::TooLarge);
    let bytes = Value::encode(&longest).unwrap().as_bytes().to_vec();
    assert_eq!(Value::from_bytes(bytes).unwrap().len(), MAX_VALUE_LEN);
    let many = vec![u64::MAX; MAX_VALUE_LEN];
    assert_eq!(Value::encode(&many).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(Value::from_bytes(vec![0xc0; MAX_VALUE_LEN + 1]).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn errors_do_not_leak_the_value() {
    let chain = |error: Error| {
        let mut shown = format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            shown += &format!("{cause} {cause:?}");
            source = cause.source();
        }
        shown
    };
    let value = Value::encode("canary").unwrap();
    let decoding = chain(value.decode::<Vec<u32>>().unwrap_err());
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("canary"))
        }
    }
    let encoding = chain(Value::encode(&Refuses).unwrap_err());
    for shown in [&decoding, &encoding, &format!("{value:?}")] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    assert!(decoding.contains("Vec<u32>`") && encoding.contains("Refuses"), "but the type is named");
}

#[test]
fn values_are_equal_by_their_bytes() {
    let [one, two] = [1, 2].map(|number: u64| Value::encode(&number).unwrap());
    assert_eq!(one, unseen(&[0x01]));
    assert_ne!(one, two);
}
