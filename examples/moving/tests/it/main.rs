//! Old applications with their own crates and stores, and new ones that take over from them.

mod actix_session;
mod axum_session;
mod file;
mod site;
mod stories;
mod tower_sessions;
