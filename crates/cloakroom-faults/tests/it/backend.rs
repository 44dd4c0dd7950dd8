//! What the checker must know of a backend, and its store.

use std::sync::Arc;
use std::time::Duration;

use cloakroom::Store;
use cloakroom_faults::{Keeping, Resending, Rules};

use crate::servers::{Backend, Crash, LostReplies, with_parameter};

impl Backend {
    /// What holds while the server lives.
    pub(crate) fn rules(&self) -> Rules {
        let rules = Rules::strict();
        let rules = rules.with_tolerance(rules.tolerance + Duration::from_millis(self.tick_ms));
        match self.lost_replies {
            LostReplies::AsksAgain => rules.with_resending(Resending::AfterALostReply),
            LostReplies::GivesUp => rules,
        }
    }

    /// What holds for a run in which the server crashes.
    pub(crate) fn rules_in_a_crash(&self) -> Rules {
        match self.crash {
            Crash::KeepsEverything => self.rules(),
            Crash::LosesEverything => self.rules().with_keeping(Keeping::MayForget),
        }
    }
}

/// Connects as a user does, with this deadline for every verb, and takes the store out of the backend.
pub(crate) async fn connect(url: &str, timeout: Duration) -> Arc<dyn Store> {
    let url = with_parameter(url, &format!("timeout={}ms", timeout.as_millis()));
    let backend = cloakroom::connect(&url).await.expect("a store");
    let mut taken = None;
    let _ = backend.layer(|store| {
        taken = Some(Arc::clone(&store));
        store
    });
    taken.expect("a store")
}
