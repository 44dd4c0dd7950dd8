use std::sync::Arc;

use super::{
    ELEMENTS, Flags, Login, MAX_EXTENSIONS, MAX_EXTENSIONS_LEN, MAX_FLASHES, MAX_KEY_LEN, MAX_LABEL_NAME_LEN,
    MAX_LABEL_TEXT_LEN, MAX_LABELS, MAX_LEN, MAX_PRINCIPAL_LEN, MAX_VALUES, Predecessor, SCHEMA, State,
};
use crate::cursor::{Broken, Cursor};
use crate::error::{Error, ErrorKind};
use crate::extensions::{Extensions, FIRST_CRITICAL};
use crate::messagepack::Header;
use crate::piece::{Buffer, Span};
use crate::plaintext::Plaintext;
use crate::token::SecretHash;
use crate::value::Value;
use crate::values::{Entry, Values};

impl State {
    /// Reads a state. What handlers stored stays encoded until it is asked for.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Malformed`]: not what [`encode`](Self::encode) writes, down to the last byte.
    /// - [`ErrorKind::Unsupported`]: another schema, or a critical extension that this release does not know.
    pub fn decode(plaintext: impl Into<Plaintext>) -> Result<Self, Error> {
        let plaintext = plaintext.into();
        #[cfg(test)]
        super::tests::count_call();
        if plaintext.len() > MAX_LEN {
            return Err(ErrorKind::Malformed.into());
        }
        let buffer = Arc::new(plaintext);
        Reader { cursor: Cursor::new(&buffer), buffer: &buffer }.state()
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    buffer: &'a Buffer,
}

impl Reader<'_> {
    fn state(&mut self) -> Result<State, Error> {
        // The schema comes before the length: what a later schema looks like is not ours to say.
        let Header::Array(elements) = self.cursor.header()? else { return Err(ErrorKind::Malformed.into()) };
        if self.cursor.uint()? != SCHEMA {
            return Err(ErrorKind::Unsupported.into());
        }
        if elements != ELEMENTS {
            return Err(ErrorKind::Malformed.into());
        }
        let state = State {
            revision: self.cursor.uint()?,
            generation: self.cursor.uint()?,
            created_at: self.cursor.uint()?,
            authenticated_at: self.cursor.or_nil(Cursor::uint)?,
            rotated_at: self.cursor.or_nil(Cursor::uint)?,
            renewed_at: self.cursor.or_nil(Cursor::uint)?,
            absolute_deadline: self.cursor.uint()?,
            idle: self.cursor.uint()?,
            idle_deadline: self.cursor.or_nil(Cursor::uint)?,
            lifetime_override: self.cursor.or_nil(Cursor::uint)?,
            login: self.cursor.or_nil(login)?,
            secret_hash: self.cursor.bin32().map(SecretHash::from_bytes)?,
            predecessor: self.cursor.or_nil(predecessor)?,
            flags: self.cursor.uint().map(Flags::from_bits)?,
            values: self.values()?,
            flashes: self.flashes()?,
            extensions: self.extensions()?,
        };
        self.cursor.end()?;
        Ok(state)
    }

    fn values(&mut self) -> Result<Values, Error> {
        let len = self.cursor.map_up_to(MAX_VALUES)?;
        let mut entries = Vec::with_capacity(len.min(self.cursor.left() / 2));
        let mut last: Option<&str> = None;
        for _ in 0..len {
            let key = self.cursor.str(MAX_KEY_LEN)?;
            if last.is_some_and(|last| last >= key) || key.is_empty() {
                return Err(ErrorKind::Malformed.into());
            }
            last = Some(key);
            let key = Span::ending(self.cursor.position(), key.len());
            entries.push(Entry::Loaded { key, value: self.value()? });
        }
        Ok(Values::of_sorted(self.buffer, entries))
    }

    fn flashes(&mut self) -> Result<Vec<Value>, Error> {
        let len = self.cursor.array_up_to(MAX_FLASHES)?;
        (0..len).map(|_| Ok(Value::of(self.buffer, self.value()?))).collect()
    }

    fn value(&mut self) -> Result<Span, Error> {
        let len = self.cursor.bin()?.len();
        if len == 0 {
            return Err(ErrorKind::Malformed.into());
        }
        Ok(Span::ending(self.cursor.position(), len))
    }

    fn extensions(&mut self) -> Result<Extensions, Error> {
        let len = self.cursor.map_up_to(MAX_EXTENSIONS)?;
        let mut extensions = Extensions::default();
        let mut last = None;
        let mut left = MAX_EXTENSIONS_LEN;
        for _ in 0..len {
            let id = u16::try_from(self.cursor.uint()?).map_err(|_| ErrorKind::Malformed)?;
            if last.is_some_and(|last| last >= id) {
                return Err(ErrorKind::Malformed.into());
            }
            last = Some(id);
            // No id is given out yet.
            if id >= FIRST_CRITICAL {
                return Err(ErrorKind::Unsupported.into());
            }
            let bytes = self.cursor.bin()?;
            left = left.checked_sub(bytes.len()).ok_or(ErrorKind::Malformed)?;
            extensions.insert(id, bytes.to_vec());
        }
        Ok(extensions)
    }
}

fn login(cursor: &mut Cursor<'_>) -> Result<Login, Broken> {
    cursor.array_of(3)?;
    let principal = cursor.str(MAX_PRINCIPAL_LEN)?.to_owned();
    let fingerprint = cursor.or_nil(Cursor::bin32)?;
    let len = cursor.map_up_to(MAX_LABELS)?;
    let mut labels: Vec<(String, String)> = Vec::new();
    for _ in 0..len {
        let name = cursor.str(MAX_LABEL_NAME_LEN)?;
        if labels.iter().any(|(known, _)| known == name) {
            return Err(Broken);
        }
        labels.push((name.to_owned(), cursor.str(MAX_LABEL_TEXT_LEN)?.to_owned()));
    }
    Ok(Login { principal, fingerprint, labels })
}

fn predecessor(cursor: &mut Cursor<'_>) -> Result<Predecessor, Broken> {
    cursor.array_of(2)?;
    let hash = SecretHash::from_bytes(cursor.bin32()?);
    Ok(Predecessor { hash, grace_ends: cursor.or_nil(Cursor::uint)? })
}
