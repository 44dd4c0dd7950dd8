//! The page on both frameworks, as a browser meets it: the same handlers give the same answers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as they do")]

mod program;

use cloakroom_conformance::stories::{Client, Request};

use crate::program::Quickstart;

async fn log_in(client: &Client, form: &str) {
    let request = Request::new("POST", "/login").with_body(form.as_bytes());
    let answer = client.ask(request.with_header("content-type", "application/x-www-form-urlencoded")).await;
    assert_eq!(answer.is(303).header("location"), ["/"]);
}

async fn visits_and_messages(adapter: &str) {
    let quickstart = Quickstart::start(adapter).await;
    let client = Client::of(&quickstart);
    let page = async || client.get("/").await.is(200).text();
    assert!(page().await.contains("<strong>1</strong> visit<"));
    let stranger = client.token().unwrap();

    log_in(&client, "name=+Ada+").await;
    assert_ne!(client.token().unwrap(), stranger, "a login gives a new token");
    let welcome = page().await;
    assert!(welcome.contains("<strong>2</strong> visits") && welcome.contains("Hello, Ada."), "{welcome}");
    assert!(welcome.contains("Welcome, Ada."), "{welcome}");
    assert!(!page().await.contains("Welcome"), "a message is shown once");

    let answer = client.post("/logout").await;
    assert_eq!((answer.status(), client.token()), (303, None));
    let page = page().await;
    assert!(page.contains("<strong>1</strong> visit<") && page.contains("Hello, stranger."), "{page}");
}

async fn names_that_will_not_do(adapter: &str) {
    let quickstart = Quickstart::start(adapter).await;
    for name in ["", "++", &"a".repeat(61), &"%C3%A9".repeat(61)] {
        let client = Client::of(&quickstart);
        log_in(&client, &format!("name={name}")).await;
        let page = client.get("/").await.is(200).text();
        assert!(page.contains("Hello, stranger.") && page.contains("role=\"status\""), "{name}: {page}");
    }
    let client = Client::of(&quickstart);
    log_in(&client, "name=%3Cimg+src%3Dx%3E").await;
    let page = client.get("/").await.is(200).text();
    assert!(page.contains("&lt;img src=x&gt;") && !page.contains("<img"), "{page}");
}

macro_rules! on_both {
    ($($test:ident)+) => {
        mod axum { $(#[tokio::test] async fn $test() { super::$test("axum").await; })+ }
        mod actix { $(#[tokio::test] async fn $test() { super::$test("actix").await; })+ }
    };
}

on_both!(visits_and_messages names_that_will_not_do);
