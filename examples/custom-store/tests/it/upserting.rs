//! The same store with the most common mistake: a `replace` that writes also where there is nothing.

use std::time::Duration;

use cloakroom::{
    Created, Deleted, Freshness, PrincipalIndex, Record, Replaced, Store, StoreError, StoreKey, Touched,
    Version, async_trait,
};
use cloakroom_conformance::{Harness, laws, run};
use custom_store::RedbStore;

use crate::InAFile;

#[derive(Clone, Debug)]
struct Upserting(RedbStore);

#[async_trait]
impl Store for Upserting {
    async fn load(&self, key: &StoreKey, freshness: Freshness) -> Result<Option<Record>, StoreError> {
        self.0.load(key, freshness).await
    }

    async fn create(&self, key: &StoreKey, record: &Record) -> Result<Created, StoreError> {
        self.0.create(key, record).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        match self.0.replace(key, expected, record).await? {
            Replaced::Missing => self.0.create(key, record).await.map(|_| Replaced::Replaced),
            answer => Ok(answer),
        }
    }

    async fn touch(&self, key: &StoreKey, expected: Version, ttl: Duration) -> Result<Touched, StoreError> {
        self.0.touch(key, expected, ttl).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<Deleted, StoreError> {
        self.0.delete(key).await
    }

    fn principals(&self) -> Option<&dyn PrincipalIndex> {
        self.0.principals()
    }
}

struct Wrong;

impl Harness for Wrong {
    type Store = Upserting;

    async fn open(&self) -> Upserting {
        Upserting(InAFile.open().await)
    }

    async fn open_again(&self, store: &Upserting) -> Upserting {
        store.clone()
    }
}

/// Each of these laws holds for the store as it is, and finds the mistake.
macro_rules! finds_it {
    ($($module:ident::$law:ident)+) => {$(
        #[test]
        #[should_panic(expected = "broke the law")]
        fn $law() {
            run(laws::$module::$law(&Wrong));
        }
    )+};
}

finds_it! {
    replace::replace_of_missing_is_missing
    delete::replace_after_delete_is_missing
    delete::late_writers_do_not_resurrect
    expiry::expired_record_cannot_be_replaced
}
