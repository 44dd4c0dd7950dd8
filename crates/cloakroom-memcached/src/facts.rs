//! What must be known of a server before anything is written to it.

use std::time::Duration;

use tokio::time::Instant;

use crate::interview::Told;
use crate::item_size::ItemSize;
use crate::lifetime::Lifetime;

/// From here on the server takes a number of seconds for a date.
const LONGEST_RELATIVE: u64 = 30 * 24 * 60 * 60;

/// Past this date the server takes a number for a negative one.
const LAST_DATE: u64 = 0x7FFF_FFFF;

/// How long the server's clock and ours are taken to agree on what a second is.
const CLOCKS_AGREE: Duration = Duration::from_secs(600);

/// What a server told, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    told: Told,
    asked: Instant,
    /// How many connections had ended by then. Another number says that it may be another server by now.
    ended: u64,
    /// Whether the server takes the number that it compares from us. It is supposed to, until it does not.
    pub(crate) chooses: bool,
}

impl Facts {
    /// What the server told, to a question of `asked`.
    pub(crate) const fn new(told: Told, asked: Instant, ended: u64) -> Self {
        Self { told, asked, ended, chooses: true }
    }

    /// Whether they hold for a record of this lifetime.
    pub(crate) fn hold(&self, lifetime: Lifetime, ended: u64) -> bool {
        self.ended == ended && (lifetime.ticks() <= LONGEST_RELATIVE || self.asked.elapsed() < CLOCKS_AGREE)
    }

    /// The largest item of this server.
    pub(crate) const fn item_size(&self) -> ItemSize {
        ItemSize::told(self.told.item_size_max)
    }

    /// What the server is told as the expiry: seconds from now, or a date by its own clock.
    pub(crate) fn expiry(&self, lifetime: Lifetime) -> u32 {
        let ticks = lifetime.ticks();
        let expiry = if ticks <= LONGEST_RELATIVE {
            ticks
        } else {
            // Its clock may have been about to tick when we asked, hence rounded up.
            let since = self.asked.elapsed();
            let since = since.as_secs() + u64::from(since.subsec_nanos() > 0);
            self.told.time.saturating_add(since).saturating_add(ticks).min(LAST_DATE)
        };
        u32::try_from(expiry).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
