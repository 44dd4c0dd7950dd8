use sqlx::{Connection as _, Executor as _, SqliteConnection};

use super::Echo;

#[tokio::test]
async fn only_the_row_that_brings_it_back_is_the_answer() {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("memory");
    let (echo, other) = (Echo::fresh(), Echo::fresh());
    assert!(echo != other && echo.0 > 0 && other.0 > 0);
    let rows = connection.fetch_all("SELECT ?1, 7 UNION ALL SELECT NULL, 8 UNION ALL SELECT x'07', 9").await;
    assert!(rows.expect("rows").iter().all(|row| echo.is_in(Some(row)).is_err()), "there is no number");
    let row = connection.fetch_one(sqlx::query("SELECT ?, 7").bind(echo.0)).await.expect("a row");
    echo.is_in(Some(&row)).expect("its own");
    other.is_in(Some(&row)).expect_err("that of another");
    echo.is_in::<sqlx::sqlite::SqliteRow>(None).expect_err("nothing");
    echo.is(echo.0.unsigned_abs()).expect("its own");
    assert!(echo.is(0).is_err() && echo.is(other.0.unsigned_abs()).is_err());
}
