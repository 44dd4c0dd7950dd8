use super::{
    ELEMENTS, Login, MAX_EXTENSIONS, MAX_EXTENSIONS_LEN, MAX_FLASHES, MAX_KEY_LEN, MAX_LABEL_NAME_LEN,
    MAX_LABEL_TEXT_LEN, MAX_LABELS, MAX_LEN, MAX_PRINCIPAL_LEN, MAX_VALUES, SCHEMA, State,
};
use crate::error::{Error, ErrorKind};
use crate::messagepack::Writer;
use crate::plaintext::Plaintext;

impl State {
    /// Writes the state as bytes that [`decode`](Self::decode) reads.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::TooLarge`]: more than 1 MiB, 1024 values, 64 flashes, or 64 extensions with 64 KiB
    ///   between them; a key that is not 1 to 128 bytes long; a login beyond the limits of [`Login`].
    /// - [`ErrorKind::Value`]: a label's name stands twice.
    pub fn encode(&self) -> Result<Plaintext, Error> {
        let room = self.room()?;
        let mut writer = Writer::with_capacity(room);
        writer.array(ELEMENTS);
        writer.uint(SCHEMA);
        writer.uint(self.revision);
        writer.uint(self.generation);
        writer.uint(self.created_at);
        writer.uint_or_nil(self.authenticated_at);
        writer.uint_or_nil(self.rotated_at);
        writer.uint_or_nil(self.renewed_at);
        writer.uint(self.absolute_deadline);
        writer.uint(self.idle);
        writer.uint_or_nil(self.idle_deadline);
        writer.uint_or_nil(self.lifetime_override);
        match &self.login {
            Some(login) => login.write(&mut writer),
            None => writer.nil(),
        }
        writer.bin(self.secret_hash.as_bytes());
        match &self.predecessor {
            Some(predecessor) => {
                writer.array(2);
                writer.bin(predecessor.hash.as_bytes());
                writer.uint_or_nil(predecessor.grace_ends);
            }
            None => writer.nil(),
        }
        writer.uint(self.flags.bits());
        writer.map(self.values.len());
        for (key, value) in self.values.encoded() {
            writer.utf8(key);
            writer.bin(value);
        }
        writer.array(self.flashes.len());
        for flash in &self.flashes {
            writer.bin(flash.as_bytes());
        }
        writer.map(self.extensions.len());
        for (id, bytes) in self.extensions.iter() {
            writer.uint(id.into());
            writer.bin(bytes);
        }
        let bytes = writer.into_inner();
        debug_assert!(bytes.len() <= room, "the room was made at once");
        if bytes.len() > MAX_LEN { Err(ErrorKind::TooLarge.into()) } else { Ok(bytes.into()) }
    }

    /// Checks every limit, and says how many bytes are enough, at once.
    fn room(&self) -> Result<usize, Error> {
        let mut room = FIXED_ROOM;
        if let Some(login) = &self.login {
            room += login.room()?;
        }
        limit(self.values.len(), MAX_VALUES)?;
        for (key, value) in self.values.encoded() {
            if key.is_empty() {
                return Err(ErrorKind::TooLarge.into());
            }
            limit(key.len(), MAX_KEY_LEN)?;
            room += 2 * HEADER_ROOM + key.len() + value.len();
        }
        limit(self.flashes.len(), MAX_FLASHES)?;
        for flash in &self.flashes {
            room += HEADER_ROOM + flash.len();
        }
        limit(self.extensions.len(), MAX_EXTENSIONS)?;
        let extensions = self.extensions.iter().map(|(_, bytes)| bytes.len()).sum();
        limit(extensions, MAX_EXTENSIONS_LEN)?;
        room += self.extensions.len() * 2 * HEADER_ROOM + extensions;
        // Headers are counted in full here, and are mostly shorter: what is over by them alone may still fit.
        limit(
            room,
            MAX_LEN + FIXED_ROOM + (2 * MAX_VALUES + MAX_FLASHES + 2 * MAX_EXTENSIONS) * HEADER_ROOM,
        )?;
        Ok(room)
    }
}

impl Login {
    fn write(&self, writer: &mut Writer) {
        writer.array(3);
        writer.str(&self.principal);
        match &self.fingerprint {
            Some(fingerprint) => writer.bin(fingerprint),
            None => writer.nil(),
        }
        writer.map(self.labels.len());
        for (name, text) in &self.labels {
            writer.str(name);
            writer.str(text);
        }
    }

    fn room(&self) -> Result<usize, Error> {
        limit(self.principal.len(), MAX_PRINCIPAL_LEN)?;
        limit(self.labels.len(), MAX_LABELS)?;
        let mut room = self.principal.len();
        for (at, (name, text)) in self.labels.iter().enumerate() {
            limit(name.len(), MAX_LABEL_NAME_LEN)?;
            limit(text.len(), MAX_LABEL_TEXT_LEN)?;
            if self.labels.iter().skip(at + 1).any(|(other, _)| other == name) {
                return Err(Error::new(ErrorKind::Value).with_message("a label's name stands twice"));
            }
            room += 2 * HEADER_ROOM + name.len() + text.len();
        }
        Ok(room)
    }
}

/// The longest header: a marker and 32 bits.
const HEADER_ROOM: usize = 5;
/// More than all fields take whose size does not depend on what the session holds.
const FIXED_ROOM: usize = 512;

fn limit(len: usize, most: usize) -> Result<(), Error> {
    if len <= most { Ok(()) } else { Err(ErrorKind::TooLarge.into()) }
}
