//! What is put in comes out.

use serde_json::{Value, json};

use super::{App, Client, Settings};

/// A visitor leaves all kinds of values.
///
/// 1. Each comes back as it was, in a later request.
/// 2. All names are listed, sorted.
pub async fn values_of_any_shape_come_back(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    let values = [
        ("array", json!([1, "two", null, [3.5], {"four": []}])),
        ("empty", json!("")),
        ("float", json!(1.5e-7)),
        ("highest", json!(u64::MAX)),
        ("lowest", json!(i64::MIN)),
        ("nothing", json!(null)),
        ("object", json!({"": {}, "b": {"c": {"d": true}}})),
        ("text", json!("caf\u{e9} \u{1f9e5} \u{0} \" \\ \u{fffd}")),
        ("truth", json!(false)),
    ];
    for (name, value) in &values {
        visitor.put(&format!("/value/{name}"), value.to_string()).await.is(204);
    }
    for (name, value) in &values {
        let found = visitor.get(&format!("/value/{name}")).await.is(200).json();
        assert!(found == *value, "{name} came back as {found}");
    }
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    let listed = visitor.get("/session").await.is(200).json()["keys"].clone();
    assert!(listed == json!(names), "the names are {listed}");
}

/// A visitor takes a value away.
///
/// 1. It is gone, the others stay.
/// 2. Clearing takes the others, and the session itself stays the same one.
pub async fn removed_values_are_gone(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    for name in ["a", "b", "c"] {
        visitor.put(&format!("/value/{name}"), "1").await.is(204);
    }
    let before = visitor.get("/session").await.is(200).json();
    app.client_keeps().stays_with(visitor.delete("/value/a").await.is(204));
    visitor.get("/value/a").await.is(404);
    visitor.get("/value/b").await.is(200);
    app.client_keeps().stays_with(visitor.post("/clear").await.is(204));
    visitor.get("/value/b").await.is(404);
    let after = visitor.get("/session").await.is(200).json();
    assert!(after["keys"] == json!([]), "after the clearing there is {after}");
    assert!(after["new"] == false, "the session is another one");
    assert!(after["created_at"] == before["created_at"], "the session is another one");
}

/// Names that look alike, or like something else.
///
/// 1. Names that differ in case, blanks or accents are different names.
/// 2. Names that somebody might keep for himself are names like any other.
pub async fn names_are_taken_literally(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    let names = [
        "key",
        "Key",
        "key%20",
        "%20key",
        "k%C3%A9y",
        "ke%CC%81y",
        "cookie",
        "_v",
        "__proto__",
        "principal",
        "created_at",
        "id",
        "..%2Fx",
        "a%00b",
    ];
    for (number, name) in names.iter().enumerate() {
        visitor.put(&format!("/value/{name}"), number.to_string()).await.is(204);
    }
    for (number, name) in names.iter().enumerate() {
        let found = visitor.get(&format!("/value/{name}")).await.is(200).json();
        assert!(found == json!(number), "{name} holds {found}; the story wants {number}");
    }
    let seen = visitor.get("/session").await.is(200).json();
    assert!(seen["principal"].is_null(), "a value became the principal");
    assert!(seen["keys"].as_array().map(Vec::len) == Some(names.len()), "the names are {seen}");
}

/// A counter.
///
/// 1. It starts from nothing, goes up and down, and each answer is the new number.
/// 2. Adding to what is no number is refused, and changes nothing.
pub async fn numbers_add_up(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    for (path, sum) in [("/add/n/5", "5"), ("/add/n/-7", "-2"), ("/slow/1/add/n/2", "0")] {
        let answer = visitor.post(path).await.is(200);
        assert!(answer.text() == sum, "{path} answered {}", answer.text());
    }
    visitor.put("/value/n", "\"text\"").await.is(204);
    visitor.post("/add/n/1").await.is(422);
    assert!(visitor.get("/value/n").await.json() == json!("text"), "a refused addition changed the value");
}

/// Two visitors.
///
/// 1. Each sees what is his, and nothing else.
pub async fn visitors_do_not_see_each_other(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitors: Vec<Client> = (0..8).map(|_| Client::of(&instance)).collect();
    for (number, visitor) in visitors.iter().enumerate() {
        visitor.put("/value/mine", number.to_string()).await.is(204);
        visitor.put(&format!("/value/only-{number}"), "true").await.is(204);
    }
    for (number, visitor) in visitors.iter().enumerate() {
        let mine: Value = visitor.get("/value/mine").await.is(200).json();
        assert!(mine == json!(number), "visitor {number} sees {mine}");
        let keys = visitor.get("/session").await.is(200).json()["keys"].clone();
        assert!(keys == json!(["mine", format!("only-{number}")]), "visitor {number} sees {keys}");
    }
}

/// A session is new once.
///
/// 1. It is new before the first write, and in no request after it.
/// 2. Its beginning stays, its end moves on with each use.
pub async fn session_is_new_once(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    assert!(visitor.get("/session").await.is(200).json()["new"] == true, "a stranger is known");
    visitor.put("/value/a", "1").await.is(204);
    let first = visitor.get("/session").await.is(200).json();
    super::pass(std::time::Duration::from_millis(20)).await;
    let second = visitor.get("/session").await.is(200).json();
    assert!(first["new"] == false && second["new"] == false, "the session is new again");
    assert!(first["created_at"] == second["created_at"], "the beginning moved");
    let ends = |seen: &Value| seen["expires_at"].as_u64().unwrap_or_default();
    assert!(ends(&second) > ends(&first), "the end did not move on");
    let idle = ends(&first).saturating_sub(first["created_at"].as_u64().unwrap_or_default());
    assert!((1_800_000..1_860_000).contains(&idle), "30 minutes idle are {idle} ms");
}
