//! The accounts application, used by people with browsers.

use cloakroom_browser::Browser;

use crate::back::KEEPABLE;
use crate::driver::Driver;
use crate::findings::Findings;
use crate::program::Program;
use crate::world::{plain, tls};

/// The password of everybody here.
pub(crate) const PASSWORD: &str = "a coat, a hat, a stick";

/// The application, reached as `localhost`.
#[derive(Debug)]
pub(crate) struct Accounts(Program);

impl Accounts {
    /// Starts one that keeps its data with the driver's.
    pub(crate) async fn start(driver: &Driver) -> Self {
        let database = driver.directory("accounts-data").join("accounts.sqlite3");
        let database = database.to_str().expect("a path of letters");
        Self(Program::start("accounts", &["--listen", "127.0.0.1:0", "--database", database]).await)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.0.address().port())
    }

    /// Makes an account, which signs in.
    pub(crate) async fn sign_up(&self, browser: &Browser, name: &str) {
        browser.visit(&self.url("/sign-up")).await;
        browser.fill("#sign-up-form [name=name]", name).await;
        for field in ["password", "password_again"] {
            browser.fill(&format!("#sign-up-form [name={field}]"), PASSWORD).await;
        }
        browser.click("#sign-up").await;
        browser.until("document.querySelector('#who')").await;
    }

    pub(crate) async fn sign_in(&self, browser: &Browser, name: &str, password: &str, remember: bool) {
        browser.visit(&self.url("/sign-in")).await;
        browser.fill("#sign-in-form [name=name]", name).await;
        browser.fill("#sign-in-form [name=password]", password).await;
        if remember {
            browser.click("#sign-in-form [name=remember]").await;
        }
        browser.click("#sign-in").await;
        browser.until("document.querySelector('#who')").await;
    }

    pub(crate) async fn add_note(&self, browser: &Browser, text: &str) {
        browser.visit(&self.url("/notes")).await;
        browser.fill("#add-note-form [name=text]", text).await;
        browser.click("#add-note").await;
        browser.until("document.querySelector('#notes li')").await;
    }
}

/// Whether the page of this address is shown to somebody who is signed in.
async fn is_signed_in(browser: &Browser, url: &str) -> bool {
    browser.visit(url).await;
    browser.has("#who").await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn people_sign_in_on_two_devices_and_end_each_other() {
    let driver = Driver::start();
    let accounts = Accounts::start(&driver).await;
    let (desk, phone) = (driver.browser_of("desk").await, driver.browser_of("phone").await);
    accounts.sign_up(&desk, "Ada").await;
    assert_eq!(desk.text_of("#who").await, "Ada");
    let message = desk.text_of("#messages .message").await;
    desk.reload().await;
    assert!(!message.is_empty() && !desk.has("#messages .message").await, "{message} is shown once");
    println!("covered: accounts: sign-up by its form; a message that is shown once: {message}");

    accounts.sign_in(&phone, "Ada", PASSWORD, true).await;
    desk.visit(&accounts.url("/devices")).await;
    let devices: usize = desk.run("return document.querySelectorAll('li.device').length").await;
    assert_eq!(devices, 2);
    desk.click("li.device:not(.current) .end-device").await;
    desk.until("document.querySelectorAll('li.device').length == 1").await;
    assert!(is_signed_in(&desk, &accounts.url("/notes")).await);
    assert!(!is_signed_in(&phone, &accounts.url("/notes")).await, "the phone was signed out");
    assert!(phone.url().await.contains("/sign-in"), "{}", phone.url().await);
    println!(
        "covered: accounts: a desk lists two devices and ends the other one, which has to sign in again"
    );

    accounts.sign_in(&phone, "Ada", PASSWORD, false).await;
    let anew = "another coat altogether";
    desk.visit(&accounts.url("/account/password")).await;
    for (field, text) in
        [("current_password", PASSWORD), ("new_password", anew), ("new_password_again", anew)]
    {
        desk.fill(&format!("#password-form [name={field}]"), text).await;
    }
    desk.click("#change-password").await;
    desk.until("!document.querySelector('#password-form') && document.querySelector('#who')").await;
    assert!(!is_signed_in(&phone, &accounts.url("/notes")).await, "the phone was signed out");
    accounts.sign_in(&phone, "Ada", anew, false).await;
    println!("covered: accounts: a new password ends the other device, and this one stays");
    phone.close().await;
    desk.close().await;
}

/// What is still to be seen of somebody who signs out in a second tab, at addresses of the application.
async fn examine_sign_out(accounts: &Accounts, browser: &Browser, at: impl Fn(&str) -> String) -> Findings {
    let mut found = Findings::default();
    accounts.sign_up(browser, "Ada").await;
    accounts.add_note(browser, "umbrella in the hall").await;
    browser.visit(&at("/notes")).await;
    assert!(browser.text().await.contains("umbrella"));
    let first = browser.tab().await;

    browser.new_tab().await;
    browser.visit(&at("/notes")).await;
    browser.visit(&at("/")).await;
    browser.click("#sign-out").await;
    browser.until("document.querySelector('#sign-in-form')").await;
    // The home page first, and then the notes.
    for page in ["home", "notes"] {
        browser.back().await;
        browser.until("document.readyState == 'complete'").await;
        let (text, known) = (browser.text().await, browser.has("#who").await);
        found.demand(!text.contains("umbrella") && !known, || format!("the back button shows {page}"));
    }
    browser.close_tab().await;
    browser.switch(&first).await;
    browser.click("#nav-devices").await;
    browser.until("location.pathname != '/notes' && document.readyState == 'complete'").await;
    found.demand(!browser.has("#who").await, || "the other tab is still signed in".to_owned());
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn who_signs_out_leaves_nothing_in_any_tab_or_behind_the_back_button() {
    let driver = Driver::start();
    let accounts = Accounts::start(&driver).await;
    let browser = driver.browser().await;
    let found = examine_sign_out(&accounts, &browser, |path| accounts.url(path)).await;
    found.none("accounts: after a sign-out, nothing behind the back button, and nothing in the other tab");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and nginx: run `cargo xtask test`"]
async fn a_page_of_the_accounts_that_may_be_kept_is_found() {
    let driver = Driver::start();
    let accounts = Accounts::start(&driver).await;
    let browser = driver.browser().await;
    let front = tls(&accounts.0, &[KEEPABLE]);
    let found = examine_sign_out(&accounts, &browser, |path| plain(&front, path)).await;
    found.some("the back button shows", KEEPABLE);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn two_tabs_that_submit_forms_at_once_lose_no_note() {
    const EACH: usize = 15;
    let driver = Driver::start();
    let accounts = Accounts::start(&driver).await;
    let browser = driver.browser().await;
    accounts.sign_up(&browser, "Ada").await;
    let page = accounts.url("/notes");
    let first = browser.tab().await;
    browser.visit(&page).await;
    let second = browser.new_tab().await;
    browser.visit(&page).await;
    let begin = format!(
        "const form = document.querySelector('#add-note-form');
        const submit = text => {{
            const fields = new URLSearchParams(new FormData(form));
            fields.set('text', text);
            return fetch(form.action, {{ method: 'POST', body: fields }}).then(answer => answer.status);
        }};
        window.work = Promise.all(Array.from({{ length: {EACH} }}, (_, i) => submit(`${{arguments[0]}} ${{i}}`)));"
    );
    for (tab, name) in [(&first, "hat"), (&second, "coat")] {
        browser.switch(tab).await;
        // The pages let no script run; this one stands for a user who is quick with two forms.
        browser.allow_scripts().await;
        browser.run_with::<()>(&begin, name.into()).await;
    }
    let mut taken = Vec::new();
    for (tab, name) in [(&first, "hat"), (&second, "coat")] {
        browser.switch(tab).await;
        let statuses: Vec<u16> = browser.wait_for("return await window.work", ()).await;
        // On a machine that is busy, some are told to come again, and may be there or not; the others must be.
        assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
        taken.extend((0..EACH).filter(|i| statuses[*i] == 200).map(|i| format!("{name} {i}")));
    }
    browser.visit(&page).await;
    let notes: Vec<String> = browser
        .run("return [...document.querySelectorAll('#notes .text')].map(note => note.innerText.trim())")
        .await;
    let lost: Vec<&String> = taken.iter().filter(|note| !notes.contains(note)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(taken.len() >= EACH, "only {} of {} forms were taken", taken.len(), 2 * EACH);
    assert_eq!(browser.text_of("#note-count").await.trim(), notes.len().to_string());
    println!(
        "covered: accounts: two tabs submit {} forms at once; {} are taken, and none of these notes is lost",
        2 * EACH,
        taken.len()
    );
    browser.close().await;
}
