//! A response's headers, as core sees them.

use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, VARY};
use cloakroom_core::ResponseHeaders;

/// A response's headers, as core sees them.
pub(crate) struct Headers<'r>(pub(crate) &'r mut HeaderMap);

impl ResponseHeaders for Headers<'_> {
    fn values(&self, name: &str) -> Vec<String> {
        let values = self.0.get_all(name);
        values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    }

    fn set(&mut self, name: &str, value: &str) {
        if let (Some(name), Some(value)) = (header_name(name), header_value(value)) {
            self.0.insert(name, value);
        }
    }

    fn append_sensitive(&mut self, name: &str, value: &str) {
        if let (Some(name), Ok(mut value)) = (header_name(name), HeaderValue::from_str(value)) {
            value.set_sensitive(true);
            self.0.append(name, value);
        }
    }
}

/// The names that occur on most responses need no parsing.
fn header_name(name: &str) -> Option<HeaderName> {
    match name {
        "cache-control" => Some(CACHE_CONTROL),
        "set-cookie" => Some(SET_COOKIE),
        "vary" => Some(VARY),
        _ => HeaderName::from_bytes(name.as_bytes()).ok(),
    }
}

/// The values that occur on most responses need no allocation.
fn header_value(value: &str) -> Option<HeaderValue> {
    match value {
        "cookie" => Some(HeaderValue::from_static("cookie")),
        "no-store" => Some(HeaderValue::from_static("no-store")),
        "private" => Some(HeaderValue::from_static("private")),
        _ => HeaderValue::from_str(value).ok(),
    }
}
