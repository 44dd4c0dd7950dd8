//! Messages for the next request.

use serde_json::json;

use super::{App, Client, Settings};

/// A visitor is left three messages.
///
/// 1. They come once, in their order, equal ones included.
/// 2. They are gone afterwards, and the values are not.
pub async fn messages_come_once(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.put("/value/a", "1").await.is(204);
    for message in ["\"saved\"", "\"sent\"", "\"saved\""] {
        visitor.put("/flash", message).await.is(204);
    }
    let first = app.client_keeps().stays_with(visitor.get("/flash").await.is(200)).json();
    assert!(first == json!(["saved", "sent", "saved"]), "the messages are {first}");
    let second = visitor.get("/flash").await.is(200).json();
    assert!(second == json!([]), "messages came again: {second}");
    visitor.get("/value/a").await.is(200);
    let keys = visitor.get("/session").await.is(200).json()["keys"].clone();
    assert!(keys == json!(["a"]), "messages show among the values: {keys}");
}

/// A message is left before a login, and read after it.
///
/// 1. The login does not lose it.
/// 2. Clearing does.
pub async fn messages_survive_a_login(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.put("/flash", "\"welcome\"").await.is(204);
    visitor.post("/login/ada").await.is(204);
    let messages = visitor.get("/flash").await.is(200).json();
    assert!(messages == json!(["welcome"]), "the messages are {messages}");
    visitor.put("/flash", "\"again\"").await.is(204);
    visitor.post("/clear").await.is(204);
    let messages = visitor.get("/flash").await.is(200).json();
    assert!(messages == json!([]), "cleared messages came: {messages}");
}
