//! A browser without a screen: it keeps cookies, fills in forms, and says where its requests come from.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::page::{Form, Page};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A browser with one cookie jar. A clone is another tab of it.
#[derive(Clone)]
pub(crate) struct Browser {
    address: SocketAddr,
    jar: Arc<Mutex<BTreeMap<String, String>>>,
    user_agent: String,
}

/// What a request says of where it comes from.
#[derive(Clone, Copy)]
pub(crate) enum Origin {
    /// A form of ours, in a browser of today.
    Ours,
    /// Another site.
    CrossSite,
    /// Another host of our own domain.
    SameSite,
    /// An old browser, on our page.
    Old,
    /// An old browser, on a page of somebody else.
    OldElsewhere,
    /// Nothing is said.
    Unknown,
}

impl Browser {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, jar: Arc::default(), user_agent: "curl/8".to_owned() }
    }

    /// A browser that calls itself so.
    pub(crate) fn called(mut self, user_agent: &str) -> Self {
        self.user_agent = user_agent.to_owned();
        self
    }

    /// The same browser, with its cookies, at another address.
    pub(crate) fn at(&self, other: &Self) -> Self {
        Self { address: other.address, ..self.clone() }
    }

    /// Another browser, to which the cookies of this one were copied.
    pub(crate) fn clone_jar(&self) -> Self {
        let jar = Arc::new(Mutex::new(self.jar.lock().unwrap().clone()));
        Self { jar, ..self.clone() }
    }

    /// Signs up with [`PASSWORD`].
    pub(crate) fn sign_up(self, name: &str) -> Self {
        let fields = [("name", name), ("password", PASSWORD), ("password_again", PASSWORD)];
        self.submit(&self.get("/sign-up"), "sign-up-form", &fields).leads_to("/");
        self
    }

    /// Signs in with [`PASSWORD`].
    pub(crate) fn sign_in(self, name: &str) -> Self {
        let fields = [("name", name), ("password", PASSWORD)];
        self.submit(&self.get("/sign-in"), "sign-in-form", &fields).leads_to("/");
        self
    }

    /// Who the first page says is signed in.
    pub(crate) fn who(&self) -> Option<String> {
        self.get("/").is(200).text_of("who")
    }

    /// Asks for a page, and follows no redirect.
    pub(crate) fn get(&self, path: &str) -> Page {
        self.send("GET", path, "sec-fetch-site: none\r\n", None)
    }

    /// Fills in a form of a page and sends it, as people do.
    pub(crate) fn submit(&self, page: &Page, form: &str, fields: &[(&str, &str)]) -> Page {
        self.post(&page.form(form).with(fields), Origin::Ours)
    }

    /// Sends a form.
    pub(crate) fn post(&self, form: &Form, origin: Origin) -> Page {
        let address = self.address;
        let headers = match origin {
            Origin::Ours => "sec-fetch-site: same-origin\r\n".to_owned(),
            Origin::CrossSite => "sec-fetch-site: cross-site\r\norigin: https://evil.example\r\n".to_owned(),
            Origin::SameSite => "sec-fetch-site: same-site\r\n".to_owned(),
            Origin::Old => format!("origin: http://{address}\r\n"),
            Origin::OldElsewhere => "origin: https://evil.example\r\n".to_owned(),
            Origin::Unknown => String::new(),
        };
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<String> =
            form.fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.send("POST", &form.action, &headers, Some(&pairs.join("&")))
    }

    /// Sends a request as it is said, with the cookies.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: Option<&str>) -> Page {
        let address = self.address;
        let cookies: Vec<String> =
            self.jar.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nuser-agent: {}\r\n{headers}",
            self.user_agent
        );
        if !cookies.is_empty() {
            request.push_str(&format!("cookie: {}\r\n", cookies.join("; ")));
        }
        if let Some(body) = body {
            let length = body.len();
            request.push_str(&format!(
                "content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}"
            ));
        } else {
            request.push_str("\r\n");
        }
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut response = Vec::new();
        stream.read_to_end(&mut response).expect("the server answers");
        let page = Page::parse(&response);
        self.keep(&page);
        page
    }

    fn keep(&self, page: &Page) {
        let mut jar = self.jar.lock().unwrap();
        for line in page.header("set-cookie") {
            let mut parts = line.split(';').map(str::trim);
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            if parts.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0")) {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
