#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod csrf_form;
mod csrf_layer;
mod error;
mod extract;
mod future;
mod headers;
mod layer;

pub use crate::csrf_form::CsrfForm;
pub use crate::csrf_layer::{CsrfFuture, CsrfLayer, CsrfService};
pub use crate::error::{Error, Result};
pub use crate::extract::{Named, Principal, Session};
pub use crate::future::ResponseFuture;
pub use crate::layer::{SessionLayer, SessionService, sessions};
