use cloakroom::testing::session;

use super::{LoginForm, escape, home, login};

fn form(name: &str) -> LoginForm {
    LoginForm { name: name.to_owned() }
}

#[test]
fn visits_are_counted_and_kept_at_login() {
    let session = session(|_| Ok(())).unwrap();
    assert!(home(&session).unwrap().contains("<strong>1</strong> visit<"));
    login(&session, &form(" Ada ")).unwrap();
    let page = home(&session).unwrap();
    assert!(page.contains("<strong>2</strong> visits") && page.contains("Hello, Ada."), "{page}");
    assert!(page.contains("Welcome, Ada."), "{page}");
    assert!(!home(&session).unwrap().contains("Welcome"), "a message is shown once");
}

#[test]
fn a_name_that_will_not_do_logs_nobody_in() {
    for name in ["", "  ", &"a".repeat(61), &"é".repeat(61)] {
        let session = session(|_| Ok(())).unwrap();
        login(&session, &form(name)).unwrap();
        assert_eq!(session.principal(), None, "{name}");
        assert!(home(&session).unwrap().contains("role=\"status\""), "{name}");
    }
}

#[test]
fn a_name_is_text_and_never_markup() {
    let session = session(|_| Ok(())).unwrap();
    login(&session, &form("<img src=x onerror='alert(\"&\")'>")).unwrap();
    let page = home(&session).unwrap();
    assert!(!page.contains("<img"), "{page}");
    assert_eq!(escape("<a href='\"&\"'>"), "&lt;a href=&#39;&quot;&amp;&quot;&#39;&gt;");
}
