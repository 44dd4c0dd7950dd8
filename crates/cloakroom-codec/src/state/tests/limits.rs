//! What is too much is refused, written or read.

use super::super::*;
use super::{assert_same, decode, empty, encode, login, small, value};
use crate::error::ErrorKind;
use crate::messagepack::Writer;

/// States at a limit, and the same a step beyond it.
fn at_the_limits() -> Vec<(&'static str, State, State)> {
    let make = |change: &dyn Fn(&mut State, usize)| {
        let (mut within, mut beyond) = (empty(), empty());
        change(&mut within, 0);
        change(&mut beyond, 1);
        (within, beyond)
    };
    let named = |(within, beyond), name| (name, within, beyond);
    let with_label = |state: &mut State, name: usize, text: usize| {
        let label = ("n".repeat(name), "t".repeat(text));
        state.login = Some(Login { labels: vec![label], ..login() });
    };
    vec![
        named(
            make(&|s, more| {
                for n in 0..MAX_VALUES + more {
                    s.values.insert(&n.to_string(), small());
                }
            }),
            "values",
        ),
        named(make(&|s, more| drop(s.values.insert(&"k".repeat(MAX_KEY_LEN + more), small()))), "key"),
        named(make(&|s, more| s.flashes = vec![small(); MAX_FLASHES + more]), "flashes"),
        named(
            make(&|s, more| {
                for n in 0..64 + u16::try_from(more).unwrap() {
                    s.extensions.insert(n, vec![]);
                }
            }),
            "extensions",
        ),
        named(
            make(&|s, more| drop(s.extensions.insert(0, vec![0; MAX_EXTENSIONS_LEN + more]))),
            "bytes of extensions",
        ),
        named(
            make(&|s, more| {
                s.login = Some(Login { principal: "p".repeat(MAX_PRINCIPAL_LEN + more), ..login() })
            }),
            "principal",
        ),
        named(
            make(&|s, more| {
                s.login = Some(Login {
                    labels: (0..MAX_LABELS + more).map(|n| (n.to_string(), String::new())).collect(),
                    ..login()
                })
            }),
            "labels",
        ),
        named(make(&|s, more| with_label(s, MAX_LABEL_NAME_LEN + more, 0)), "label name"),
        named(make(&|s, more| with_label(s, 0, MAX_LABEL_TEXT_LEN + more)), "label text"),
        named(
            make(&|s, more| {
                let taken = encode(&empty()).unwrap().len();
                // Two bytes of key, five of the value's length.
                s.values.insert("k", value(MAX_LEN - taken - 7 + more));
            }),
            "bytes",
        ),
    ]
}

#[test]
fn limits_hold_when_written() {
    for (name, within, beyond) in at_the_limits() {
        assert_same(&decode(&encode(&within).unwrap()).unwrap(), &within);
        assert_eq!(encode(&beyond), Err(ErrorKind::TooLarge), "{name}");
    }
    let mut state = empty();
    state.values.insert("", small());
    assert_eq!(encode(&state), Err(ErrorKind::TooLarge), "no key");
    let label = ("device".to_owned(), String::new());
    state = State { login: Some(Login { labels: vec![label.clone(), label], ..login() }), ..empty() };
    assert_eq!(encode(&state), Err(ErrorKind::Value), "one label twice");
}

#[test]
fn limits_hold_when_read() {
    // The fields of a state with nothing in it, so that a test says one of them wrongly.
    type Field = Box<dyn Fn(&mut Writer)>;
    let bytes = |at: usize, wrong: Field| {
        let mut writer = Writer::with_capacity(0);
        writer.array(ELEMENTS);
        for field in 0..ELEMENTS {
            match field {
                _ if field == at => wrong(&mut writer),
                0 => writer.uint(SCHEMA),
                4..=6 | 9..=11 | 13 => writer.nil(),
                12 => writer.bin(&[0; 32]),
                15 | 17 => writer.map(0),
                16 => writer.array(0),
                _ => writer.uint(0),
            }
        }
        writer.into_inner().to_vec()
    };
    assert!(decode(&bytes(usize::MAX, Box::new(|_| ()))).is_ok());
    let entries = |keys: &'static [&str]| -> Field {
        Box::new(move |w: &mut Writer| {
            w.map(keys.len());
            for key in keys {
                w.str(key);
                w.bin(&[0xc0]);
            }
        })
    };
    let login = |write: fn(&mut Writer)| -> Field {
        Box::new(move |w: &mut Writer| {
            w.array(3);
            write(w);
        })
    };
    let wrong: Vec<(usize, Field)> = vec![
        (3, Box::new(|w| w.nil())),
        (4, Box::new(|w| w.str("now"))),
        (12, Box::new(|w| w.bin(&[0; 31]))),
        (13, Box::new(|w| w.array(2))),
        (15, entries(&["b", "a"])),
        (15, entries(&["a", "a"])),
        (15, entries(&[""])),
        (
            15,
            Box::new(|w| {
                w.map(1);
                w.str(&"k".repeat(MAX_KEY_LEN + 1));
                w.bin(&[0xc0]);
            }),
        ),
        (
            15,
            Box::new(|w| {
                w.map(1);
                w.str("k");
                w.bin(&[]);
            }),
        ),
        (
            15,
            Box::new(|w| {
                w.map(MAX_VALUES + 1);
                for n in 0..=MAX_VALUES {
                    w.str(&format!("{n:04}"));
                    w.bin(&[0xc0]);
                }
            }),
        ),
        (
            16,
            Box::new(|w| {
                w.array(MAX_FLASHES + 1);
                (0..=MAX_FLASHES).for_each(|_| w.bin(&[0xc0]));
            }),
        ),
        (
            17,
            Box::new(|w| {
                w.map(1);
                w.uint(0x1_0000);
                w.bin(&[]);
            }),
        ),
        (
            17,
            Box::new(|w| {
                w.map(2);
                w.uint(2);
                w.bin(&[]);
                w.uint(1);
                w.bin(&[]);
            }),
        ),
        (
            17,
            Box::new(|w| {
                w.map(65);
                for n in 0..65 {
                    w.uint(n);
                    w.bin(&[]);
                }
            }),
        ),
        (
            17,
            Box::new(|w| {
                w.map(1);
                w.uint(0);
                w.bin(&[0; MAX_EXTENSIONS_LEN + 1]);
            }),
        ),
        (
            11,
            login(|w| {
                w.str(&"p".repeat(MAX_PRINCIPAL_LEN + 1));
                w.nil();
                w.map(0);
            }),
        ),
        (
            11,
            login(|w| {
                w.str("p");
                w.bin(&[0; 31]);
                w.map(0);
            }),
        ),
        (
            11,
            login(|w| {
                w.str("p");
                w.nil();
                w.map(2);
                for _ in 0..2 {
                    w.str("one");
                    w.str("twice");
                }
            }),
        ),
        (
            11,
            login(|w| {
                w.str("p");
                w.nil();
                w.map(17);
                for n in 0..17 {
                    w.str(&n.to_string());
                    w.str("");
                }
            }),
        ),
        (
            11,
            login(|w| {
                w.str("p");
                w.nil();
                w.map(1);
                w.str(&"n".repeat(MAX_LABEL_NAME_LEN + 1));
                w.str("");
            }),
        ),
        (
            11,
            login(|w| {
                w.str("p");
                w.nil();
                w.map(1);
                w.str("");
                w.str(&"t".repeat(MAX_LABEL_TEXT_LEN + 1));
            }),
        ),
    ];
    for (case, (at, wrong)) in wrong.into_iter().enumerate() {
        assert_eq!(decode(&bytes(at, wrong)).err(), Some(ErrorKind::Malformed), "case {case}, field {at}");
    }
    let beyond = vec![0; MAX_LEN + 1];
    assert_eq!(decode(&beyond).err(), Some(ErrorKind::Malformed));
}
