//! One value of a session, encoded.

use std::any::type_name;
use std::fmt;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind};
use crate::piece::{Buffer, Piece, Span};
use crate::scan::{self, Flaw, MAX_DEPTH};

/// At most this many bytes make one value: 1 MiB.
pub const MAX_VALUE_LEN: usize = 1 << 20;

/// One encoded MessagePack value.
///
/// A clone shares the bytes, which are wiped when the last one goes. Two values are equal if their bytes are.
/// `Debug` shows the length alone.
///
/// What serde can express comes back as it was, with two exceptions that MessagePack has no room for:
/// `Some(None)` and `Some(())` come back as `None`; and a 128-bit integer, which is written as 16 bytes, does
/// not come back within `#[serde(untagged)]`, `#[serde(flatten)]` or an internally tagged enum.
///
/// ```
/// use cloakroom_codec::Value;
///
/// let value = Value::encode(&("ada", 42_u8))?;
/// let (name, answer): (String, u8) = value.decode()?;
/// assert_eq!((name.as_str(), answer), ("ada", 42));
/// # Ok::<(), cloakroom_codec::Error>(())
/// ```
#[derive(Clone)]
pub struct Value(Piece);

impl Value {
    /// Encodes a value. Structs become maps, so that fields can be added and reordered.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Value`]: the type refuses to be serialised, containers stand more than 32 deep, or a map
    ///   has one key twice.
    /// - [`ErrorKind::TooLarge`]: the value would take more than 1 MiB.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        encode_after(&[], value).map(|bytes| Self(Piece::whole(bytes)))
    }

    /// Takes bytes that are exactly one value.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::TooLarge`]: more than 1 MiB.
    /// - [`ErrorKind::Value`]: not one MessagePack value in its shortest form, nested more than 32 deep, or
    ///   with a key twice.
    ///
    /// ```
    /// use cloakroom_codec::Value;
    ///
    /// let value = Value::from_bytes(vec![0x2a])?;
    /// assert_eq!(value.decode::<u64>()?, 42);
    /// # Ok::<(), cloakroom_codec::Error>(())
    /// ```
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        let bytes = Zeroizing::new(bytes);
        if bytes.len() > MAX_VALUE_LEN {
            return Err(ErrorKind::TooLarge.into());
        }
        scan::check(&bytes).map_err(flawed::<Self>)?;
        Ok(Self(Piece::whole(bytes)))
    }

    /// Decodes the value.
    ///
    /// Size, depth and duplicate keys are checked first, and every byte must be used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Value`]: the bytes are not one value, or it does not have the type `T`. The message names
    /// the type, and nothing of the value.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let bytes = self.as_bytes();
        scan::check(bytes).map_err(flawed::<T>)?;
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
        deserializer.set_max_depth(MAX_DEPTH + 1);
        // The deserialiser's own message quotes the value: it is left out.
        T::deserialize(&mut deserializer).map_err(|_| refused::<T>("was not found"))
    }

    /// The MessagePack bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// How many bytes the encoded value takes; never zero.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no value takes no bytes")]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// What stands there in a buffer, which nobody has looked at yet.
    pub(crate) fn of(buffer: &Buffer, span: Span) -> Self {
        Self(Piece::of(buffer, span))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Value {}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes)", self.len())
    }
}

fn refused<T: ?Sized>(what: &str) -> Error {
    Error::new(ErrorKind::Value).with_message(format!("a value of type `{}` {what}", type_name::<T>()))
}

fn flawed<T: ?Sized>(flaw: Flaw) -> Error {
    refused::<T>(match flaw {
        Flaw::Broken => "is not whole MessagePack in its shortest form",
        Flaw::TooDeep => "is nested more than 32 deep",
        Flaw::DuplicateKey => "has a map with one key twice",
    })
}

/// Encodes a value after bytes that stand before it.
pub(crate) fn encode_after<T: Serialize + ?Sized>(
    before: &[u8],
    value: &T,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(before.len() + SHORT));
    bytes.extend_from_slice(before);
    let mut output = Output { bytes, most: before.len() + MAX_VALUE_LEN, overflow: Overflow::No };
    // The serialiser's own message may quote the value: it is left out.
    let outcome = value.serialize(&mut rmp_serde::Serializer::new(&mut output).with_struct_map());
    if output.overflow == Overflow::Yes {
        return Err(ErrorKind::TooLarge.into());
    }
    outcome.map_err(|_| refused::<T>("cannot be serialised"))?;
    scan::check(output.bytes.get(before.len()..).unwrap_or_default()).map_err(flawed::<T>)?;
    Ok(output.bytes)
}

/// Room that many values need no more of.
const SHORT: usize = 64;

/// What is written so far; it grows by moving, and wipes what it leaves.
struct Output {
    bytes: Zeroizing<Vec<u8>>,
    most: usize,
    overflow: Overflow,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Yes,
    No,
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.bytes.len() + bytes.len();
        if len > self.most {
            self.overflow = Overflow::Yes;
            return Err(io::ErrorKind::StorageFull.into());
        }
        if len > self.bytes.capacity() {
            let mut roomier = Zeroizing::new(Vec::with_capacity(len.next_power_of_two()));
            roomier.extend_from_slice(&self.bytes);
            self.bytes = roomier;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
