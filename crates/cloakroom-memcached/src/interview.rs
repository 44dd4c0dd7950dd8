//! What a server tells of itself, in the words of the protocol.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::error::{Cause, Failure, NO_CAS};

/// More than any server says.
const LONGEST: u64 = 256 << 10;

/// What a server told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The largest item, in bytes: `-I`.
    pub(crate) item_size_max: usize,
    /// Its time in seconds. It counts what it was told in dates by this clock, however wrong that is.
    pub(crate) time: u64,
}

/// Asks the server on a connection of its own.
pub(crate) async fn interview(mut stream: TcpStream) -> Result<Told, Failure> {
    // The key is nobody's: those of records hold a colon.
    stream.write_all(b"mg cloakroom O1\r\nstats settings\r\nstats\r\n").await.map_err(lost)?;
    hear(stream).await
}

/// What the server says to that.
pub(crate) async fn hear(stream: impl AsyncRead + Send + Unpin) -> Result<Told, Failure> {
    let mut lines = Lines(BufReader::new(stream.take(LONGEST)));
    match lines.next().await? {
        line if line == "EN O1" || line == "HD O1" => {}
        // It leaves the token out of a miss, which then could be the reply to anything.
        line if line == "EN" || line == "ERROR" => {
            return Err(unfit("the server is older than Memcached 1.6.18"));
        }
        line if line.starts_with("ERROR ") || line.starts_with("SERVER_ERROR") => {
            return Err(Failure::Unreached(Cause::said("the server takes no more connections")));
        }
        line if line.contains("authenticat") => {
            return Err(Failure::Unfit(crate::error::Refusal::Unauthenticated.cause()));
        }
        _ => return Err(unfit("what answered does not speak the meta protocol of Memcached")),
    }
    let [size, cas] = lines.stats(["item_size_max", "cas_enabled"]).await?;
    let [time] = lines.stats(["time"]).await?;
    if cas.is_some_and(|cas| cas == "no") {
        return Err(Failure::Unfit(NO_CAS));
    }
    match (size.and_then(|size| size.parse().ok()), time.and_then(|time| time.parse().ok())) {
        (Some(item_size_max), Some(time)) => Ok(Told { item_size_max, time }),
        _ => Err(unfit("the server tells neither its largest item nor its time in `stats`")),
    }
}

struct Lines<S>(BufReader<tokio::io::Take<S>>);

impl<S: AsyncRead + Send + Unpin> Lines<S> {
    async fn next(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).await.map_err(lost)?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None => Err(lost(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// The values of these names, out of lines like `STAT time 5` up to `END`.
    async fn stats<const N: usize>(&mut self, names: [&str; N]) -> Result<[Option<String>; N], Failure> {
        let mut values = [const { None }; N];
        loop {
            let line = self.next().await?;
            if line == "END" {
                return Ok(values);
            }
            let Some((name, value)) = line.strip_prefix("STAT ").and_then(|stat| stat.split_once(' ')) else {
                return Err(unfit("the server does not answer `stats`"));
            };
            for (wanted, found) in names.iter().zip(&mut values) {
                if *wanted == name {
                    *found = Some(value.to_owned());
                }
            }
        }
    }
}

fn lost(error: io::Error) -> Failure {
    Failure::Unreached(error.into())
}

fn unfit(what: &'static str) -> Failure {
    Failure::Unfit(Cause::said(what))
}
