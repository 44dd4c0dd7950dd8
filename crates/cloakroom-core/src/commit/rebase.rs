//! Changes that came while a commit ran.

use std::mem;
use std::sync::Arc;

use cloakroom_codec::State;

use crate::live::Shared;

/// Changes that other handles made while a commit ran, on top of what it stored.
pub(super) fn rebase(shared: &Shared) {
    loop {
        let (base, mut changes) = {
            let mut live = shared.live();
            if live.changes.is_empty() {
                live.draft = None;
                live.must_replay = false;
                return;
            }
            (Arc::clone(&live.base), mem::take(&mut live.changes))
        };
        let mut draft = State::clone(&base);
        // What cannot be repeated stays noted, and the next commit's replay tells.
        let mut failed = false;
        for change in &mut changes {
            failed |= change.replay(&mut draft).is_err();
        }
        let mut live = shared.live();
        let nothing_new = live.changes.is_empty();
        let later = mem::replace(&mut live.changes, changes);
        live.changes.extend(later);
        if nothing_new {
            live.draft = Some(Arc::new(draft));
            live.must_replay = failed;
            return;
        }
    }
}
