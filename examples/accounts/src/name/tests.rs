use super::{LONGEST, Name, NameFault};

fn key(text: &str) -> String {
    text.parse::<Name>().unwrap().key().to_owned()
}

#[test]
fn case_width_composition_and_white_space_make_no_other_name() {
    for (one, other) in [
        ("Ada", " aDA\n"),
        ("ada", "ＡＤＡ"),
        ("José", "JOSE\u{301}"),
        ("a b", "A \u{2003} b"),
        ("straße", "STRASSE"),
        ("οδος", "ΟΔΟΣ"),
    ] {
        assert_eq!(key(one), key(other), "{one} {other}");
    }
    assert_ne!(key("ada"), key("adа"), "a Cyrillic letter is another one");
}

#[test]
fn name_is_shown_as_it_was_typed() {
    assert_eq!("  Ada <b>  ".parse::<Name>().unwrap().as_str(), "Ada <b>");
}

#[test]
fn what_is_no_name_is_told() {
    for (text, fault) in [
        (String::new(), NameFault::Empty),
        (" \t ".to_owned(), NameFault::Empty),
        ("é".repeat(LONGEST + 1), NameFault::TooLong),
        ("a\u{202e}b".to_owned(), NameFault::Unprintable),
        ("a\u{200b}b".to_owned(), NameFault::Unprintable),
        ("\u{3164}".to_owned(), NameFault::Unprintable),
        ("Ada\u{fe0f}".to_owned(), NameFault::Unprintable),
        ("Ada\u{34f}".to_owned(), NameFault::Unprintable),
        ("a\0b".to_owned(), NameFault::Unprintable),
        ("a\nb".to_owned(), NameFault::Unprintable),
    ] {
        assert_eq!(text.parse::<Name>(), Err(fault), "{text:?}");
    }
    assert!("é".repeat(LONGEST).parse::<Name>().is_ok());
}
