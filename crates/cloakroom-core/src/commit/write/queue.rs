//! Who goes on after a conflict, of those in this process.

use super::{Occasion, Write};
use crate::commit::index::Entered;
use crate::store::StoreKey;

impl Write<'_> {
    /// Waits behind those in this process who met another write too: at once, all would meet each other again.
    ///
    /// Not with a seat among the sessions of a principal, since other logins wait for it; nor where nobody waits for the
    /// write, or perhaps nobody goes on with it.
    pub(super) async fn take_turn(&mut self, key: &StoreKey) {
        let has_a_seat = self.entered.as_ref().is_some_and(Entered::has_a_seat);
        let may_wait = self.is_asked_for() && self.occasion == Occasion::Response;
        if self.turn.is_none() && may_wait && !has_a_seat {
            self.turn = Some(self.manager().writers.of(key).await);
        }
    }
}
