//! What has to hold whatever the users come from.

use futures_util::future::{join, join_all};

use crate::site::{Browser, Gate, Site};

/// An old application, the new one, and what is known of them.
pub struct Stage<Old, New> {
    pub old: Old,
    pub new: New,
    pub gate: Gate,
    /// The name of the old cookie.
    pub cookie: &'static str,
    /// Whether the old server can end a session. With a cookie store it cannot.
    pub ends: bool,
}

impl<Old: Site, New: Site> Stage<Old, New> {
    /// Ada, who signed in at the old application and put one thing into her basket.
    async fn ada(&self) -> Browser {
        let mut ada = Browser::default();
        ada.post(&self.old, "/login").await;
        ada.post(&self.old, "/add").await;
        assert_eq!(ada.get(&self.old, "/me").await, "ada 1");
        ada
    }

    async fn is_over(&self, mut thief: Browser) {
        if self.ends {
            assert_eq!(thief.clone().get(&self.old, "/me").await, "nobody 0");
            assert_eq!(thief.get(&self.new, "/me").await, "nobody 0");
        }
    }

    pub async fn all(&self) {
        self.she_stays_signed_in().await;
        self.a_lost_answer_costs_nothing().await;
        self.the_old_fleet_knows_her_until_she_shows_her_new_cookie().await;
        self.parallel_requests_leave_her_signed_in().await;
        self.a_logout_ends_both().await;
        self.a_login_as_somebody_else_ends_the_old_session().await;
        if self.ends {
            self.a_logout_beside_a_slow_request_is_final().await;
            self.a_slow_request_does_not_replace_the_session_that_is_used().await;
        }
        self.forged_cookies_are_nobody().await;
    }

    async fn she_stays_signed_in(&self) {
        let mut ada = self.ada().await;
        let thief = ada.clone();
        assert_eq!(ada.get(&self.new, "/me").await, "ada 1");
        assert!(ada.has(self.cookie) && ada.has("__Host-session"));
        assert_eq!(ada.get(&self.new, "/me").await, "ada 1");
        assert!(!ada.has(self.cookie));
        ada.post(&self.new, "/add").await;
        assert_eq!(ada.get(&self.new, "/me").await, "ada 2");
        self.is_over(thief).await;
    }

    async fn a_lost_answer_costs_nothing(&self) {
        let mut ada = self.ada().await;
        for _ in 0..3 {
            assert_eq!(ada.clone().get(&self.new, "/me").await, "ada 1");
        }
        // A page that asks for no session takes her over as well.
        ada.get(&self.new, "/public").await;
        assert!(ada.has("__Host-session"));
        assert_eq!(ada.get(&self.new, "/me").await, "ada 1");
    }

    async fn the_old_fleet_knows_her_until_she_shows_her_new_cookie(&self) {
        let mut ada = self.ada().await;
        ada.get(&self.new, "/me").await;
        assert_eq!(ada.get(&self.old, "/me").await, "ada 1");
        ada.get(&self.new, "/me").await;
        assert!(!ada.has(self.cookie));
        assert_eq!(ada.get(&self.old, "/me").await, "nobody 0");
        assert_eq!(ada.get(&self.new, "/me").await, "ada 1");
    }

    /// Each request has a copy of its own, and the last answer's cookie is the one that counts.
    async fn parallel_requests_leave_her_signed_in(&self) {
        let mut ada = self.ada().await;
        let thief = ada.clone();
        let cookies = ada.cookies();
        let answers = join_all((0..16).map(|_| self.new.send("POST", "/add", &cookies))).await;
        for answer in &answers {
            assert_eq!((answer.status, answer.body.as_str()), (200, "ada 2"));
            ada.see(answer);
        }
        assert_eq!(ada.get(&self.new, "/me").await, "ada 2");
        self.is_over(thief).await;
    }

    async fn a_logout_ends_both(&self) {
        let mut ada = self.ada().await;
        let thief = ada.clone();
        ada.post(&self.new, "/logout").await;
        assert!(!ada.has(self.cookie));
        assert_eq!(ada.get(&self.new, "/me").await, "nobody 0");
        self.is_over(thief).await;

        let mut ada = self.ada().await;
        let thief = ada.clone();
        ada.get(&self.new, "/me").await;
        ada.post(&self.new, "/logout").await;
        assert!(!ada.has(self.cookie) && !ada.has("__Host-session"));
        self.is_over(thief).await;
    }

    async fn a_login_as_somebody_else_ends_the_old_session(&self) {
        let mut ada = self.ada().await;
        let thief = ada.clone();
        ada.post(&self.new, "/login-bob").await;
        assert!(!ada.has(self.cookie));
        assert_eq!(ada.get(&self.new, "/me").await, "bob 0");
        self.is_over(thief).await;

        let mut ada = self.ada().await;
        ada.post(&self.new, "/login-ada").await;
        assert!(!ada.has(self.cookie));
        assert_eq!(ada.get(&self.new, "/me").await, "ada 1");
    }

    async fn a_logout_beside_a_slow_request_is_final(&self) {
        for (method, status) in [("GET", 200), ("POST", 409)] {
            let mut ada = self.ada().await;
            let cookies = ada.cookies();
            let logout = async {
                self.gate.entered().await;
                ada.post(&self.new, "/logout").await;
                self.gate.open();
            };
            let (slow, ()) = join(self.new.send(method, "/slow", &cookies), logout).await;
            assert_eq!((slow.status, slow.sets("__Host-session")), (status, false), "{method}");
            ada.see(&slow);
            assert_eq!(ada.get(&self.new, "/me").await, "nobody 0");
        }
    }

    async fn a_slow_request_does_not_replace_the_session_that_is_used(&self) {
        let mut ada = self.ada().await;
        let cookies = ada.cookies();
        let others = async {
            self.gate.entered().await;
            ada.post(&self.new, "/add").await;
            ada.post(&self.new, "/add").await;
            self.gate.open();
        };
        let (slow, ()) = join(self.new.send("GET", "/slow", &cookies), others).await;
        assert_eq!((slow.status, slow.body.as_str(), slow.set_cookies.len()), (200, "ada 2", 0));
        ada.see(&slow);
        assert_eq!(ada.get(&self.new, "/me").await, "ada 3");
    }

    async fn forged_cookies_are_nobody(&self) {
        let real = self.ada().await;
        let value = real.cookies().split_once('=').unwrap().1.to_owned();
        let mut forged = value.clone().into_bytes();
        forged[3] = if forged[3] == b'a' { b'b' } else { b'a' };
        for value in [String::from_utf8(forged).unwrap(), "x".repeat(5000), String::new(), "%00; =;".into()] {
            assert_eq!(Browser::with(self.cookie, &value).get(&self.new, "/me").await, "nobody 0");
        }
    }
}
