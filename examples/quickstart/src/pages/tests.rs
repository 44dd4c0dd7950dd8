use std::time::{Duration, SystemTime};

use super::{Home, escape, home};

fn page(visits: u32, name: Option<&str>, messages: &[&str]) -> String {
    let messages = messages.iter().map(|text| (*text).to_owned()).collect();
    let ends_at = SystemTime::now() + Duration::from_secs(90);
    home(&Home { visits, messages, name: name.map(str::to_owned), ends_at })
}

#[test]
fn one_visit_is_not_one_visits() {
    assert!(page(1, None, &[]).contains("<strong>1</strong> visit<"));
    assert!(page(2, None, &[]).contains("<strong>2</strong> visits<"));
}

#[test]
fn who_is_logged_in_can_log_out_and_who_is_not_can_log_in() {
    let (known, stranger) = (page(1, Some("Ada"), &["Welcome."]), page(1, None, &[]));
    assert!(known.contains("Hello, Ada.") && known.contains("action=\"/logout\""), "{known}");
    assert!(known.contains("role=\"status\">Welcome.<") && known.contains("for 2 more minutes"), "{known}");
    assert!(stranger.contains("Hello, stranger.") && stranger.contains("action=\"/login\""), "{stranger}");
    assert!(!stranger.contains("role=\"status\""), "{stranger}");
}

#[test]
fn a_name_is_text_and_never_markup() {
    let page = page(1, Some("<img src=x>"), &["<img src=y>"]);
    assert!(!page.contains("<img"), "{page}");
    assert_eq!(escape("<a href='\"&\"'>"), "&lt;a href=&#39;&quot;&amp;&quot;&#39;&gt;");
}
