use super::Slot;

/// The numbers that `CLUSTER KEYSLOT` of a server gives.
#[test]
fn slots_are_those_of_the_server() {
    for (key, slot) in [
        ("", 0),
        ("123456789", 12739),
        ("foo", 12182),
        ("shop:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 15695),
    ] {
        assert_eq!(Some(Slot::of(key)), Slot::new(slot), "{key}");
    }
}

#[test]
fn there_are_so_many_slots() {
    assert!(Slot::new(16383).is_some());
    assert!(Slot::new(16384).is_none());
}
