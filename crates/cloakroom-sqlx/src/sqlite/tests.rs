use super::*;

#[test]
fn result_codes_have_a_meaning() {
    use StoreErrorKind::{Full, Misconfigured, Other, TooLarge, Unavailable};
    for (code, kind) in [
        (3, Misconfigured),
        (7, Unavailable),
        (8, Misconfigured),
        (1032, Misconfigured),
        (10, Other),
        (778, Other),
        (4874, Full),
        (11, Other),
        (13, Full),
        (14, Misconfigured),
        (18, TooLarge),
        (26, Misconfigured),
        (1, Other),
        (1555, Other),
    ] {
        assert_eq!(meaning(code, false).0, Meaning::Is(kind), "{code}");
    }
    for code in [5, 6, 261, 262, 517] {
        assert_eq!(meaning(code, false).0, Meaning::Collided, "{code}");
    }
    assert_eq!(meaning(1, true).0, Meaning::Is(Misconfigured));
}

#[tokio::test]
async fn file_that_was_there_before_is_no_wrong_path() {
    let missing = SqliteConnectOptions::new().filename("/no/such/place/sessions.db").create_if_missing(true);
    let Err(sqlx::Error::Database(error)) = SqliteConnection::connect_with(&missing).await else {
        panic!("there is no such directory")
    };
    assert_eq!(Sqlite::meaning(&*error).0, Meaning::Is(StoreErrorKind::Misconfigured));
    assert_eq!(Sqlite::meaning_later(&*error).0, Meaning::NotHere(StoreErrorKind::Unavailable));
}

#[tokio::test]
async fn sessions_of_a_principal_are_found_by_the_index() {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("memory");
    let table = TableName::default();
    Sqlite::migrate(&mut connection, &table).await.expect("a table");
    let text = format!("EXPLAIN QUERY PLAN {}", Sqlite::statements(&table).listing);
    let query = sqlx::query(AssertSqlSafe(text)).bind(vec![1_u8]).bind(vec![2_u8]);
    let rows = connection.fetch_all(query).await.expect("a plan");
    let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
    let plan = plan.join("\n");
    assert!(plan.contains("INDEX cloakroom_sessions_principal (principal=?)"), "{plan}");
    assert!(plan.contains("(id=?)") && !plan.contains("SCAN cloakroom_sessions"), "{plan}");
}
