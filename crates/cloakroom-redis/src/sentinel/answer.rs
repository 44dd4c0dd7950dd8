//! What one sentinel says about a service.

use std::collections::HashMap;

use cloakroom_core::StoreErrorKind;
use redis::{FromRedisValue as _, Value};

use crate::error::{Failure, unwelcome};
use crate::place::Place;

/// What one sentinel says about a service.
#[derive(Debug)]
pub(super) enum Answer {
    /// Who the primary is, since which failover.
    Primary { epoch: u64, place: Place },
    /// It watches no such service.
    Unknown,
}

impl Answer {
    /// Reads the replies to `SENTINEL MASTER` and `SENTINEL GET-MASTER-ADDR-BY-NAME`.
    pub(super) fn read(replies: Vec<Value>, sentinel: &Place) -> Result<Self, Failure> {
        let Ok([details, address]) = <[Value; 2]>::try_from(replies) else { return Err(not_a_sentinel()) };
        match (details, address) {
            (_, Value::Nil) => Ok(Self::Unknown),
            (_, Value::ServerError(error)) | (Value::ServerError(error), _) if error.code() != "ERR" => {
                Err(unwelcome(error))
            }
            (Value::ServerError(_), _) | (_, Value::ServerError(_)) => Err(not_a_sentinel()),
            (details, address) => {
                let (host, port) =
                    <(String, u16)>::from_redis_value(address).map_err(|_| not_a_sentinel())?;
                let place = sentinel.neighbour(&host, port).ok_or_else(not_a_sentinel)?;
                let details = HashMap::<String, String>::from_redis_value(details).unwrap_or_default();
                let epoch = details.get("config-epoch").and_then(|epoch| epoch.parse().ok());
                Ok(Self::Primary { epoch: epoch.unwrap_or_default(), place })
            }
        }
    }
}

const fn not_a_sentinel() -> Failure {
    Failure::Nobody {
        kind: StoreErrorKind::Misconfigured,
        why: "what answers at the place of a sentinel is none; the URL names sentinels, not the servers",
    }
}
