#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(
    clippy::future_not_send,
    reason = "actix-web runs each request on one thread, and its types are not Send"
)]

mod csrf_form;
mod csrf_middleware;
mod error;
mod extract;
mod future;
mod headers;
mod middleware;

pub use crate::csrf_form::CsrfForm;
pub use crate::csrf_middleware::{CsrfFuture, CsrfMiddleware, CsrfService};
pub use crate::error::{Error, Result};
pub use crate::extract::{Named, Principal, Session};
pub use crate::future::ResponseFuture;
pub use crate::middleware::{SessionMiddleware, SessionService};
