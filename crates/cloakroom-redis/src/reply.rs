//! Where replies end, and what they say.

use redis::Value;
use smallvec::{SmallVec, smallvec};

/// The longest reply, in bytes: more than a list of half a million sessions. The longest record is half as long.
pub(crate) const LONGEST: usize = 64 << 20;

/// How many elements a reply may have in all, each of which takes several times as much memory as it has bytes.
pub(crate) const MOST_ELEMENTS: usize = 1 << 22;

/// How deep lists may lie in lists. The deepest that is asked for is the chart of a cluster: four.
pub(crate) const DEEPEST: usize = 8;

/// The longest line: an error is no longer.
const LONGEST_LINE: usize = 64 << 10;

/// What begins with it is said without having been asked for.
pub(crate) const PUSH: u8 = b'>';

/// What came is no reply to anything: the other end does not speak the protocol, or not any more.
#[derive(Debug)]
pub(crate) struct Garbled;

/// Looks for the end of one reply after another, at each byte once, however many come at a time.
#[derive(Default)]
pub(crate) struct Replies {
    /// How far the first reply has been looked at.
    at: usize,
    /// How many elements it has, as far as that is known.
    elements: usize,
    /// How many elements are still to come: of the reply, of the list that is its last element so far, and so on. Empty
    /// before the reply is looked at.
    open: SmallVec<[usize; DEEPEST + 1]>,
}

/// One element: a reply, or a part of one.
struct Element<'b> {
    sign: u8,
    /// What stands behind the sign, to the end of the line.
    line: &'b [u8],
    /// What a string holds.
    text: Option<&'b [u8]>,
    length: usize,
    /// How many elements follow that belong to it.
    parts: usize,
}

impl Replies {
    /// The first reply and its length, if these bytes hold all of it. They begin behind the reply that was found last,
    /// and only grow until one is found.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Option<(Value, usize)>, Garbled> {
        if self.open.is_empty() {
            (self.at, self.elements, self.open) = (0, 1, smallvec![1]);
        }
        while let Some(left) = self.open.last_mut() {
            if *left == 0 {
                self.open.pop();
                continue;
            }
            let most = LONGEST - self.at;
            let Some(element) = Element::first(bytes.get(self.at..).unwrap_or_default(), most)? else {
                return Ok(None);
            };
            *left -= 1;
            let is_whole = self.at == 0 && element.parts == 0;
            self.at += element.length;
            if is_whole && let Some(value) = element.plain() {
                self.open.clear();
                return Ok(Some((value, self.at)));
            }
            self.enter(element.parts)?;
        }
        let value = redis::parse_redis_value(bytes.get(..self.at).unwrap_or_default());
        Ok(Some((value.map_err(|_| Garbled)?, self.at)))
    }

    /// So many elements follow that belong to the last one.
    fn enter(&mut self, parts: usize) -> Result<(), Garbled> {
        if parts == 0 {
            return Ok(());
        }
        self.elements += parts;
        // One of those that are open is the reply itself.
        if self.elements > MOST_ELEMENTS || self.open.len() > DEEPEST {
            return Err(Garbled);
        }
        self.open.push(parts);
        Ok(())
    }
}

impl<'b> Element<'b> {
    /// The first one, if these bytes hold all of it; it may not be longer than `most`.
    fn first(bytes: &'b [u8], most: usize) -> Result<Option<Self>, Garbled> {
        let Some((&sign, rest)) = bytes.split_first() else { return Ok(None) };
        let known = b"+-:_,#($!=*~>%|".contains(&sign);
        let end = rest.windows(2).take(LONGEST_LINE).position(|two| two == b"\r\n");
        let line = match end {
            _ if !known => return Err(Garbled),
            Some(end) => rest.get(..end).unwrap_or_default(),
            None if rest.len() > LONGEST_LINE => return Err(Garbled),
            None => return Ok(None),
        };
        let mut element = Self { sign, line, text: None, length: line.len() + 3, parts: 0 };
        match sign {
            // What servers said before there was a sign for nothing.
            b'$' | b'*' if line == b"-1" => {}
            b'$' | b'!' | b'=' => {
                let (start, length) = (element.length, count(line, most)?);
                element.length += length + 2;
                if element.length > most {
                    return Err(Garbled);
                }
                let Some((text, rest)) = bytes.get(start..).and_then(|rest| rest.split_at_checked(length))
                else {
                    return Ok(None);
                };
                match rest {
                    [b'\r', b'\n', ..] => {}
                    [] | [b'\r'] => return Ok(None),
                    _ => return Err(Garbled),
                }
                element.text = Some(text);
            }
            b'*' | b'~' | PUSH => element.parts = count(line, MOST_ELEMENTS)?,
            b'%' => element.parts = 2 * count(line, MOST_ELEMENTS)?,
            // And what they are attributes of.
            b'|' => element.parts = 2 * count(line, MOST_ELEMENTS)? + 1,
            b':' if !line.iter().all(|byte| b"+-0123456789".contains(byte)) => return Err(Garbled),
            b'_' if !line.is_empty() => return Err(Garbled),
            _ => {}
        }
        if element.length > most { Err(Garbled) } else { Ok(Some(element)) }
    }

    /// What it says, where it is one of the replies that almost all are. The others are read by the client library.
    fn plain(&self) -> Option<Value> {
        match (self.sign, self.text) {
            (b'$', Some(text)) => Some(Value::BulkString(text.to_vec())),
            (b'$', None) | (b'_', _) => Some(Value::Nil),
            (b':', _) => number(self.line).map(Value::Int),
            (b'+', _) if self.line == b"OK" => Some(Value::Okay),
            _ => None,
        }
    }
}

/// How many there are, in digits and nothing else.
fn count(line: &[u8], most: usize) -> Result<usize, Garbled> {
    match number(line).map(usize::try_from) {
        Some(Ok(count)) if count <= most && line.iter().all(u8::is_ascii_digit) => Ok(count),
        _ => Err(Garbled),
    }
}

fn number(line: &[u8]) -> Option<i64> {
    std::str::from_utf8(line).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
