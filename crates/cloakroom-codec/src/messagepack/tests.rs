use proptest::prelude::*;
use serde::Serialize;

use super::*;

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::with_capacity(0);
    write(&mut writer);
    writer.into_inner().to_vec()
}

fn theirs<T: Serialize>(value: T) -> Vec<u8> {
    rmp_serde::to_vec(&value).unwrap()
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Around every border between two forms.
fn lengths() -> impl Iterator<Item = usize> {
    [0, 15, 16, 31, 32, 255, 256, 65535, 65536]
        .into_iter()
        .flat_map(|n: usize| [n, n.saturating_sub(1), n + 1])
}

#[test]
fn lengths_take_the_form_that_another_writer_gives_them() {
    for len in lengths() {
        let text = "x".repeat(len);
        assert_eq!(written(|w| w.str(&text)), theirs(&text));
        assert_eq!(Cursor::new(&theirs(&text)).str(usize::MAX), Ok(&*text));

        let bytes = vec![7; len];
        assert_eq!(written(|w| w.bin(&bytes)), theirs(Bytes(&bytes)));
        assert_eq!(Cursor::new(&theirs(Bytes(&bytes))).bin(), Ok(&*bytes));

        let array = theirs(vec![(); len]);
        assert!(array.starts_with(&written(|w| w.array(len))));
        assert_eq!(Cursor::new(&array).header(), Ok(Header::Array(len)));

        let map = theirs((0..len).map(|n| (n, ())).collect::<std::collections::BTreeMap<_, _>>());
        assert!(map.starts_with(&written(|w| w.map(len))));
        assert_eq!(Cursor::new(&map).header(), Ok(Header::Map(len)));
    }
}

#[test]
fn one_number_has_one_form() {
    for long in [
        &[0xcc, 0x7f][..],
        &[0xcd, 0x00, 0xff],
        &[0xce, 0x00, 0x00, 0xff, 0xff],
        &[0xcf, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        &[0xd0, 0x01],
        &[0xd0, 0xe0],
        &[0xd1, 0x00, 0x01],
        &[0xd1, 0xff, 0x80],
        &[0xd2, 0xff, 0xff, 0x80, 0x00],
        &[0xd3, 0xff, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00],
        &[0xd3, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0xd9, 0x1f],
        &[0xda, 0x00, 0xff],
        &[0xdb, 0x00, 0x00, 0xff, 0xff],
        &[0xc5, 0x00, 0xff],
        &[0xc6, 0x00, 0x00, 0xff, 0xff],
        &[0xdc, 0x00, 0x0f],
        &[0xdd, 0x00, 0x00, 0xff, 0xff],
        &[0xde, 0x00, 0x0f],
        &[0xdf, 0x00, 0x00, 0xff, 0xff],
        &[0xc7, 0x10],
        &[0xc8, 0x00, 0xff],
        &[0xc9, 0x00, 0x00, 0xff, 0xff],
    ] {
        assert_eq!(Cursor::new(long).header(), Err(Broken), "{long:x?}");
    }
}

proptest! {
    #[test]
    fn numbers_take_the_form_that_another_writer_gives_them(number: u64, shift in 0_u32..64) {
        let number = number >> shift;
        let bytes = written(|w| w.uint(number));
        prop_assert_eq!(&bytes, &theirs(number));
        prop_assert_eq!(Cursor::new(&bytes).uint(), Ok(number));
    }

    #[test]
    fn negative_numbers_are_read(number: i64, shift in 0_u32..64) {
        let bytes = theirs(number >> shift);
        let header = Cursor::new(&bytes).header().unwrap();
        prop_assert_eq!(header == Header::Negative, number < 0);
    }
}
