//! The sessions of a person, ended while others begin.

use cloakroom_testkit::logins_beside_revocations;

use crate::raw::{Raw, on_all_databases};
use crate::sample;
use crate::scratch::Scratch;

on_all_databases! {
    every_login_before_a_revocation_is_over_after_it
}

async fn every_login_before_a_revocation_is_over_after_it<D: Raw>() {
    let scratch = Scratch::new();
    logins_beside_revocations(crate::shared::open_table::<D>(&D::url(&scratch), &sample::table()).await)
        .await;
}
