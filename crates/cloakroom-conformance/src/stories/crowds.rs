//! Many requests of one visitor at the same time.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;

use super::{App, Client, Request, Settings};
use crate::crowd::at_once;
use crate::dice::Dice;

/// How many requests run at the same time.
const CROWD: usize = 64;

/// A page that stores 64 things at once.
///
/// 1. Each request writes under a name of its own, all having loaded the same session; each is answered.
/// 2. All 64 are there.
pub async fn parallel_writes_under_different_names_all_stay(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let visitor = Client::of(&instance);
    visitor.put("/value/start", "0").await.is(204);
    let answers = at_once(CROWD, |n| {
        let visitor = visitor.clone();
        let path = format!("/slow/50/value/v{n}");
        async move { visitor.ask(Request::new("POST", &path).with_body(n.to_string())).await }
    })
    .await;
    for answer in answers {
        answer.is(204).sets_no_cookie();
    }
    for n in 0..CROWD {
        let value = visitor.get(&format!("/value/v{n}")).await.is(200).json();
        assert!(value == json!(n), "v{n} is {value}");
    }
}

/// A counter that 64 requests raise at once.
///
/// 1. Each is answered, slow ones and fast ones.
/// 2. The counter ends at 64.
pub async fn parallel_additions_all_count(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    for path in ["/add/n/1", "/slow/50/add/n/1"] {
        let visitor = Client::of(&instance);
        visitor.put("/value/n", "0").await.is(204);
        let answers = at_once(CROWD, |_| {
            let visitor = visitor.clone();
            async move { visitor.post(path).await }
        })
        .await;
        for answer in answers {
            answer.is(200).sets_no_cookie();
        }
        let total = visitor.get("/value/n").await.is(200).json();
        assert!(total == json!(CROWD), "{CROWD} requests to {path} counted {total}");
    }
}

/// One request removes a value while another writes it.
///
/// 1. Both are answered, and the value is there or it is not; the rest of the session stays.
pub async fn removal_and_write_of_one_value_have_an_order(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    for _ in 0..8 {
        let visitor = Client::of(&instance);
        visitor.put("/value/a", "1").await.is(204);
        visitor.put("/value/b", "1").await.is(204);
        let answers = at_once(2, |n| {
            let visitor = visitor.clone();
            async move {
                if n == 0 { visitor.delete("/value/a").await } else { visitor.put("/value/a", "2").await }
            }
        })
        .await;
        for answer in answers {
            answer.is(204);
        }
        let found = visitor.get("/value/a").await;
        assert!(found.status() == 404 || found.body() == b"2", "the value is {:?}", found.text());
        assert!(visitor.get("/value/b").await.is(200).body() == b"1", "the other value is lost");
    }
}

/// A stranger's browser sends its first two writes at once.
///
/// 1. Both are answered with a cookie, and they are two sessions.
/// 2. Each has what its request wrote: neither destroyed the other.
pub async fn parallel_first_writes_begin_two_sessions(app: &impl App) {
    let instance = app.start(Settings::new()).await;
    let strangers = at_once(8, |n| {
        let stranger = Client::of(&instance);
        async move {
            stranger.put("/value/mine", n.to_string()).await.is(204);
            stranger
        }
    })
    .await;
    let mut tokens: Vec<Option<String>> = strangers.iter().map(Client::token).collect();
    for (n, stranger) in strangers.iter().enumerate() {
        let mine = stranger.get("/value/mine").await.is(200).json();
        assert!(mine == json!(n), "visitor {n} has {mine}");
    }
    tokens.sort();
    tokens.dedup();
    assert!(tokens.len() == 8 && !tokens.contains(&None), "visitors share a session");
}

/// A thousand requests of eight visitors, 64 at a time: reads, writes, additions, removals, messages.
///
/// 1. Each is answered, and none with an error.
/// 2. No visitor ever sees what another wrote.
/// 3. Each counter ends at the number of its additions.
pub async fn mixed_crowd_keeps_everybody_apart(app: &impl App) {
    const VISITORS: usize = 8;
    let instance = app.start(Settings::new()).await;
    let visitors: Vec<Client> = (0..VISITORS).map(|_| Client::of(&instance)).collect();
    for (n, visitor) in visitors.iter().enumerate() {
        visitor.put("/value/n", "0").await.is(204);
        visitor.put("/value/owner", n.to_string()).await.is(204);
    }
    let seats = Arc::new(Semaphore::new(CROWD));
    let mut dice = Dice::new(7);
    let mut tasks = Vec::new();
    for number in 0..1000_usize {
        let owner = number % VISITORS;
        let Some(visitor) = visitors.get(owner).cloned() else { continue };
        let (what, seats) = (dice.roll(6), Arc::clone(&seats));
        tasks.push(tokio::spawn(async move {
            let _seat = seats.acquire().await;
            one_of_many(&visitor, owner, number, what).await
        }));
    }
    let mut additions = [0_u64; VISITORS];
    for (number, task) in tasks.into_iter().enumerate() {
        match task.await {
            Ok(added) => {
                if let Some(sum) = additions.get_mut(number % VISITORS) {
                    *sum += added;
                }
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    for (n, visitor) in visitors.iter().enumerate() {
        let owner = visitor.get("/value/owner").await.is(200).json();
        assert!(owner == json!(n), "the session of {n} says that it is that of {owner}");
        let total = visitor.get("/value/n").await.is(200).json();
        assert!(additions.get(n).is_some_and(|sum| total == json!(sum)), "visitor {n} counted {total}");
    }
}

/// Sends one request, checks its answer, and returns by how much it raised the counter.
async fn one_of_many(visitor: &Client, owner: usize, number: usize, what: u64) -> u64 {
    match what {
        0 => {
            let seen = visitor.get("/value/owner").await.is(200).json();
            assert!(seen == json!(owner), "the session of {owner} says that it is that of {seen}");
        }
        1 => {
            visitor.post("/add/n/1").await.is(200).sets_no_cookie();
            return 1;
        }
        2 => {
            visitor
                .put(&format!("/value/v{}", number % 16), format!("{owner}"))
                .await
                .is(204)
                .sets_no_cookie();
        }
        3 => {
            visitor.delete(&format!("/value/v{}", number % 16)).await.is(204).sets_no_cookie();
        }
        4 => {
            let found = visitor.get(&format!("/value/v{}", number % 16)).await;
            let good = found.status() == 404 || found.status() == 200 && found.json() == json!(owner);
            assert!(good, "visitor {owner} sees {} {:?}", found.status(), found.text());
        }
        _ => {
            visitor.post("/slow/5/read").await.is(204).sets_no_cookie();
        }
    }
    0
}
