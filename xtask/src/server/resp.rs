//! The twenty lines of the Redis protocol that a test needs, so that no client program is needed.

use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Result, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long one answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// One connection over a Unix socket, speaking RESP 2.
#[derive(Debug)]
pub(super) struct RespConnection(BufReader<UnixStream>);

impl RespConnection {
    pub(super) fn open(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends one command and reads its answer: integers in decimal, arrays one item a line, `(nil)` for nothing.
    pub(super) fn command(&mut self, words: &[&str]) -> Result<String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let line = line.trim_end();
        let Some(kind) = line.chars().next() else {
            return Err(ErrorKind::UnexpectedEof.into());
        };
        let rest = line.get(1..).unwrap_or_default();
        match kind {
            '+' | ':' => Ok(rest.to_owned()),
            '-' => Err(Error::other(rest)),
            '$' if rest == "-1" => Ok("(nil)".to_owned()),
            '$' => self.bulk(length(rest)?),
            '*' if rest == "-1" => Ok("(nil)".to_owned()),
            '*' => {
                let items: Result<Vec<String>> = (0..length(rest)?).map(|_| self.answer()).collect();
                Ok(items?.join("\n"))
            }
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    fn bulk(&mut self, length: usize) -> Result<String> {
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn length(text: &str) -> Result<usize> {
    text.parse().map_err(|_| ErrorKind::InvalidData.into())
}
