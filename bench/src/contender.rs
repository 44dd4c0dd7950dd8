//! One application for each contender, with the same routes:
//! `/untouched`, `/read`, `/peek`, `/write`, `/fill`, `/fill-large` and, where there are sessions, `/fill-sized`.

pub mod actix_session;
pub mod axum_session;
pub mod bare;
pub mod cloakroom;
pub mod raw;
pub mod tower_sessions;

use anyhow::{Context as _, Result};
use axum::Router;

use crate::cell::{Cell, Contender};
use crate::scenario::Rolling;

/// How an application is to be built.
#[derive(Clone, Debug)]
pub struct Setup {
    pub cell: Cell,
    /// Where the server is, if the backend is one.
    pub url: Option<String>,
    /// Whether its use keeps a session alive.
    pub rolling: Rolling,
}

impl Setup {
    pub fn url(&self) -> Result<&str> {
        self.url.as_deref().with_context(|| format!("{} needs --url", self.cell))
    }
}

/// The application of a contender on axum.
pub async fn router(setup: &Setup) -> Result<Router> {
    match setup.cell.contender {
        Contender::BareAxum => Ok(bare::router()),
        Contender::NoopLayer => Ok(bare::layered()),
        Contender::RawClient => raw::router(setup).await,
        Contender::CloakroomAxum => cloakroom::router(setup).await,
        Contender::TowerSessions014 => tower_sessions::router_014(setup).await,
        Contender::TowerSessions015 => tower_sessions::router_015(setup).await,
        Contender::AxumSession | Contender::AxumSessionNocache => axum_session::router(setup).await,
        Contender::BareActix
        | Contender::CloakroomActix
        | Contender::CloakroomAround
        | Contender::ActixSession
        | Contender::ActixSessionPool => anyhow::bail!("{} is no contender on axum", setup.cell),
    }
}
