//! Which requests of other sites are refused, by what the browser says of them.

use std::time::Duration;

use cloakroom_browser::Browser;
use serde_json::json;

use crate::driver::Driver;
use crate::findings::Findings;
use crate::world::{ADAPTERS, World};

/// The cookie goes wherever it could, so that nothing but the policy stands between the sites.
const EVERYWHERE: &str = "proxy_cookie_flags ~ samesite=none;";
/// No browser of the last years: it does not say where its requests come from.
const WITHOUT_METADATA: &str = "proxy_set_header Sec-Fetch-Site \"\"; proxy_set_header Host $http_host;";
/// A policy that lets everything pass.
const WITHOUT_POLICY: &str = "proxy_set_header Sec-Fetch-Site same-origin; proxy_set_header Host $http_host;";
/// How long a form may take to show its effect, or its refusal.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which token a form takes along.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Token {
    /// The one that is meant for it, which nobody else should know.
    Leaked,
    /// One that the owner of the other site got for a session of his own.
    Foreign,
    /// None.
    Missing,
}

/// What becomes of a form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// It has its effect.
    Passed,
    /// The policy refuses it.
    CrossSite,
    /// Its token is not of this session.
    OutOfDate,
}

/// A visitor with two tabs: one stays in the shop, the other one goes elsewhere.
struct Visit<'a> {
    browser: &'a Browser,
    world: &'a World,
    token: String,
    marks: u32,
}

impl<'a> Visit<'a> {
    async fn begin(browser: &'a Browser, world: &'a World) -> Self {
        browser.forget_cookies().await;
        browser.visit(&world.shop("/untouched")).await;
        let token = browser.ask("GET", "/form", None).await.body;
        Self { browser, world, token, marks: 0 }
    }

    /// Gives the next form a mark of its own.
    fn fields(&mut self) -> (String, serde_json::Value) {
        self.marks += 1;
        let mark = format!("mark{}", self.marks);
        let fields = json!({ "mark": mark, "csrf_token": self.token });
        (mark, fields)
    }

    fn form(&self, mark: &str, token: &str) -> String {
        format!(
            "<form method=post action='{}'><input name=mark value='{mark}'>\
             <input name=csrf_token value='{token}'><button>go</button></form>",
            self.world.shop("/form")
        )
    }

    /// Whether the session has the mark.
    async fn is_marked(&self, mark: &str) -> bool {
        self.browser.ask("GET", "/value/mark", None).await.body.contains(mark)
    }

    /// What becomes of a form that stands on a page somewhere else.
    async fn sent_from(&mut self, place: impl Fn(&World, &str) -> String, token: &str) -> Verdict {
        let (mark, _) = self.fields();
        let page = place(self.world, &self.form(&mark, token));
        let home = self.browser.tab().await;
        let away = self.browser.new_tab().await;
        self.browser.visit(&page).await;
        self.browser.click("button").await;
        let verdict = async {
            loop {
                if self.browser.url().await == self.world.shop("/form") {
                    break match self.browser.text().await.as_str() {
                        "cross-site request refused" => Verdict::CrossSite,
                        "form out of date: load the page again" => Verdict::OutOfDate,
                        other => panic!("neither a verdict nor an effect: {other}"),
                    };
                }
                self.browser.switch(&home).await;
                let marked = self.is_marked(&mark).await;
                self.browser.switch(&away).await;
                if marked {
                    break Verdict::Passed;
                }
            }
        };
        let verdict =
            tokio::time::timeout(PATIENCE, verdict).await.expect("a form has a verdict or an effect");
        self.browser.close_tab().await;
        self.browser.switch(&home).await;
        assert_eq!(self.is_marked(&mark).await, verdict == Verdict::Passed, "{verdict:?}");
        verdict
    }

    /// Whether a form passes that stands on a page of the shop itself.
    async fn passes_at_home(&mut self) -> bool {
        let (mark, _) = self.fields();
        self.browser
            .run_with::<()>("document.body.innerHTML = arguments[0]", json!(self.form(&mark, &self.token)))
            .await;
        self.browser.click("button").await;
        let marked = async {
            while !self.is_marked(&mark).await {
                if self.browser.url().await == self.world.shop("/form") {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(PATIENCE, marked).await.expect("a form is refused, or has its effect")
    }

    /// Whether a form passes that says nothing of the page that it stands on.
    async fn passes_without_referrer(&mut self) -> bool {
        let (mark, fields) = self.fields();
        let script = "await fetch('/form', { method: 'POST', mode: 'no-cors', referrerPolicy: 'no-referrer',
            body: new URLSearchParams(input) })";
        let () = self.browser.wait_for(script, fields).await;
        self.is_marked(&mark).await
    }

    /// Whether a form passes from a frame that has no origin.
    async fn passes_from_sandbox(&mut self) -> bool {
        let (mark, fields) = self.fields();
        let script = "const frame = document.createElement('iframe');
            frame.sandbox = 'allow-scripts';
            frame.srcdoc = `<script>fetch('${location.origin}/form', { method: 'POST', mode: 'no-cors',
                credentials: 'include', body: new URLSearchParams(${JSON.stringify(input)}) })
                .then(() => parent.postMessage('sent', '*'))</` + `script>`;
            const sent = new Promise(done => addEventListener('message', done));
            document.body.append(frame);
            await sent";
        let () = self.browser.wait_for(script, fields).await;
        self.is_marked(&mark).await
    }
}

/// What is wrong with the verdicts on forms that even have the right token.
async fn examine(browser: &Browser, world: &World) -> Findings {
    let mut found = Findings::default();
    let mut visit = Visit::begin(browser, world).await;
    let token = visit.token.clone();
    found.demand(visit.passes_at_home().await, || "an own form is refused".to_owned());
    let neighbour = visit.sent_from(World::neighbour, &token).await;
    found.demand(neighbour == Verdict::CrossSite, || format!("a form of a neighbour: {neighbour:?}"));
    let evil = visit.sent_from(World::evil, &token).await;
    found.demand(evil == Verdict::CrossSite, || format!("a form of another site: {evil:?}"));
    let sandbox = visit.passes_from_sandbox().await;
    found.demand(!sandbox, || "a form without an origin passes".to_owned());
    // A refusal comes before any session, and puts none in the place of this one.
    found.demand(visit.is_marked("mark1").await, || "what was refused has changed the session".to_owned());
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn forms_of_others_are_refused_even_with_the_cookie_and_the_token() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    for adapter in ADAPTERS {
        let world = World::start(adapter, &[EVERYWHERE]).await;
        examine(&browser, &world).await.none(&format!(
            "{adapter}: by Sec-Fetch-Site: own forms pass; forms of a neighbour, of another site, and of a sandboxed frame \
             (Origin: null) are refused"
        ));
        let mut visit = Visit::begin(&browser, &world).await;
        let mut found = Findings::default();
        found.demand(visit.passes_without_referrer().await, || "it is refused".to_owned());
        found.none(&format!("{adapter}: an own form with `Origin: null` for want of a referrer passes"));

        let world = World::start(adapter, &[EVERYWHERE, WITHOUT_METADATA]).await;
        examine(&browser, &world)
            .await
            .none(&format!("{adapter}: the same by Origin, where there is no Sec-Fetch-Site"));
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn a_policy_that_lets_other_sites_pass_is_found() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    let world = World::start("axum", &[EVERYWHERE, WITHOUT_POLICY]).await;
    let found = examine(&browser, &world).await;
    found.some("a form of another site: Passed", "every request seems to come from the shop");
    browser.close().await;
}

/// The second line: whoever gets past the policy still has no token of this session.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn behind_a_policy_that_was_tricked_the_token_still_decides() {
    let driver = Driver::start();
    let (browser, thief) = (driver.browser().await, driver.browser_of("thief").await);
    for adapter in ADAPTERS {
        let world = World::start(adapter, &[EVERYWHERE, WITHOUT_POLICY]).await;
        let foreign = Visit::begin(&thief, &world).await.token;
        let mut visit = Visit::begin(&browser, &world).await;
        for token in [Token::Leaked, Token::Foreign, Token::Missing] {
            let text = match token {
                Token::Leaked => visit.token.clone(),
                Token::Foreign => foreign.clone(),
                Token::Missing => String::new(),
            };
            let verdict = visit.sent_from(World::evil, &text).await;
            let expected = if token == Token::Leaked { Verdict::Passed } else { Verdict::OutOfDate };
            let mut found = Findings::default();
            found.demand(verdict == expected, || format!("{verdict:?}"));
            found.none(&format!(
                "{adapter}: a form of another site, past the policy, with a token: {token:?}"
            ));
        }
    }
    thief.close().await;
    browser.close().await;
}
