//! Tokens and headers that somebody made up.

use serde_json::json;

use super::{App, Client, Instance, Line, Request, Response, Settings};

/// The name of the cookie.
const NAME: &str = "__Host-session";
/// How many characters a token has that somebody chose.
const CHOSEN: usize = 71;

/// Tokens that we did not make.
///
/// 1. One with any single character changed, cut, extended, padded, quoted or encoded is an absent one: the
///    visitor is a stranger, sees no error, and no cookie is set or taken away.
/// 2. The untouched one still works.
pub async fn forged_tokens_are_absent_ones(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (visitor, token) = visitor_with_a_value(app, &instance).await;
    let length = token.len();
    let mut forged: Vec<String> =
        (0..length).flat_map(|at| [changed(&token, at, 1), changed(&token, at, 37)]).collect();
    forged.extend((0..length).map(|length| token.chars().take(length).collect()));
    forged.extend([
        format!("{token}A"),
        format!("{token}="),
        format!("A{token}"),
        format!("\"{token}\""),
        format!("{token}.{token}"),
        token.to_lowercase(),
        token.chars().rev().collect(),
        "A".repeat(length),
        "A".repeat(43),
        format!("%{:02x}{}", token.bytes().next().unwrap_or_default(), token.get(1..).unwrap_or_default()),
    ]);
    let mut line = open(&instance).await;
    for forgery in forged {
        let seen = answered(&mut line, &session(&[format!("{NAME}={forgery}").into_bytes()])).await;
        assert!(is_stranger(&seen), "a forged token of {} characters opens a session", forgery.len());
    }
    assert!(visitor.is_known().await, "the true token no longer works");
}

/// A token that another service with other secrets made.
///
/// 1. It is an absent one here.
/// 2. So is one for a cookie of another name under the same secrets, and one from a header.
pub async fn tokens_of_other_services_are_absent_ones(app: &impl App) {
    let here = app.start(Settings::new()).await;
    let there = app.start(Settings::new()).await;
    let (foreigner, token) = visitor_with_a_value(app, &there).await;
    assert!(foreigner.is_known().await, "the token does not even work at home");
    let seen = Client::with_cookies(&here, foreigner.cookies()).get("/session").await;
    assert!(is_stranger(&seen), "a token of another service opens a session");
    let other_name = session(&[format!("session={token}; __Secure-session={token}").into_bytes()]);
    let seen = answered(&mut open(&there).await, &other_name).await;
    assert!(is_stranger(&seen), "a token opens a session under another cookie's name");
}

/// A client that chooses its own token.
///
/// 1. A write with a made-up token begins a session under a token that we drew.
/// 2. The made-up one never opens it.
pub async fn token_of_the_clients_choice_is_never_adopted(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let chosen = format!("AQ{}", "b".repeat(CHOSEN - 2));
    let attacker = Client::with_cookies(&instance, [(NAME.to_owned(), chosen.clone())].into());
    let token = attacker.put("/value/a", "1").await.is(204).token();
    assert!(token.is_some_and(|token| token != chosen), "the chosen token was adopted");
    let planted = Client::with_cookies(&instance, [(NAME.to_owned(), chosen)].into());
    assert!(!planted.is_known().await, "the chosen token opens the session");
    assert!(attacker.is_known().await, "the drawn token does not");
}

/// Two authentic tokens come with one request.
///
/// 1. In either order, in one header or two, they count as none: choosing would let a planted one win.
/// 2. The same token twice is one token.
/// 3. A forged one beside an authentic one does not harm.
pub async fn two_authentic_tokens_count_as_none(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (_, one) = visitor_with_a_value(app, &instance).await;
    let (_, other) = visitor_with_a_value(app, &instance).await;
    let cookie = |token: &str| format!("{NAME}={token}").into_bytes();
    let pair = |a: &str, b: &str| format!("{NAME}={a}; {NAME}={b}").into_bytes();
    let mut line = open(&instance).await;
    let none = [vec![pair(&one, &other)], vec![pair(&other, &one)], vec![cookie(&one), cookie(&other)]];
    for headers in none {
        assert!(is_stranger(&answered(&mut line, &session(&headers)).await), "one of two tokens was chosen");
    }
    let forged = changed(&one, 20, 1);
    let good = [
        vec![pair(&one, &one)],
        vec![cookie(&one), cookie(&one)],
        vec![pair(&forged, &one)],
        vec![pair(&one, &forged)],
        vec![cookie(&forged), cookie(&one)],
    ];
    for headers in good {
        assert!(
            is_owner(&answered(&mut line, &session(&headers)).await),
            "the only true token was not taken"
        );
    }
}

/// Cookie headers as attackers, old browsers and broken proxies send them.
///
/// 1. Where the true token stands in them as it should, its owner is seen, whatever else is there.
/// 2. Where only something like it stands there, a stranger is.
/// 3. Never an error page, and never a cookie.
pub async fn cookie_headers_are_read_byte_for_byte(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (_, token) = visitor_with_a_value(app, &instance).await;
    let honest = format!("{NAME}={token}");
    for (what, headers, owner) in attacks(&honest, &token) {
        // A connection of its own: some servers close it on bytes that they do not like.
        let seen = match open(&instance).await.ask(&session(&headers)).await {
            Ok(seen) => seen,
            Err(_) if !owner => continue,
            Err(error) => panic!("{what}: no response ({error}); the story wants the owner"),
        };
        if !owner && matches!(seen.status(), 400 | 431) {
            assert!(seen.header("set-cookie").is_empty(), "{what}: a refusal sets a cookie");
            continue;
        }
        let good = if owner { is_owner(&seen) } else { is_stranger(&seen) };
        let wanted = if owner { "the owner" } else { "a stranger" };
        assert!(
            good,
            "{what}: the service answered {} {:?}; the story wants {wanted}",
            seen.status(),
            seen.text()
        );
    }
}

/// A client asks for an echo.
///
/// 1. `TRACE` gives no cookie back.
pub async fn trace_is_not_echoed(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let (visitor, token) = visitor_with_a_value(app, &instance).await;
    for path in ["/session", "/untouched", "/healthz", "/value/a"] {
        let echo = visitor.ask(Request::new("TRACE", path)).await.sets_no_cookie();
        assert!(echo.status() >= 400, "TRACE {path} answered {}", echo.status());
        assert!(!echo.text().contains(&token), "TRACE {path} echoes the token");
    }
}

type Attack = (&'static str, Vec<Vec<u8>>, bool);

fn attacks(honest: &str, token: &str) -> Vec<Attack> {
    let one = |text: String| vec![text.into_bytes()];
    let around = |before: &[u8], after: &[u8]| vec![[before, honest.as_bytes(), after].concat()];
    let lower = NAME.to_ascii_lowercase();
    vec![
        ("evil first", one(format!("{NAME}=evil; {honest}")), true),
        ("evil last", one(format!("{honest}; {NAME}=evil")), true),
        ("split over headers", vec![b"a=b".to_vec(), honest.into(), b"c=d".to_vec()], true),
        ("no space after the semicolon", one(format!("a=b;{honest};c=d")), true),
        ("trailing semicolons", one(format!("{honest};;; ;")), true),
        ("tabs around", around(b"a=b;\t", b"\t; c=d"), true),
        ("pairs without a name", one(format!("=x; ;=; {honest}; y")), true),
        ("a version", one(format!("$Version=1; {honest}; $Path=/")), true),
        ("a quote in another cookie", one(format!("a=\"b; {honest}; c=d\"")), true),
        ("bytes above ASCII in another cookie", around(b"a=caf\xc3\xa9; ", b"; b=\xe2\x82\xac"), true),
        ("no UTF-8 in another cookie", around(b"a=\xff\xfe\x80; ", b"; \xc0\xaf=x"), true),
        ("80 other cookies", one(format!("{}{honest}", "junk=rubbish; ".repeat(80))), true),
        ("percent-encoded name", one(format!("__%48ost-session={token}")), false),
        ("name in lower case", one(format!("{lower}={token}")), false),
        ("name in upper case", one(format!("{}={token}", NAME.to_ascii_uppercase())), false),
        ("name with a tail", one(format!("{NAME}x={token}")), false),
        ("name with a head", one(format!("x{NAME}={token}")), false),
        ("nameless", one(format!("={NAME}={token}")), false),
        ("space before the equals sign", one(format!("{NAME} ={token}")), false),
        ("space after the equals sign", one(format!("{NAME}= {token}")), false),
        ("quoted value", one(format!("{NAME}=\"{token}\"")), false),
        ("padded value", one(format!("{NAME}={token}=")), false),
        ("comma-joined", one(format!("a=b,{NAME}={token}")), false),
        ("two values joined by a comma", one(format!("{NAME}={token},{NAME}={token}")), false),
        (
            "value in another alphabet",
            one(format!("{NAME}={}+/", token.get(..token.len() - 2).unwrap_or_default())),
            false,
        ),
        ("swallowed by a quoted value", one(format!("a=\"{NAME}={token}\"")), false),
        ("U+2000 before the name", around(b"a=b;\xe2\x80\x80", b""), false),
        ("U+0085 before the name", around(b"a=b;\xc2\x85", b""), false),
        ("U+00A0 before the name", around(b"a=b;\xc2\xa0", b""), false),
        ("U+3000 before the name", around(b"a=b;\xe3\x80\x80", b""), false),
        ("a vertical tab before the name", around(b"a=b;\x0b", b""), false),
        ("a form feed before the name", around(b"a=b;\x0c", b""), false),
        ("NUL before the name", around(b"a=b;\0", b""), false),
        ("beyond 16 KiB", one(format!("{}{honest}", "junk=rubbish; ".repeat(1200))), false),
        ("64 KiB", one(format!("a={}; {honest}", "x".repeat(64 * 1024))), false),
        ("five candidates before", one(format!("{}{honest}", candidates())), false),
    ]
}

fn candidates() -> String {
    (0..5).map(|n| format!("{NAME}=evil{n}; ")).collect()
}

/// Replaces one character by another of the same alphabet.
fn changed(token: &str, at: usize, by: usize) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let other = |c: char| {
        let index = ALPHABET.find(c).unwrap_or_default();
        ALPHABET.chars().nth((index + by) % ALPHABET.len()).unwrap_or(c)
    };
    token.chars().enumerate().map(|(n, c)| if n == at { other(c) } else { c }).collect()
}

async fn visitor_with_a_value(app: &impl App, instance: &impl Instance) -> (Client, String) {
    let visitor = Client::of(instance);
    let token = visitor.put("/value/mine", "true").await.is(204).token().unwrap_or_default();
    let wanted = app.client_keeps().lengths();
    assert!(wanted.contains(&token.len()), "it has {} characters; the story wants {wanted:?}", token.len());
    (visitor, token)
}

fn session(cookies: &[Vec<u8>]) -> Request {
    cookies
        .iter()
        .fold(Request::new("GET", "/session"), |request, value| request.with_header("cookie", value.clone()))
}

async fn open(instance: &impl Instance) -> Line {
    match Line::open(instance.address()).await {
        Ok(line) => line,
        Err(error) => panic!("there is no connection: {error}"),
    }
}

async fn answered(line: &mut Line, request: &Request) -> Response {
    match line.ask(request).await {
        Ok(response) => response,
        Err(error) => panic!("there is no response: {error}"),
    }
}

fn is_stranger(seen: &Response) -> bool {
    seen.status() == 200 && seen.header("set-cookie").is_empty() && {
        let seen = seen.json();
        seen["new"] == true && seen["keys"] == json!([])
    }
}

fn is_owner(seen: &Response) -> bool {
    seen.status() == 200 && seen.header("set-cookie").is_empty() && {
        let seen = seen.json();
        seen["new"] == false && seen["keys"] == json!(["mine"])
    }
}
