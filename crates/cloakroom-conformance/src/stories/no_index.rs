//! What a backend without an index of principals says to those who ask for a listing.

use super::{App, Client, Settings};

/// A person asks for the list of sessions.
///
/// 1. Every such request is refused with 501, and none of them ends or changes the session.
/// 2. A stranger is asked to log in, as everywhere.
pub async fn listings_are_refused_by_name(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let ada = Client::of(&instance);
    ada.post("/login/ada").await.is(204);
    let handle = "A".repeat(43);
    ada.get("/sessions").await.is(501).sets_no_cookie();
    ada.delete(&format!("/sessions/{handle}")).await.is(501).sets_no_cookie();
    ada.post("/revoke-others").await.is(501).sets_no_cookie();
    ada.post("/revoke-all").await.is(501).sets_no_cookie();
    let seen = ada.get("/session").await.is(200).json();
    assert!(seen["principal"] == "ada", "after the refusals the session is {seen}");
    let stranger = Client::of(&instance);
    stranger.get("/sessions").await.is(401).sets_no_cookie();
    stranger.post("/revoke-all").await.is(401).sets_no_cookie();
}
