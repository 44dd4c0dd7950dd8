//! Tokens in a header instead of a cookie.

use super::{App, Client, Keeps, Request, Response, Settings};

/// A client that is no browser keeps its token in `X-Session`.
///
/// 1. The first write hands the token out in that header, and in no cookie.
/// 2. With it in the request, the session is there; the response varies by that header and sends no token.
/// 3. A cookie of any name with that token opens nothing, nor does the header twice with different tokens.
/// 4. A login hands out another token, and the old one (where it is a token) is dead.
/// 5. A logout takes it away: the header is there, and empty.
pub async fn token_travels_in_a_header(app: &impl App) {
    let instance = app.start(Settings::new().with_header("X-Session")).await;
    let client = Client::of(&instance);
    let untouched = client.get("/untouched").await.is(200);
    assert!(untouched.header("vary").is_empty(), "an untouched page varies");
    let stranger = client.get("/session").await.is(200);
    assert!(stranger.header("x-session").is_empty(), "a stranger was handed a token");
    let first = token(&client.put("/value/a", "1").await.is(204).sets_no_cookie());

    let seen = client.ask(with(&first, "GET", "/session")).await.is(200).sets_no_cookie();
    assert!(seen.json()["new"] == false, "the token in the header opens nothing");
    assert!(seen.header("x-session").is_empty(), "an unchanged token was sent again");
    assert!(seen.list("vary") == ["x-session"], "Vary is {:?}", seen.list("vary"));

    for name in ["x-session", "__Host-session", "session"] {
        let cookie = Request::new("GET", "/session").with_header("cookie", format!("{name}={first}"));
        assert!(
            client.ask(cookie).await.is(200).json()["new"] == true,
            "the cookie {name} opens the session"
        );
    }
    let other = token(&client.put("/value/b", "1").await.is(204));
    let both = with(&first, "GET", "/session").with_header("x-session", other);
    assert!(client.ask(both).await.is(200).json()["new"] == true, "one of two tokens was chosen");

    let login = client.ask(with(&first, "POST", "/login/ada")).await.is(204).sets_no_cookie();
    assert!(login.list("cache-control") == ["no-store"], "a token may be kept by caches");
    let second = token(&login);
    assert!(second != first, "the login did not change the token");
    let keeps = app.client_keeps();
    if keeps == Keeps::Token {
        let old = client.ask(with(&first, "GET", "/session")).await;
        assert!(old.json()["new"] == true, "the old token lives");
    }
    let seen = client.ask(with(&second, "GET", "/session")).await.is(200).json();
    assert!(seen["principal"] == "ada", "after the login the session is {seen}");

    let logout = client.ask(with(&second, "POST", "/logout")).await.is(204).sets_no_cookie();
    assert!(logout.header("x-session") == [""], "the removal is {:?}", logout.header("x-session"));
    if keeps == Keeps::Token {
        let dead = client.ask(with(&second, "GET", "/session")).await;
        assert!(dead.json()["new"] == true, "the dead token lives");
    }
}

fn with(token: &str, method: &str, path: &str) -> Request {
    Request::new(method, path).with_header("x-session", token)
}

#[track_caller]
fn token(response: &Response) -> String {
    let values = response.header("x-session");
    assert!(values.len() == 1, "there are {} X-Session headers; the story wants one", values.len());
    values.concat()
}
