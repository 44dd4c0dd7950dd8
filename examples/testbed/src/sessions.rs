//! From options to a manager of sessions.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloakroom::{CookiePolicy, Expiry, KeyRing, Renewal, SessionManager};

use crate::options::{Guard, Options, Transport};
use crate::terminal;

/// How often secrets are renewed once `--rotation-grace` asks for it.
const RENEWAL: Duration = Duration::from_secs(15 * 60);

/// Connects to the store and chooses the policies.
///
/// # Errors
///
/// A sentence that says which option to change.
pub(crate) async fn build(options: Options) -> Result<SessionManager, String> {
    let keys = keys(options.secret)?;
    let mut expiry = Expiry::new(options.idle, options.absolute);
    if let Some(interval) = options.touch_interval {
        expiry = expiry.with_touch_interval(interval);
    }
    let backend = cloakroom::connect(&options.store).await.map_err(|error| format!("--store: {error}"))?;
    let mut builder =
        SessionManager::builder(backend, keys).with_expiry(expiry).with_session_limit(options.limit);
    if let Some(bytes) = options.max_size {
        builder = builder.with_max_size(bytes);
    }
    builder = match options.transport {
        Transport::Header(name) => builder.with_header(name),
        Transport::Cookie { name, guard } => {
            let policy = name.map_or_else(CookiePolicy::default, CookiePolicy::new);
            builder.with_cookie(match guard {
                Guard::Secure => policy,
                Guard::Insecure => policy.danger_insecure_cookie(),
            })
        }
    };
    if let Some(grace) = options.rotation_grace {
        builder = builder.with_renewal(Renewal::every(RENEWAL).with_grace(grace));
    }
    builder.build().map_err(|error| error.to_string())
}

fn keys(given: Option<String>) -> Result<KeyRing, String> {
    let text = match given {
        Some(text) => text,
        None => made_up()?,
    };
    KeyRing::parse(&text).map_err(|error| format!("--secret: {error}"))
}

fn made_up() -> Result<String, String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("there is no randomness: {error}"))?;
    let secret = STANDARD.encode(bytes);
    terminal::complain(&format!("no --secret was given; this run uses --secret {secret}"));
    Ok(secret)
}
