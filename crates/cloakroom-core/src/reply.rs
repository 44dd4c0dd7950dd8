//! What a response must carry after the commit, for any framework.

use std::borrow::Cow;
use std::fmt;

use crate::cache::{CacheChange, CacheRule, restrict, vary};
use crate::error::{Error, ErrorKind};
use crate::events::{Events, SessionEventKind};

/// What a response must carry once its session is committed.
///
/// An adapter asks [`refusal`](Self::refusal) whether the response is replaced, and then lets
/// [`write_to`](Self::write_to) put the headers in.
#[must_use]
pub struct Reply {
    pub(crate) events: Events,
    pub(crate) refusal: Option<Error>,
    pub(crate) token: Option<TokenHeader>,
    pub(crate) cache: CacheRule,
    /// The request header that the response depends on, once the session was looked at.
    pub(crate) vary: Option<Cow<'static, str>>,
}

/// The header that hands out or takes away a token.
#[derive(Clone)]
pub(crate) struct TokenHeader {
    pub(crate) name: Cow<'static, str>,
    pub(crate) value: String,
}

impl Reply {
    pub(crate) const fn untouched(events: Events) -> Self {
        Self { events, refusal: None, token: None, cache: CacheRule::Free, vary: None }
    }

    /// The error that takes the place of the handler's response, which then keeps none of its headers.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Error> {
        self.refusal.as_ref()
    }

    /// Whether the response needs no header of ours.
    #[must_use]
    pub const fn is_untouched(&self) -> bool {
        self.refusal.is_none() && self.token.is_none() && self.vary.is_none()
    }

    /// Puts the headers into a response: the handler's, or the one that takes its place.
    pub fn write_to(&self, headers: &mut impl ResponseHeaders) {
        if let Some(token) = &self.token {
            headers.append_sensitive(&token.name, &token.value);
        }
        if let Some(name) = &self.vary
            && let Some(value) = vary(&headers.values("vary"), name)
        {
            headers.set("vary", &value);
        }
        if self.cache != CacheRule::Free
            && let CacheChange::Set { value, handler_allowed_sharing } =
                restrict(self.cache, &headers.values("cache-control"))
        {
            headers.set("cache-control", &value);
            if handler_allowed_sharing {
                self.events.emit(SessionEventKind::CacheRestricted, None);
            }
        }
        if self.refusal.as_ref().is_some_and(|error| error.kind() == ErrorKind::Contention) {
            headers.set("retry-after", "1");
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("refusal", &self.refusal)
            .field("token", &self.token.is_some())
            .field("vary", &self.vary)
            .finish_non_exhaustive()
    }
}

/// The headers of a response in some framework. Names are lower case.
pub trait ResponseHeaders {
    /// The values of a header that are text; none if it is absent.
    fn values(&self, name: &str) -> Vec<String>;

    /// Puts one value in the place of all there are.
    fn set(&mut self, name: &str, value: &str);

    /// Adds a value that must not be logged or indexed.
    fn append_sensitive(&mut self, name: &str, value: &str);
}

#[cfg(test)]
mod tests {
    use super::{Reply, TokenHeader};
    use crate::error::{Error, ErrorKind};
    use crate::events::Events;

    #[test]
    fn whatever_it_has_to_say_touches_the_response() {
        let reply = || Reply::untouched(Events::default());
        assert!(reply().is_untouched());
        let token = TokenHeader { name: "set-cookie".into(), value: "a=b".to_owned() };
        assert!(!Reply { token: Some(token), ..reply() }.is_untouched());
        assert!(!Reply { vary: Some("cookie".into()), ..reply() }.is_untouched());
        assert!(!Reply { refusal: Some(Error::new(ErrorKind::Ended)), ..reply() }.is_untouched());
    }
}
