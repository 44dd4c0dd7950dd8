//! A connection to a server, over which commands go out and replies come back.
//!
//! That of the client library takes a line of any length, and makes room for a gigabyte when one is announced. Here
//! nothing that a server sends fills the memory.

use std::io;

use memcache::exp::{Error, MetaCommand, MetaCommandResult, MetaResponse, ReturnCode, parse_meta_result};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::item_size::LARGEST;

/// More than any line of a reply has.
const LONGEST_LINE: u64 = 4096;

/// As much as most commands have, with the value of a small session.
const SHORT_COMMAND: usize = 1024;

/// About what the line of a reply has.
const SHORT_LINE: usize = 64;

/// How much room there is for a value before any of it has come.
const ROOM: usize = 8 * 1024;

pub(crate) struct Connection<S = TcpStream>(BufReader<S>);

impl Connection {
    /// Sends a command. After an error, it has not gone out whole.
    pub(crate) async fn send(&mut self, command: &MetaCommand) -> Result<(), Error> {
        let mut bytes = Vec::with_capacity(SHORT_COMMAND);
        command.encode_into(&mut bytes)?;
        Ok(self.0.write_all(&bytes).await?)
    }
}

impl<S: AsyncRead + Unpin> Connection<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    /// The next reply, with its value if it has one.
    pub(crate) async fn receive(&mut self) -> Result<MetaCommandResult, Error> {
        let line = self.line().await?;
        let mut reply = parse_meta_result(MetaResponse::parse_header(&line)?)?;
        if reply.rc == ReturnCode::Va {
            reply.value = Some(self.value(length(&line)?).await?);
        }
        Ok(reply)
    }

    async fn line(&mut self) -> Result<Vec<u8>, Error> {
        let mut line = Vec::with_capacity(SHORT_LINE);
        (&mut self.0).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if line.ends_with(b"\r") {
            line.pop();
        }
        Ok(line)
    }

    /// Beyond what most values need, room is made as the value comes.
    async fn value(&mut self, length: usize) -> Result<Vec<u8>, Error> {
        const END: &[u8] = b"\r\n";
        let whole = length + END.len();
        let mut value = Vec::with_capacity(whole.min(ROOM));
        (&mut self.0).take(u64::try_from(whole).unwrap_or(u64::MAX)).read_to_end(&mut value).await?;
        if value.len() < whole {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if !value.ends_with(END) {
            return Err(io::Error::from(io::ErrorKind::InvalidData).into());
        }
        value.truncate(length);
        Ok(value)
    }
}

/// How long the value after this line is: `VA 5 c1 t60`. No item is larger than the largest that a server keeps.
fn length(line: &[u8]) -> Result<usize, Error> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let length = words.nth(1).and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
    match length {
        Some(length) if length <= LARGEST => Ok(length),
        _ => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
    }
}
