//! What other sites make a visitor's browser send.

use super::{App, Client, Request, Response, Settings};

/// A request that another site may have made changes nothing, whatever else it carries.
///
/// 1. A form with a good token, from the application's own pages, is taken: by `Sec-Fetch-Site`, or else by `Origin`.
/// 2. From another site, a neighbour, a page without an origin, or from nobody knows where, it is refused with
///    `403 cross-site request refused` and no cookie, and what it brings is not stored.
/// 3. Nor does an `Origin` that fits make up for a `Sec-Fetch-Site` that does not.
pub async fn requests_of_other_sites_are_refused(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let client = Client::of(&instance);
    client.post("/login/ada").await.is(204);
    for (ours, mark) in [
        (&[("sec-fetch-site", "same-origin")][..], "a"),
        (&[("sec-fetch-site", "none")], "b"),
        (&[("origin", "https://testbed")], "c"),
    ] {
        let token = token(&client).await;
        client.ask(form(ours, &format!("mark={mark}&csrf_token={token}"))).await.is(204);
        assert!(marked(&client).await == mark, "the form from {ours:?} was not taken");
    }
    for foreign in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://testbed")],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "https://testbed.evil.example")],
        &[("origin", "http://testbed")],
        &[("origin", "null")],
        &[],
    ] {
        let token = token(&client).await;
        refused(client.ask(form(foreign, &format!("mark=evil&csrf_token={token}"))).await);
        assert!(marked(&client).await == "c", "what came from {foreign:?} was stored");
    }
}

/// A form that carries no token of its session is refused, wherever it comes from.
///
/// 1. Each page has a token of 50 characters of its own, and each of them is good. No cache keeps the page.
/// 2. No token, one of another visitor's, a spoilt one, or two: `403 form out of date: load the page again`, and
///    nothing is stored.
/// 3. A stranger's form begins no session.
pub async fn forms_need_a_token_of_their_session(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (client, other) = (Client::of(&instance), Client::of(&instance));
    client.post("/login/ada").await.is(204);
    other.post("/login/ada").await.is(204);
    let (first, second, others) = (token(&client).await, token(&client).await, token(&other).await);
    assert!(first != second, "two pages have one token");
    for good in [&first, &second] {
        client.ask(form(OURS, &format!("mark=good&csrf_token={good}"))).await.is(204);
    }
    for bad in [
        "mark=evil".to_owned(),
        "mark=evil&csrf_token=".to_owned(),
        format!("mark=evil&csrf_token={others}"),
        format!("mark=evil&csrf_token={}", &first[1..]),
        format!("mark=evil&csrf_token={first}&csrf_token={first}"),
        format!("mark=evil&csrf_token={}", client.token().unwrap_or_default()),
    ] {
        stale(client.ask(form(OURS, &bad)).await);
    }
    assert!(marked(&client).await == "good", "a form without its token was stored");
    let stranger = Client::of(&instance);
    stale(stranger.ask(form(OURS, &format!("mark=evil&csrf_token={first}"))).await);
    assert!(stranger.token().is_none(), "a refused form began a session");
}

/// The token of a form is that of one login.
///
/// 1. A visitor's form can be sent as long as the visitor stays one: writes leave its token good.
/// 2. After a login, a rotation, another login of the same person and a logout, the tokens from before are refused.
pub async fn token_of_a_form_changes_at_login_rotation_and_logout(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let client = Client::of(&instance);
    let visitors = token(&client).await;
    client.put("/value/a", "1").await.is(204);
    client.ask(form(OURS, &format!("mark=1&csrf_token={visitors}"))).await.is(204);
    let mut before = visitors;
    for step in ["/login/ada", "/rotate", "/login/ada", "/logout"] {
        client.post(step).await.is(204);
        stale(client.ask(form(OURS, &format!("mark=evil&csrf_token={before}"))).await);
        before = token(&client).await;
        client.ask(form(OURS, &format!("mark=2&csrf_token={before}"))).await.is(204);
    }
}

const OURS: &[(&str, &str)] = &[("sec-fetch-site", "same-origin")];

fn form(headers: &[(&str, &str)], body: &str) -> Request {
    let request = Request::new("POST", "/form").with_form(body);
    headers.iter().fold(request, |request, (name, value)| request.with_header(name, *value))
}

async fn token(client: &Client) -> String {
    let page = client.get("/form").await.is(200);
    assert!(page.list("cache-control") == ["no-store"], "caches may keep the token of a form");
    let token = page.text();
    assert!(token.len() == 50, "a token of a form has {} characters", token.len());
    token
}

async fn marked(client: &Client) -> serde_json::Value {
    client.get("/value/mark").await.is(200).json()
}

#[track_caller]
fn refused(response: Response) {
    says(response, "cross-site request refused");
}

#[track_caller]
fn stale(response: Response) {
    says(response, "form out of date: load the page again");
}

#[track_caller]
fn says(response: Response, text: &str) {
    let refused = response.is(403).sets_no_cookie();
    assert!(refused.text() == text, "the refusal says {:?}", refused.text());
}
