//! What one statement finds of a principal: the list of admissions, and the records.

use cloakroom_core::StoreKey;
use futures_util::TryStreamExt as _;
use sqlx::{ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, Row as _, Type};
use tokio::task::consume_budget;

use super::{Step, bound};

/// What a statement of [`Words::listing`](super::Words::listing) found.
pub struct Listing {
    /// Milliseconds since 1970 by the clock of the database.
    pub now: i64,
    /// The version and the payload of the live row of the list.
    pub list: Option<(i64, Vec<u8>)>,
    /// The keys of the principal's live records.
    pub keys: Vec<StoreKey>,
}

/// Reads all rows as they come, so that of each no more than its key is kept. `head` looks at the one about the list
/// before it is believed.
///
/// It is read to its end also when something is wrong, so that nothing of it is left over.
pub async fn listing<D>(
    connection: &mut D::Connection,
    step: &Step,
    head: fn(&D::Row) -> Result<(), sqlx::Error>,
) -> Result<Listing, sqlx::Error>
where
    D: Database<Arguments: IntoArguments<D>>,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'v> &'v [u8]: Encode<'v, D> + Type<D>,
    for<'v> i64: Encode<'v, D> + Type<D>,
    for<'v> Option<&'v [u8]>: Encode<'v, D> + Type<D>,
    usize: ColumnIndex<D::Row>,
    for<'r> Vec<u8>: Decode<'r, D> + Type<D>,
    for<'r> i64: Decode<'r, D> + Type<D>,
{
    let mut rows = bound::<D>(step).fetch(connection);
    let (mut first, mut keys, mut wrong) = (None, Vec::new(), None);
    while let Some(row) = rows.try_next().await? {
        let taken = match row.try_get::<Option<i64>, _>(3) {
            Ok(Some(now)) => head(&row).and_then(|()| list::<D>(&row)).map(|list| first = Some((now, list))),
            Ok(None) => key::<D>(&row).map(|key| keys.push(key)),
            Err(error) => Err(error),
        };
        if let Err(error) = taken {
            wrong.get_or_insert(error);
        }
        // Of a long list, other tasks of this thread would else wait for the end.
        consume_budget().await;
    }
    match (first, wrong) {
        (_, Some(error)) => Err(error),
        (Some((now, list)), None) => Ok(Listing { now, list, keys }),
        (None, None) => Err(sqlx::Error::RowNotFound),
    }
}

fn list<D>(row: &D::Row) -> Result<Option<(i64, Vec<u8>)>, sqlx::Error>
where
    D: Database,
    usize: ColumnIndex<D::Row>,
    for<'r> Vec<u8>: Decode<'r, D> + Type<D>,
    for<'r> i64: Decode<'r, D> + Type<D>,
{
    match row.try_get::<Option<i64>, _>(1)? {
        Some(version) => Ok(Some((version, row.try_get(2)?))),
        None => Ok(None),
    }
}

fn key<D>(row: &D::Row) -> Result<StoreKey, sqlx::Error>
where
    D: Database,
    usize: ColumnIndex<D::Row>,
    for<'r> Vec<u8>: Decode<'r, D> + Type<D>,
{
    let bytes = row.try_get::<Vec<u8>, _>(0)?;
    let key = bytes.try_into().map_err(|_| sqlx::Error::Decode("no key".into()))?;
    Ok(StoreKey::from_bytes(key))
}
