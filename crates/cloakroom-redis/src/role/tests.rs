//! What servers say.

use cloakroom_core::StoreErrorKind;
use redis::Value;

use super::{Role, Told};
use crate::error::Failure;

#[test]
fn role_is_read_by_whole_lines() {
    let told = |text: &str| Told::read(Value::BulkString(text.as_bytes().to_vec()));
    assert_eq!(told("# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"), Told::Primary);
    assert_eq!(told("# Replication\r\nrole:slave\r\nslave_read_only:1\r\n"), Told::Replica);
    assert_eq!(told("role:slave\r\n"), Told::Replica);
    // One that was told to take writes forgets them when it next hears all from its primary.
    assert_eq!(told("role:slave\r\nslave_read_only:0\r\n"), Told::Replica);
    assert_eq!(told("role:active-replica\r\n"), Told::Nothing);
    assert_eq!(told("controller:role:slave\r\n"), Told::Nothing);
    assert_eq!(Told::read(Value::Okay), Told::Nothing);
    assert_eq!(Told::read(Value::Nil), Told::Nothing);
}

#[test]
fn replica_that_was_a_primary_is_an_outage_and_another_one_a_wrong_url() {
    let role = Role::default();
    let kind = |role: &Role| match role.is_replica() {
        Failure::Nobody { kind, .. } => kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(&role), StoreErrorKind::Misconfigured);
    role.was_primary.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(kind(&role.clone()), StoreErrorKind::Unavailable);
}
