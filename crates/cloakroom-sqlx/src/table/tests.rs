use super::TableName;

#[test]
fn names_are_letters_digits_and_underscores() {
    for name in ["s", "_s", "sessions2", "shop.sessions", "a_b.c_d", &"a".repeat(40), "user", "order"] {
        let table: TableName = name.parse().expect(name);
        assert_eq!(table.to_string(), name);
    }
}

#[test]
fn everything_else_is_refused() {
    for name in [
        "",
        ".",
        "a.",
        ".a",
        "a.b.c",
        "1a",
        "a.1b",
        "Sessions",
        "a b",
        "a-b",
        "a\"b",
        "a`b",
        "a'b",
        "a;b",
        "a\0b",
        "a\nb",
        "ä",
        "s--",
        &"a".repeat(41),
    ] {
        let error = name.parse::<TableName>().expect_err(name);
        assert!(error.to_string().contains("1 to 40 characters"), "{error}");
        assert!(name.len() < 3 || !error.to_string().contains(name), "{error}");
    }
}

#[test]
fn quotes_stand_around_each_part() {
    let plain: TableName = "order".parse().expect("a name");
    assert_eq!(plain.quoted('"'), "\"order\"");
    assert_eq!(plain.beside('`', "_expires_at"), "`order_expires_at`");
    let within: TableName = "shop.order".parse().expect("a name");
    assert_eq!(within.quoted('"'), "\"shop\".\"order\"");
    assert_eq!(within.beside('"', "_expires_at"), "\"shop\".\"order_expires_at\"");
}
