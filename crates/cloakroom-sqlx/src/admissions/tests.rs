use super::*;

const NOW: i64 = 1_700_000_000_000;
const HOUR: Duration = Duration::from_secs(3600);

fn key(byte: u8) -> StoreKey {
    StoreKey::from_bytes([byte; 32])
}

/// A list of these keys, which come a second after one another.
fn list(keys: &[u8]) -> Admissions {
    let mut list = Admissions::default();
    (0..).zip(keys).for_each(|(number, byte)| list.enter(key(*byte), NOW + number * 1000, HOUR));
    list
}

fn keys(list: &Admissions) -> Vec<StoreKey> {
    list.entries(NOW).map(|entry| entry.key).collect()
}

/// The bytes of a place as the README has them.
fn place(byte: u8, entered_at: u64, until: u64) -> Vec<u8> {
    [&[byte; 32][..], &entered_at.to_be_bytes(), &until.to_be_bytes()].concat()
}

fn bytes(places: &[Vec<u8>]) -> Vec<u8> {
    [&[1][..], &places.concat()].concat()
}

#[test]
fn list_has_these_bytes() {
    let wanted = bytes(&[
        place(3, 1_700_000_001_000, 1_700_003_601_001),
        place(7, 1_700_000_000_000, 1_700_003_600_001),
    ]);
    let found = list(&[7, 3]).to_bytes().expect("a short list");
    assert_eq!(found, wanted);
    assert!(Admissions::parse(&found).expect("a list") == list(&[7, 3]));
    assert_eq!(Admissions::default().to_bytes().expect("a short list"), [1]);
    assert!(Admissions::parse(&[1]).expect("a list") == Admissions::default());
}

#[test]
fn other_bytes_are_no_list() {
    let good = place(3, 5, 6);
    assert!(Admissions::parse(&bytes(&[good.clone(), place(4, 0, i64::MAX.unsigned_abs())])).is_some());
    let whole = bytes(std::slice::from_ref(&good));
    for length in (0..whole.len()).filter(|length| *length != 1) {
        assert!(Admissions::parse(&whole[..length]).is_none(), "{length} bytes");
    }
    for (what, wrong) in [
        ("a byte too many", [&whole[..], &[0]].concat()),
        ("another format", [&[2][..], &good].concat()),
        ("twice the same key", bytes(&[good.clone(), good.clone()])),
        ("keys that go down", bytes(&[place(4, 5, 6), good.clone()])),
        ("no time at all", bytes(&[place(3, 6, 6)])),
        ("an end before the beginning", bytes(&[place(3, 7, 6)])),
        ("a beginning before 1970", bytes(&[place(3, u64::MAX, 6)])),
        ("an end too far", bytes(&[place(3, 5, u64::MAX)])),
    ] {
        assert!(Admissions::parse(&wrong).is_none(), "{what}");
    }
}

#[test]
fn length_is_limited() {
    let places = |count: u16| {
        let place = |number: u16| {
            let mut place = place(0, 5, 6);
            place[..2].copy_from_slice(&number.to_be_bytes());
            place
        };
        bytes(&(0..count).map(place).collect::<Vec<_>>())
    };
    let mut list = Admissions::parse(&places(8_192)).expect("the longest list");
    assert_eq!(list.to_bytes().expect("the longest list").len(), 1 + 48 * 8_192);
    assert!(Admissions::parse(&places(8_193)).is_none());
    list.enter(key(255), NOW, HOUR);
    assert!(list.to_bytes().is_none());
}

#[test]
fn place_is_free_at_its_end_and_never_earlier_than_said() {
    let mut list = Admissions::default();
    list.enter(key(1), NOW, Duration::from_millis(1000));
    list.enter(key(2), NOW, Duration::from_millis(5000));
    // The moment of the reservation was rounded down.
    list.expire(NOW + 1000);
    assert_eq!(keys(&list), [key(1), key(2)]);
    list.expire(NOW + 1001);
    assert_eq!(keys(&list), [key(2)]);
    // Anew, for a shorter time: that counts from now on only for the age.
    list.enter(key(2), NOW + 2000, Duration::from_millis(10));
    list.expire(NOW + 5000);
    assert_eq!(list.entries(NOW + 5000).collect::<Vec<_>>(), [Entry::new(key(2), Duration::from_secs(3))]);
    list.enter(key(2), NOW + 5000, Duration::MAX);
    assert!(Admissions::parse(&list.to_bytes().expect("a short list")).is_some());
}

#[test]
fn age_decides_who_leaves() {
    let mut list = list(&[1, 2, 3]);
    let age = Duration::from_secs(2);
    assert!(!list.leave_aged(&key(1), NOW + 1999, age));
    assert!(list.leave_aged(&key(1), NOW + 2000, age));
    assert!(!list.leave_aged(&key(1), NOW + 2000, age));
    assert!(!list.leave_aged(&key(9), NOW + 9000, age));
    assert_eq!(keys(&list), [key(2), key(3)]);
    // A clock that was set back makes nobody old, and nothing keeps what may go at any age.
    assert!(!list.leave_aged(&key(2), NOW - 9000, Duration::from_millis(1)));
    assert!(list.leave_aged(&key(2), NOW - 9000, Duration::ZERO));
}

#[test]
fn row_lives_as_long_as_its_last_place_and_two_minutes_at_least() {
    let mut list = list(&[1, 2]);
    assert_eq!(list.ttl(NOW), Duration::from_millis(3_601_001));
    list.leave(&key(2));
    assert_eq!(list.ttl(NOW), Duration::from_millis(3_600_001));
    assert_eq!(list.ttl(NOW + 3_600_000), Duration::from_secs(120));
    list.leave(&key(1));
    assert_eq!(list.ttl(NOW), Duration::from_secs(120));
}

#[test]
fn key_of_a_list_is_that_of_its_principal() {
    let tag = |byte| PrincipalTag::from_bytes([byte; 32]);
    // printf 'cloakroom/v1/admissions' and 32 bytes 0x01, through sha256sum.
    assert_eq!(key_of(&tag(1)).public_handle().as_str(), "vt2xTrtmFbU6jOb2Pa-Re13G4yNwc8GcXlXVQE7oPIE");
    assert_ne!(key_of(&tag(1)), key_of(&tag(2)));
}
