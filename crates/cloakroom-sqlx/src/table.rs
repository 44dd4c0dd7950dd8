//! The table that the records lie in.

use std::fmt;
use std::str::FromStr;

use cloakroom_core::Error;

/// The longest name of a table: the names of its indexes must fit into the 63 characters of PostgreSQL.
const LONGEST: usize = 40;

/// The name of a table, checked once: `table`, or `schema.table` where the database has schemas.
///
/// Each part begins with a letter or `_` and goes on with letters, digits and `_`, in lower case, so that it
/// means the same to every database whether it is quoted or not. 40 characters each at most.
///
/// ```
/// use cloakroom_sqlx::TableName;
///
/// let table: TableName = "shop.sessions".parse()?;
/// assert_eq!(table.to_string(), "shop.sessions");
/// assert!("sessions; DROP TABLE users".parse::<TableName>().is_err());
/// assert_eq!(TableName::default().to_string(), "cloakroom_sessions");
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableName {
    schema: Option<String>,
    table: String,
}

impl TableName {
    pub(crate) fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// The name in quotes, so that a reserved word is a name like any other.
    pub(crate) fn quoted(&self, quote: char) -> String {
        self.beside(quote, "")
    }

    /// The quoted name of something that lies in the same schema and is named after the table.
    pub(crate) fn beside(&self, quote: char, suffix: &str) -> String {
        match &self.schema {
            Some(schema) => format!("{quote}{schema}{quote}.{quote}{}{suffix}{quote}", self.table),
            None => format!("{quote}{}{suffix}{quote}", self.table),
        }
    }
}

impl Default for TableName {
    fn default() -> Self {
        Self { schema: None, table: "cloakroom_sessions".to_owned() }
    }
}

impl FromStr for TableName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (schema, table) = match text.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, text),
        };
        if schema.is_none_or(is_name) && is_name(table) {
            return Ok(Self { schema: schema.map(str::to_owned), table: table.to_owned() });
        }
        Err(Error::misconfigured(
            "the table of the sessions is written `table` or `schema.table`, each of 1 to 40 characters of a-z, 0-9 and `_`, not beginning with a digit",
        ))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.table),
            None => f.write_str(&self.table),
        }
    }
}

fn is_name(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(inside)
        && !text.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests;
