//! Which of the published laws find the same faulty stores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use cloakroom::Clock;
use cloakroom_conformance::{__store_laws, Harness, run};
use cloakroom_faults::{FaultyStore, StoreFault};

struct Planted(Option<StoreFault>, Clock);

impl Harness for Planted {
    type Store = Arc<FaultyStore>;

    async fn open(&self) -> Arc<FaultyStore> {
        Arc::new(FaultyStore::new(self.0, 1, self.1.clone()))
    }

    async fn open_again(&self, store: &Arc<FaultyStore>) -> Arc<FaultyStore> {
        Arc::clone(store)
    }

    async fn elapse(&self, time: Duration) {
        self.1.advance(time);
    }
}

macro_rules! broken_laws {
    (($fault:expr) $($module:ident { $($law:ident)+ })+) => {
        [$( $( (stringify!($law), catch_unwind(AssertUnwindSafe(|| {
            run(cloakroom_conformance::laws::$module::$law(&Planted($fault, Clock::manual())));
        })).is_err()), )+ )+]
    };
}

fn found_by(fault: Option<StoreFault>) -> Vec<&'static str> {
    let laws = __store_laws!([broken_laws](fault));
    laws.into_iter().filter(|(_, broken)| *broken).map(|(law, _)| law).collect()
}

#[test]
#[ignore = "takes a minute: run `cargo xtask test`"]
fn every_planted_store_breaks_a_published_law() {
    assert_eq!(found_by(None), [""; 0]);
    for fault in StoreFault::ALL {
        let laws = found_by(Some(fault));
        println!("{fault:?} breaks {}", laws.join(", "));
        assert!(!laws.is_empty(), "no law finds {fault:?}");
    }
}
