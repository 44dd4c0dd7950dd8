use std::path::PathBuf;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::Accounts;
use crate::name::Name;
use crate::password::Hash;
use crate::scratch::Scratch;

/// The file in a directory of one test.
fn file(home: &Scratch) -> PathBuf {
    std::fs::create_dir(home).unwrap();
    home.join("accounts.sqlite3")
}

fn hash(text: &str) -> Hash {
    Hash::stored(text.to_owned())
}

#[tokio::test]
async fn names_that_compare_equal_are_one_account() {
    let home = Scratch::new();
    let accounts = Accounts::open(&file(&home)).await.unwrap();
    let ada = accounts.add(&"Ada".parse().unwrap(), &hash("a")).await.unwrap().unwrap();
    assert!(accounts.add(&" ＡＤＡ ".parse().unwrap(), &hash("b")).await.unwrap().is_none());
    let found = accounts.by_name(&"ada".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((found.id, found.name.as_str(), found.hash.as_str()), (ada.id, "Ada", "a"));
}

#[tokio::test]
async fn password_is_replaced_only_where_it_is_still_the_one_that_was_read() {
    let home = Scratch::new();
    let accounts = Accounts::open(&file(&home)).await.unwrap();
    let read = accounts.add(&"Ada".parse().unwrap(), &hash("a")).await.unwrap().unwrap();
    assert!(accounts.set_hash(&read, &hash("b")).await.unwrap());
    assert!(!accounts.set_hash(&read, &hash("c")).await.unwrap());
    assert_eq!(accounts.by_id(read.id).await.unwrap().unwrap().hash.as_str(), "b");
}

#[tokio::test]
async fn number_of_a_removed_account_is_never_given_again() {
    let home = Scratch::new();
    let accounts = Accounts::open(&file(&home)).await.unwrap();
    let name: Name = "Ada".parse().unwrap();
    let first = accounts.add(&name, &hash("a")).await.unwrap().unwrap();
    accounts.remove(first.id).await.unwrap();
    assert!(accounts.by_id(first.id).await.unwrap().is_none());
    let second = accounts.add(&name, &hash("a")).await.unwrap().unwrap();
    assert_ne!(first.id, second.id);
}

#[tokio::test]
async fn file_is_opened_again_and_one_of_a_later_program_is_refused() {
    let home = Scratch::new();
    let path = file(&home);
    for _ in 0..2 {
        Accounts::open(&path).await.unwrap();
    }
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut connection).await.unwrap();
    assert!(Accounts::open(&path).await.unwrap_err().to_string().contains("later version"));
}
