use std::collections::HashMap;

use super::*;
use crate::derive::key_id;

#[test]
fn two_secrets_of_one_key_id_do_not_bind() {
    // 2^17 secrets make some 2^33 pairs: two of them share 32 bits.
    let secret = |n: u32| {
        let mut secret = [0; 32];
        secret[..4].copy_from_slice(&n.to_be_bytes());
        secret
    };
    let mut known = HashMap::new();
    let pair = (0..1 << 18).find_map(|n| {
        let id = key_id(&extract(&secret(n)), "shop");
        known.insert(id, n).map(|other| [secret(other), secret(n)])
    });
    let ring = KeyRing::from_secrets(pair.unwrap()).unwrap();
    let refused = ring.bind("shop").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("key id"), "{refused}");
    assert!(ring.bind("admin").is_ok(), "another namespace, other ids");
}

#[test]
fn documented_secrets_are_refused() {
    for secret in DOCUMENTED {
        assert_eq!(KeyRing::from_secrets([secret]).unwrap_err().kind(), ErrorKind::Config);
    }
    assert_eq!(DOCUMENTED[0][..3], [0, 1, 2]);
    assert_eq!(DOCUMENTED[1][29..], [61, 62, 63]);
}
