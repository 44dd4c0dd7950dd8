//! The sessions of a person, ended while others begin.

use cloakroom_testkit::logins_beside_revocations;

use crate::raw::{Raw, on_all_databases};
use crate::scratch::Scratch;
use crate::{sample, shared};

on_all_databases! {
    every_login_before_a_revocation_is_over_after_it
}

async fn every_login_before_a_revocation_is_over_after_it<D: Raw>() {
    let scratch = Scratch::new();
    let url = D::url(&scratch);
    // The last parameter is one of the client library, not of the store.
    let url = url.split('?').next().unwrap_or_default();
    logins_beside_revocations(shared::open_table::<D>(url, &sample::table()).await).await;
}
