//! A browser with its profile, and what a user does with it.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fantoccini::wd::{Capabilities, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::cookie::Cookie;
use crate::devtools::{Colours, Devtools, Width};
use crate::picture::Picture;

/// How long anything may take that is asked of the browser.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How Chromium is started: without a screen, and without a word to the outside. All names below `test` are this machine,
/// and the certificates of its servers are good enough.
const ARGUMENTS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-crash-reporter",
    "--hide-scrollbars",
    "--ignore-certificate-errors",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
];

/// A running Chromium. The current tab is the one that commands go to.
///
/// Whatever goes wrong is a panic that names the command; every command ends within 30 seconds.
#[derive(Debug)]
pub struct Browser {
    client: Client,
}

/// One tab of a browser.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tab(WindowHandle);

/// What a script of a page got from its server.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The status of HTTP; 0 where the browser keeps the answer from the page.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

impl Browser {
    /// Has the driver at this URL start a browser with this profile; a new directory is a new profile.
    pub async fn open(driver: &str, profile: &Path) -> Self {
        Self::open_with(driver, profile, &[]).await
    }

    /// The same with further arguments for Chromium.
    pub async fn open_with(driver: &str, profile: &Path, further: &[&str]) -> Self {
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).into();
        arguments.extend(further.iter().map(|argument| (*argument).to_owned()));
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let deadline = u64::try_from(DEADLINE.as_millis()).unwrap_or(u64::MAX);
        let wanted = json!({
            "goog:chromeOptions": { "args": arguments },
            "timeouts": { "script": deadline, "pageLoad": deadline, "implicit": 0 },
        });
        let Value::Object(wanted) = wanted else { panic!("an object") };
        let wanted: Capabilities = wanted;
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(wanted);
        let client = within("the start of the browser", builder.connect(driver)).await;
        Self { client }
    }

    /// Ends the browser, as its user does.
    pub async fn close(self) {
        within("the end of the browser", self.client.close()).await;
    }

    /// Types an address, and waits until the page is loaded.
    pub async fn visit(&self, url: &str) {
        within(url, self.client.goto(url)).await;
    }

    /// Presses the back button.
    pub async fn back(&self) {
        within("back", self.client.back()).await;
    }

    /// Reloads the page.
    pub async fn reload(&self) {
        within("reload", self.client.refresh()).await;
    }

    /// Where the browser is.
    pub async fn url(&self) -> String {
        within("the address", self.client.current_url()).await.into()
    }

    /// What can be read on the page.
    pub async fn text(&self) -> String {
        self.run("return document.body ? document.body.innerText : ''").await
    }

    /// Whether something is on the page.
    pub async fn has(&self, selector: &str) -> bool {
        !within(selector, self.client.find_all(Locator::Css(selector))).await.is_empty()
    }

    /// What can be read in a part of the page.
    pub async fn text_of(&self, selector: &str) -> String {
        within(selector, async { self.client.find(Locator::Css(selector)).await?.text().await }).await
    }

    /// Clicks on something, and waits for the page that this leads to.
    pub async fn click(&self, selector: &str) {
        within(selector, async { self.client.find(Locator::Css(selector)).await?.click().await }).await;
    }

    /// Types into a field, after what is there.
    pub async fn fill(&self, selector: &str, text: &str) {
        within(selector, async { self.client.find(Locator::Css(selector)).await?.send_keys(text).await })
            .await;
    }

    /// Runs a script in the page; `return` hands over its result.
    pub async fn run<T: DeserializeOwned>(&self, script: &str) -> T {
        self.run_with(script, json!(null)).await
    }

    /// The same with a value, which is `arguments[0]` there.
    pub async fn run_with<T: DeserializeOwned>(&self, script: &str, value: Value) -> T {
        let result = within(script, self.client.execute(script, vec![value])).await;
        read(script, result)
    }

    /// Runs a script that waits: the body of an `async` function of `input`.
    pub async fn wait_for<T: DeserializeOwned>(&self, script: &str, input: impl Serialize) -> T {
        let whole = format!(
            "const [input, done] = arguments;
            (async () => {{ {script} }})().then(it => done({{ it }}), error => done({{ error: `${{error}}` }}));"
        );
        let input = serde_json::to_value(input).expect("JSON");
        let result = within(script, self.client.execute_async(&whole, vec![input])).await;
        assert!(result.get("error").is_none(), "{script}: {result}");
        // What a function returns that returns nothing is not even there.
        read(script, result.get("it").cloned().unwrap_or_default())
    }

    /// Lets a script of the page ask its own server something.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let script =
            "const answer = await fetch(input.path, { method: input.method, body: input.body ?? undefined });
            return { status: answer.status, body: await answer.text() };";
        self.wait_for(script, json!({ "method": method, "path": path, "body": body })).await
    }

    /// Waits until an expression is true on the page that is there by then.
    pub async fn until(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        let looked = async {
            while !matches!(self.client.execute(&script, vec![]).await, Ok(Value::Bool(true))) {
                sleep(POLL).await;
            }
        };
        if timeout(DEADLINE, looked).await.is_err() {
            panic!("not so in {DEADLINE:?}: {expression}; the page:\n{}", self.text().await);
        }
    }

    /// The cookies that go to the server of this page, as the browser keeps them.
    pub async fn cookies(&self) -> Vec<Cookie> {
        let mut kept = self.devtools("Network.getCookies", json!({})).await;
        read("cookies", kept.get_mut("cookies").map(Value::take).unwrap_or_default())
    }

    /// Forgets all cookies.
    pub async fn forget_cookies(&self) {
        self.devtools("Network.clearBrowserCookies", json!({})).await;
    }

    /// The tab that commands go to.
    pub async fn tab(&self) -> Tab {
        Tab(within("the tab", self.client.window()).await)
    }

    /// Opens a tab; commands go to it from now on.
    pub async fn new_tab(&self) -> Tab {
        let tab = Tab(within("a new tab", self.client.new_window(true)).await.handle);
        self.switch(&tab).await;
        tab
    }

    /// Closes the tab that commands go to; the next thing is to turn to another one.
    pub async fn close_tab(&self) {
        within("the end of a tab", self.client.close_window()).await;
    }

    /// Turns to a tab.
    pub async fn switch(&self, tab: &Tab) {
        within("a tab", self.client.switch_to_window(tab.0.clone())).await;
    }

    /// Loads the page of this tab again, and lets scripts do there what its policy forbids.
    pub async fn allow_scripts(&self) {
        self.devtools("Page.setBypassCSP", json!({ "enabled": true })).await;
        self.reload().await;
    }

    /// Gives the page a screen of this width, and colours to prefer.
    pub async fn show_on(&self, width: Width, colours: Colours) {
        let screen = json!({
            "width": width.pixels(), "height": width.height(), "deviceScaleFactor": 1, "mobile": width == Width::Phone,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        let colours = json!({ "features": [{ "name": "prefers-color-scheme", "value": colours.name() }] });
        self.devtools("Emulation.setEmulatedMedia", colours).await;
    }

    /// The whole page as a picture of this width, also what lies below the edge of the screen.
    pub async fn picture(&self, width: Width) -> Picture {
        let height: u32 =
            self.run("return Math.max(innerHeight, document.documentElement.scrollHeight)").await;
        let clip = json!({ "x": 0, "y": 0, "width": width.pixels(), "height": height, "scale": 1 });
        let how = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let taken = self.devtools("Page.captureScreenshot", how).await;
        let text = taken.get("data").and_then(Value::as_str).unwrap_or_default();
        let file = STANDARD.decode(text).expect("a picture comes as base64");
        Picture::read(file).expect("a picture is a PNG file")
    }

    async fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        within(command, self.client.issue_cmd(Devtools { command, parameters })).await
    }
}

async fn within<T, E: std::error::Error>(what: &str, answer: impl Future<Output = Result<T, E>>) -> T {
    match timeout(DEADLINE, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => panic!("{what}: {error}"),
        Err(_) => panic!("{what}: not done in {DEADLINE:?}"),
    }
}

fn read<T: DeserializeOwned>(what: &str, value: Value) -> T {
    match serde_json::from_value(value) {
        Ok(read) => read,
        Err(error) => panic!("{what}: {error}"),
    }
}
