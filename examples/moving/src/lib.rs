//! Bridges that keep users signed in while an application moves to Cloakroom; the pages in `docs/` explain them.
//!
//! Each stands inside Cloakroom's layer. A request with Cloakroom's cookie alone, or with none, passes at no cost.

pub mod from_actix_session;
pub mod from_axum_session;
pub mod from_tower_sessions;
