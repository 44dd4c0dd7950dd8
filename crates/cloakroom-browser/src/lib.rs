#![doc = include_str!("../README.md")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "the helpers of tests fail as tests do"
)]

mod browser;
mod cookie;
mod devtools;
mod picture;
mod site;

pub use crate::browser::{Answer, Browser, Tab};
pub use crate::cookie::{Cookie, SameSite};
pub use crate::devtools::{Colours, Width};
pub use crate::picture::Picture;
pub use crate::site::Site;
