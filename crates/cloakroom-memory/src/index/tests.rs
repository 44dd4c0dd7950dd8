use std::time::Duration;

use cloakroom_core::{Clock, PrincipalTag, StoreKey};

use super::Index;

#[test]
fn a_list_goes_with_its_last_key() {
    let index = Index::new(Clock::manual(), 10);
    let (tag, key) = (PrincipalTag::from_bytes([1; 32]), StoreKey::from_bytes([2; 32]));
    index.enter(&tag, &key, Duration::from_secs(60)).unwrap();
    assert!(index.part(&tag).0.lists.find(tag.as_bytes().into()).is_some());
    index.remove(&tag, &[key], Duration::ZERO);
    assert!(index.part(&tag).0.lists.find(tag.as_bytes().into()).is_none());
}
