use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{Hash, LONGEST, Password, PasswordFault, Passwords, SHORTEST};
use crate::error::Error;

#[tokio::test]
async fn password_is_verified_however_it_was_composed() {
    let passwords = Passwords::new().await.unwrap();
    let hash = passwords.hash(Password::typed("cafe\u{301} au lait")).await.unwrap();
    assert!(hash.as_str().starts_with("$argon2id$"));
    assert!(passwords.verify(Password::typed("café au lait"), Some(&hash)).await.unwrap());
    assert!(!passwords.verify(Password::typed("cafe au lait"), Some(&hash)).await.unwrap());
}

#[tokio::test]
async fn nobody_has_no_password_not_even_the_one_that_stands_in_for_it() {
    let passwords = Passwords::new().await.unwrap();
    assert!(!passwords.verify(Password::typed("a password of nobody"), None).await.unwrap());
}

#[tokio::test]
async fn hash_that_cannot_be_read_is_an_error_and_not_a_wrong_password() {
    let passwords = Passwords::new().await.unwrap();
    let spoiled = Hash::stored("$argon2id$spoiled".to_owned());
    assert!(matches!(passwords.verify(Password::typed("x"), Some(&spoiled)).await, Err(Error::Hash(_))));
}

/// With so many turns, for which a request waits so long.
fn with_turns(turns: usize, patience: Duration) -> Passwords {
    Passwords { turns: Arc::new(Semaphore::new(turns)), patience, nobodys: Arc::default() }
}

#[tokio::test]
async fn request_that_gets_no_turn_is_told_so() {
    let passwords = with_turns(0, Duration::from_millis(20));
    assert!(matches!(passwords.hash(Password::typed("x")).await, Err(Error::Busy)));
}

#[tokio::test]
async fn turn_outlasts_the_request_that_took_it() {
    let passwords = with_turns(1, Duration::from_secs(5));
    let (release, held) = std::sync::mpsc::channel::<()>();
    let work = passwords.in_turn(move || held.recv());
    assert!(tokio::time::timeout(Duration::from_millis(50), work).await.is_err(), "it was given up");
    assert_eq!(passwords.turns.available_permits(), 0);
    drop(release);
    drop(passwords.turns.acquire().await.unwrap());
}

#[test]
fn new_passwords_have_limits_that_count_characters() {
    let chosen = |text: &str| Password::chosen(text, text).map(|_| ());
    assert_eq!(chosen(&"é".repeat(SHORTEST - 1)), Err(PasswordFault::TooShort));
    assert_eq!(chosen(&"é".repeat(SHORTEST)), Ok(()));
    assert_eq!(chosen(&"é".repeat(LONGEST)), Ok(()));
    assert_eq!(chosen(&"é".repeat(LONGEST + 1)), Err(PasswordFault::TooLong));
    assert_eq!(Password::chosen("long enough", "long enougH").map(|_| ()), Err(PasswordFault::Different));
}
