//! MessagePack, one header at a time, in its shortest form only.

use zeroize::Zeroizing;

use crate::cursor::{Broken, Cursor};

/// What stands at a place: a scalar itself, or the length of what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    Nil,
    Bool,
    Uint(u64),
    /// Below zero.
    Negative,
    Float,
    Str(usize),
    Bin(usize),
    Array(usize),
    Map(usize),
    /// Bytes after the type byte.
    Ext(usize),
}

impl<'a> Cursor<'a> {
    /// Reads one header. The longer forms of a number or a length are refused where a shorter one says it:
    /// there is one way to write each thing, so that equal things are equal bytes.
    pub(crate) fn header(&mut self) -> Result<Header, Broken> {
        Ok(match self.byte()? {
            byte @ 0x00..=0x7f => Header::Uint(byte.into()),
            byte @ 0x80..=0x8f => Header::Map((byte & 0x0f).into()),
            byte @ 0x90..=0x9f => Header::Array((byte & 0x0f).into()),
            byte @ 0xa0..=0xbf => Header::Str((byte & 0x1f).into()),
            0xc0 => Header::Nil,
            0xc1 => return Err(Broken),
            0xc2 | 0xc3 => Header::Bool,
            0xc4 => Header::Bin(self.length8(0)?),
            0xc5 => Header::Bin(self.length16(0x100)?),
            0xc6 => Header::Bin(self.length32()?),
            0xc7 => Header::Ext(self.ext_length8()?),
            0xc8 => Header::Ext(self.length16(0x100)?),
            0xc9 => Header::Ext(self.length32()?),
            0xca => self.take(4).map(|_| Header::Float)?,
            0xcb => self.take(8).map(|_| Header::Float)?,
            0xcc => Header::Uint(at_least(0x80, self.byte()?.into())?),
            0xcd => Header::Uint(at_least(0x100, u16::from_be_bytes(self.array()?).into())?),
            0xce => Header::Uint(at_least(0x1_0000, u32::from_be_bytes(self.array()?).into())?),
            0xcf => Header::Uint(at_least(0x1_0000_0000, u64::from_be_bytes(self.array()?))?),
            0xd0 => below(-0x20, i8::from_be_bytes(self.array()?).into())?,
            0xd1 => below(-0x80, i16::from_be_bytes(self.array()?).into())?,
            0xd2 => below(-0x8000, i32::from_be_bytes(self.array()?).into())?,
            0xd3 => below(-0x8000_0000, i64::from_be_bytes(self.array()?))?,
            0xd4 => Header::Ext(1),
            0xd5 => Header::Ext(2),
            0xd6 => Header::Ext(4),
            0xd7 => Header::Ext(8),
            0xd8 => Header::Ext(16),
            0xd9 => Header::Str(self.length8(0x20)?),
            0xda => Header::Str(self.length16(0x100)?),
            0xdb => Header::Str(self.length32()?),
            0xdc => Header::Array(self.length16(0x10)?),
            0xdd => Header::Array(self.length32()?),
            0xde => Header::Map(self.length16(0x10)?),
            0xdf => Header::Map(self.length32()?),
            0xe0..=0xff => Header::Negative,
        })
    }

    pub(crate) fn uint(&mut self) -> Result<u64, Broken> {
        if let Header::Uint(number) = self.header()? { Ok(number) } else { Err(Broken) }
    }

    pub(crate) fn str(&mut self, most: usize) -> Result<&'a str, Broken> {
        let Header::Str(len) = self.header()? else { return Err(Broken) };
        if len > most {
            return Err(Broken);
        }
        str::from_utf8(self.take(len)?).map_err(|_| Broken)
    }

    pub(crate) fn bin(&mut self) -> Result<&'a [u8], Broken> {
        if let Header::Bin(len) = self.header()? { self.take(len) } else { Err(Broken) }
    }

    pub(crate) fn bin32(&mut self) -> Result<[u8; 32], Broken> {
        self.bin()?.try_into().map_err(|_| Broken)
    }

    pub(crate) fn array_of(&mut self, len: usize) -> Result<(), Broken> {
        if self.header()? == Header::Array(len) { Ok(()) } else { Err(Broken) }
    }

    pub(crate) fn array_up_to(&mut self, most: usize) -> Result<usize, Broken> {
        match self.header()? {
            Header::Array(len) if len <= most => Ok(len),
            _ => Err(Broken),
        }
    }

    pub(crate) fn map_up_to(&mut self, most: usize) -> Result<usize, Broken> {
        match self.header()? {
            Header::Map(len) if len <= most => Ok(len),
            _ => Err(Broken),
        }
    }

    /// Nil, or what `read` reads.
    pub(crate) fn or_nil<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Broken>,
    ) -> Result<Option<T>, Broken> {
        let mut ahead = self.clone();
        if ahead.byte()? == 0xc0 {
            *self = ahead;
            return Ok(None);
        }
        read(self).map(Some)
    }

    fn length8(&mut self, least: usize) -> Result<usize, Broken> {
        let len = self.byte()?.into();
        if len >= least { Ok(len) } else { Err(Broken) }
    }

    fn length16(&mut self, least: usize) -> Result<usize, Broken> {
        let len = u16::from_be_bytes(self.array()?).into();
        if len >= least { Ok(len) } else { Err(Broken) }
    }

    fn length32(&mut self) -> Result<usize, Broken> {
        let len = usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| Broken)?;
        if len >= 0x1_0000 { Ok(len) } else { Err(Broken) }
    }

    /// Five lengths have a form of their own.
    fn ext_length8(&mut self) -> Result<usize, Broken> {
        match self.length8(0)? {
            1 | 2 | 4 | 8 | 16 => Err(Broken),
            len => Ok(len),
        }
    }
}

fn at_least(least: u64, number: u64) -> Result<u64, Broken> {
    if number >= least { Ok(number) } else { Err(Broken) }
}

fn below(limit: i64, number: i64) -> Result<Header, Broken> {
    if number < limit { Ok(Header::Negative) } else { Err(Broken) }
}

/// MessagePack in the making, in its shortest form. The room is made once, so that no copy stays behind.
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    pub(crate) fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    pub(crate) fn nil(&mut self) {
        self.0.push(0xc0);
    }

    pub(crate) fn uint(&mut self, number: u64) {
        match u8::try_from(number) {
            Ok(small @ 0..0x80) => self.0.push(small),
            Ok(byte) => self.0.extend_from_slice(&[0xcc, byte]),
            Err(_) => self.wide([0xcd, 0xce, 0xcf], number),
        }
    }

    pub(crate) fn str(&mut self, text: &str) {
        self.utf8(text.as_bytes());
    }

    /// Bytes that are known to be UTF-8.
    pub(crate) fn utf8(&mut self, text: &[u8]) {
        match u8::try_from(text.len()) {
            Ok(len @ 0..0x20) => self.0.push(0xa0 | len),
            Ok(len) => self.0.extend_from_slice(&[0xd9, len]),
            Err(_) => self.wide([0xda, 0xdb, NEVER], text.len() as u64),
        }
        self.0.extend_from_slice(text);
    }

    pub(crate) fn bin(&mut self, bytes: &[u8]) {
        match u8::try_from(bytes.len()) {
            Ok(len) => self.0.extend_from_slice(&[0xc4, len]),
            Err(_) => self.wide([0xc5, 0xc6, NEVER], bytes.len() as u64),
        }
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn array(&mut self, len: usize) {
        match u8::try_from(len) {
            Ok(len @ 0..0x10) => self.0.push(0x90 | len),
            _ => self.wide([0xdc, 0xdd, NEVER], len as u64),
        }
    }

    pub(crate) fn map(&mut self, len: usize) {
        match u8::try_from(len) {
            Ok(len @ 0..0x10) => self.0.push(0x80 | len),
            _ => self.wide([0xde, 0xdf, NEVER], len as u64),
        }
    }

    pub(crate) fn uint_or_nil(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.uint(number),
            None => self.nil(),
        }
    }

    /// A marker for 16, 32 or 64 bits, and the number.
    fn wide(&mut self, [m16, m32, m64]: [u8; 3], number: u64) {
        if let Ok(number) = u16::try_from(number) {
            self.0.push(m16);
            self.0.extend_from_slice(&number.to_be_bytes());
        } else if let Ok(number) = u32::try_from(number) {
            self.0.push(m32);
            self.0.extend_from_slice(&number.to_be_bytes());
        } else {
            self.0.push(m64);
            self.0.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// MessagePack reserves this byte; no length that is written here is longer than 32 bits.
const NEVER: u8 = 0xc1;

#[cfg(test)]
mod tests;
