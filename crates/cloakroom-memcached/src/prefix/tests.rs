use cloakroom_core::StoreKey;

use super::Prefix;

#[test]
fn prefix_is_checked() {
    let longest = "x".repeat(40);
    for good in ["a", "cloakroom", "shop-1.sessions_v2", "0", longest.as_str()] {
        assert!(good.parse::<Prefix>().is_ok(), "{good}");
    }
    let too_long = "x".repeat(41);
    for bad in ["", "a:b", "a b", "{a}", "a*", "a\n", "a\r\nDEL b", "ä", "a/b", "a\0", too_long.as_str()] {
        let error = bad.parse::<Prefix>().expect_err(bad);
        assert!(error.to_string().contains("1 to 40 characters"), "{error}");
    }
}

#[test]
fn name_is_prefix_colon_and_43_characters() {
    let name = Prefix::default().name(&StoreKey::from_bytes([0xFF; 32]));
    let (prefix, rest) = name.split_once(':').expect("a colon");
    assert_eq!(prefix, "cloakroom");
    assert_eq!(rest.len(), 43);
    assert!(rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
}
