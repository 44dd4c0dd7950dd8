//! A response, and what people see of it.

/// A response.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    head: Vec<(String, String)>,
    pub(crate) html: String,
}

/// A form as it would be sent.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Page {
    /// Reads a response of a connection that is closed after it.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let (head, html) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
        let head = lines.filter_map(|line| line.split_once(": "));
        Self {
            status: status.parse().expect("a status"),
            head: head.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
            html: html.to_owned(),
        }
    }

    /// The values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.head.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Wants this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// Wants a page of an error.
    #[track_caller]
    pub(crate) fn fails_with(self, status: u16) -> Self {
        let page = self.is(status);
        assert_eq!(page.header("content-type"), ["text/html; charset=utf-8"]);
        assert!(page.html.contains(&format!("class=\"error\" data-status=\"{status}\"")), "{page:#?}");
        page
    }

    /// Wants a redirect to this path.
    #[track_caller]
    pub(crate) fn leads_to(self, path: &str) -> Self {
        let page = self.is(303);
        assert_eq!(page.header("location"), [path]);
        page
    }

    /// Wants that the browser's cookies stay as they are.
    #[track_caller]
    pub(crate) fn sets_no_cookie(self) -> Self {
        assert!(self.header("set-cookie").is_empty(), "{self:#?}");
        self
    }

    /// The text of the element with this id, as people read it.
    pub(crate) fn text_of(&self, id: &str) -> Option<String> {
        let (_, rest) = self.html.split_once(&format!("id=\"{id}\""))?;
        let (_, rest) = rest.split_once('>')?;
        Some(unescaped(rest.split('<').next()?))
    }

    /// The texts of the elements with this class, as people read them.
    pub(crate) fn texts(&self, class: &str) -> Vec<String> {
        let mark = format!("class=\"{class}\"");
        let texts = self.html.split(mark.as_str()).skip(1);
        let texts = texts.map(|rest| rest.split_once('>').unwrap().1.split('<').next().unwrap());
        texts.map(unescaped).collect()
    }

    /// The messages on the page.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.texts("message")
    }

    /// The form with this id or class; the first one, if there are several.
    #[track_caller]
    pub(crate) fn form(&self, name: &str) -> Form {
        let forms = self.forms();
        let found = forms.into_iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("there is no form {name}: {self:#?}")).1
    }

    /// All forms, by id or class.
    pub(crate) fn forms(&self) -> Vec<(String, Form)> {
        let forms = self.html.split("<form ").skip(1);
        forms
            .map(|rest| {
                let (tag, rest) = rest.split_once('>').unwrap();
                let body = rest.split("</form>").next().unwrap();
                assert_eq!(attribute(tag, "method").as_deref(), Some("post"), "{tag}");
                let name = attribute(tag, "id").or_else(|| attribute(tag, "class"));
                let inputs = body.split("<input ").skip(1).map(|rest| rest.split_once('>').unwrap().0);
                let sent = inputs.filter(|tag| !tag.contains("checkbox") || tag.contains(" checked"));
                let fields = sent.map(|tag| {
                    (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap_or_default())
                });
                (name.unwrap(), Form { action: attribute(tag, "action").unwrap(), fields: fields.collect() })
            })
            .collect()
    }
}

impl Form {
    /// A form that no page has shown.
    pub(crate) fn made_up(action: &str, fields: &[(&str, &str)]) -> Self {
        Self { action: action.to_owned(), fields: Vec::new() }.with(fields)
    }

    /// With these fields filled in.
    pub(crate) fn with(mut self, fields: &[(&str, &str)]) -> Self {
        for (name, value) in fields {
            self = self.without(name);
            self.fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        self
    }

    /// Without this field.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }

    /// The value of a field.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) =
        format!(" {tag}").split_once(&format!(" {name}=\"")).map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    Some(unescaped(rest.split('"').next()?))
}

fn unescaped(text: &str) -> String {
    let named = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    named.into_iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}
