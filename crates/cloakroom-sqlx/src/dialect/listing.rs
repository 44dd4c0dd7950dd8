//! What one statement finds of a principal: the list of admissions, and the records.

use cloakroom_core::StoreKey;
use futures_util::TryStreamExt as _;
use sqlx::{ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, Row as _, Type};
use tokio::task::consume_budget;

use super::{Echo, Step, bound, out_of_step};

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
/// before it is believed. If there is an echo, that row brings it back in the column before the others, and in the rest of
/// the rows there is nothing in its place.
///
/// It is read to its end also when something is wrong, so that nothing of it is left over.
pub async fn listing<D>(
    connection: &mut D::Connection,
    step: &Step<'_>,
    echo: Option<Echo>,
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
    let mut rows = bound::<D>(step, echo)?.fetch(connection);
    let column = usize::from(echo.is_some());
    let (mut first, mut keys, mut wrong) = (None, Vec::new(), None);
    while let Some(row) = rows.try_next().await? {
        let taken = match (echo, &first) {
            // Nothing of a row is looked at before it is known to be of this answer.
            (Some(echo), None) => echo.is_in(Some(&row)),
            (Some(_), Some(_)) | (None, _) => Ok(()),
        };
        let taken = match taken.and_then(|()| row.try_get::<Option<i64>, _>(column + 3)) {
            Ok(Some(now)) => {
                let list = head(&row).and_then(|()| list::<D>(&row, column));
                list.map(|list| first = Some((now, list)))
            }
            Ok(None) => key::<D>(&row, column).map(|key| keys.push(key)),
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
        (None, None) => Err(out_of_step()),
    }
}

fn list<D>(row: &D::Row, column: usize) -> Result<Option<(i64, Vec<u8>)>, sqlx::Error>
where
    D: Database,
    usize: ColumnIndex<D::Row>,
    for<'r> Vec<u8>: Decode<'r, D> + Type<D>,
    for<'r> i64: Decode<'r, D> + Type<D>,
{
    match row.try_get::<Option<i64>, _>(column + 1)? {
        Some(version) => Ok(Some((version, row.try_get(column + 2)?))),
        None => Ok(None),
    }
}

fn key<D>(row: &D::Row, column: usize) -> Result<StoreKey, sqlx::Error>
where
    D: Database,
    usize: ColumnIndex<D::Row>,
    for<'r> Vec<u8>: Decode<'r, D> + Type<D>,
{
    let bytes = row.try_get::<Vec<u8>, _>(column)?;
    let key = bytes.try_into().map_err(|_| sqlx::Error::Decode("no key".into()))?;
    Ok(StoreKey::from_bytes(key))
}
