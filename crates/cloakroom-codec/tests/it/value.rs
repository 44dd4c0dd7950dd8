//! Whatever serde can express comes back.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use cloakroom_codec::{ErrorKind, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

fn back<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let encoded = Value::encode(value).unwrap();
    let decoded = encoded.decode().unwrap();
    assert_eq!(Value::encode(&decoded).unwrap(), encoded, "and is the same bytes");
    decoded
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    assert_eq!(back(&value), value);
}

/// Bytes as bytes, and not as a list of numbers.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Clone)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize, Clone)]
struct Newtype(u64);

#[derive(Debug, PartialEq, Serialize, Deserialize, Clone)]
struct Pair(i8, String);

#[derive(Debug, PartialEq, Serialize, Deserialize, Clone, Default)]
#[serde(default)]
struct Fields {
    id: u64,
    name: Option<String>,
    inner: Option<Box<Self>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Clone)]
enum Tagged {
    Unit,
    Newtype(Option<u64>),
    Nothing(()),
    Tuple(u8, char),
    Struct { a: f32, b: Vec<Self> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Clone)]
#[serde(tag = "kind")]
enum Internally {
    A { x: i64 },
    B(Fields),
    C,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Clone)]
#[serde(tag = "kind", content = "content")]
enum Adjacently {
    A(i64, String),
    B { y: bool },
    C,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Clone)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flattened {
    a: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

#[test]
fn scalars_come_back() {
    for number in [0, 127, 128, 255, 256, 65535, 65536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
        comes_back(number);
        comes_back(u128::from(number));
    }
    for number in [0, -1, -32, -33, -128, -129, -32768, -32769, i64::from(i32::MIN), i64::MIN, i64::MAX] {
        comes_back(number);
        comes_back(i128::from(number));
    }
    comes_back((u8::MAX, u16::MAX, u32::MAX, i8::MIN, i16::MIN, i32::MIN));
    comes_back((i128::MIN, i128::MAX, u128::MAX));
    comes_back((true, false, (), Unit, Newtype(1), Pair(-1, "x".to_owned())));
    comes_back(('a', 'ö', '𝄞', '\0', char::MAX));
    for float in [0.0_f64, -0.0, f64::MIN, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(back(&float).to_bits(), float.to_bits());
    }
    for bits in [0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000, 0x7ff8_dead_beef_0001] {
        assert_eq!(back(&f64::from_bits(bits)).to_bits(), bits);
    }
    for bits in [0x7fc0_0000, 0xffc0_0000, 0x8000_0000, 0x7fc0_0001] {
        assert_eq!(back(&f32::from_bits(bits)).to_bits(), bits);
    }
}

#[test]
fn texts_and_bytes_come_back() {
    for len in [0, 31, 32, 255, 256, 65535, 65536] {
        comes_back("x".repeat(len));
        comes_back(Bytes(vec![0xff; len]));
        comes_back(vec![Unit; len]);
    }
    comes_back("\u{0}\u{7f}é漢𝄞👩‍🚀\u{10ffff}".to_owned());
    comes_back(Bytes((0..=255).collect()));
}

#[test]
fn compounds_come_back() {
    comes_back(BTreeMap::from([(1_u8, "one"), (2, "two")].map(|(k, v)| (k, v.to_owned()))));
    // Its order, and so its bytes, are not the same twice.
    let map = HashMap::from([((1, 'a'), Some(1.5_f32)), ((2, 'b'), None)]);
    assert_eq!(Value::encode(&map).unwrap().decode::<HashMap<(i32, char), Option<f32>>>().unwrap(), map);
    comes_back(BTreeMap::from([(Bytes(vec![1]), ()), (Bytes(vec![2]), ())]));
    comes_back(BTreeMap::from([(None, 1), (Some(-1), 2)]));
    comes_back(BTreeMap::from([(true, [[1_u8; 3]; 2])]));
    let inner = Fields { id: u64::MAX, tags: vec!["t".to_owned()], ..Fields::default() };
    comes_back(Fields { name: Some(String::new()), inner: Some(Box::new(inner)), ..Fields::default() });
    comes_back((1, "two".to_owned(), (3.0, [4_u8; 5])));
    comes_back([Ok::<u8, String>(1), Err("no".to_owned())]);
    comes_back(std::time::Duration::new(5, 6));
    comes_back(std::net::IpAddr::from([127, 0, 0, 1]));
}

#[test]
fn enums_come_back() {
    let all = vec![
        Tagged::Unit,
        Tagged::Newtype(Some(1)),
        Tagged::Newtype(None),
        Tagged::Nothing(()),
        Tagged::Tuple(1, 'x'),
        Tagged::Struct { a: 1.5, b: vec![Tagged::Unit, Tagged::Tuple(0, 'y')] },
    ];
    all.iter().for_each(|one| comes_back(one.clone()));
    comes_back(all);
    comes_back(vec![Internally::A { x: -1 }, Internally::B(Fields::default()), Internally::C]);
    comes_back(vec![Adjacently::A(1, "a".to_owned()), Adjacently::B { y: true }, Adjacently::C]);
    let map = BTreeMap::from([("k".to_owned(), Untagged::List(vec![Untagged::Number(-1)]))]);
    comes_back(vec![Untagged::Number(1), Untagged::Text("t".to_owned()), Untagged::Map(map)]);
    comes_back(Flattened { a: 1, rest: BTreeMap::from([("b".to_owned(), "c".to_owned())]) });
}

#[test]
fn options_come_back_one_deep() {
    comes_back((Some(1_u8), None::<u8>, Some("x".to_owned())));
    comes_back(Some(Some(1_u8)));
    comes_back(Some(Unit));
    // MessagePack has one nil: these two are the documented exceptions.
    assert_eq!(Value::encode(&Some(None::<u8>)).unwrap().decode::<Option<Option<u8>>>().unwrap(), None);
    assert_eq!(Value::encode(&Some(())).unwrap().decode::<Option<()>>().unwrap(), None);
}

#[test]
fn wide_integers_do_not_come_back_untagged() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Wide {
        Number(u128),
    }
    let value = Value::encode(&Wide::Number(u128::MAX)).unwrap();
    assert_eq!(value.decode::<Wide>().unwrap_err().kind(), ErrorKind::Value, "documented");
}

#[test]
fn structs_may_gain_lose_and_move_fields() {
    #[derive(Serialize)]
    struct Old {
        gone: u8,
        name: &'static str,
        id: u64,
    }
    let value = Value::encode(&Old { gone: 1, name: "ada", id: 7 }).unwrap();
    let new: Fields = value.decode().unwrap();
    assert_eq!(new, Fields { id: 7, name: Some("ada".to_owned()), ..Fields::default() });
}

#[test]
fn another_type_is_an_error_of_the_value() {
    let value = Value::encode("text").unwrap();
    assert_eq!(value.decode::<u64>().unwrap_err().kind(), ErrorKind::Value);
    assert_eq!(value.decode::<Fields>().unwrap_err().kind(), ErrorKind::Value);
    assert_eq!(Value::encode(&300).unwrap().decode::<u8>().unwrap_err().kind(), ErrorKind::Value);
    assert_eq!(Value::encode(&-1).unwrap().decode::<u64>().unwrap_err().kind(), ErrorKind::Value);
}

prop_compose! {
    fn anything()(
        number: u64,
        wide: i128,
        text in "\\PC{0,40}",
        bytes in vec(any::<u8>(), 0..40),
        map in btree_map(any::<i16>(), (any::<Option<bool>>(), "\\PC{0,5}"), 0..10),
        list in vec(any::<f64>().prop_map(f64::to_bits), 0..10),
        letter: char,
    ) -> (u64, i128, String, Bytes, BTreeMap<i16, (Option<bool>, String)>, Vec<u64>, char) {
        (number, wide, text, Bytes(bytes), map, list, letter)
    }
}

proptest! {
    #[test]
    fn anything_comes_back(value in anything()) {
        comes_back(value);
    }

    #[test]
    fn bytes_that_are_a_value_stay_as_they_are(bytes in vec(any::<u8>(), 0..60)) {
        if let Ok(value) = Value::from_bytes(bytes.clone()) {
            prop_assert_eq!(value.as_bytes(), &bytes[..]);
        }
    }
}
