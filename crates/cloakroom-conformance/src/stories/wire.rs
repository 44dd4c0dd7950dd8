//! HTTP/1.1 over one connection, with nothing between a story and the bytes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::message::{Request, Response};

/// How long a service may take to connect or to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection, used for one request after the other.
///
/// ```no_run
/// # async fn ask() -> std::io::Result<()> {
/// use cloakroom_conformance::stories::{Line, Request};
///
/// let mut line = Line::open(([127, 0, 0, 1], 8080).into()).await?;
/// let response = line.ask(&Request::new("GET", "/healthz")).await?;
/// assert_eq!(response.status(), 200);
/// # Ok::<(), std::io::Error>(())
/// # }
/// ```
#[derive(Debug)]
pub struct Line(BufReader<TcpStream>);

impl Line {
    /// Connects.
    ///
    /// # Errors
    ///
    /// There is no service, or it does not accept within 30 s.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves nothing.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = in_time(TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request, and waits for the whole response.
    ///
    /// # Errors
    ///
    /// The connection was closed or stood still for 30 s before the response was complete.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the connection in the middle of a request: drop the line too.
    pub async fn ask(&mut self, request: &Request) -> io::Result<Response> {
        self.send(request).await?;
        self.answer().await
    }

    /// Sends a request without waiting for its response, so that several can be under way.
    ///
    /// # Errors
    ///
    /// The connection was closed.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have sent a part of the request: drop the line too.
    pub async fn send(&mut self, request: &Request) -> io::Result<()> {
        in_time(self.0.get_mut().write_all(&request.to_bytes())).await
    }

    /// Waits for the next response.
    ///
    /// # Errors
    ///
    /// The connection was closed or stood still for 30 s before the response was complete.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may have read a part of the response: drop the line too.
    pub async fn answer(&mut self) -> io::Result<Response> {
        in_time(self.read()).await
    }

    async fn read(&mut self) -> io::Result<Response> {
        let first = self.line().await?;
        let status = first.split(|byte| *byte == b' ').nth(1).and_then(|code| str::from_utf8(code).ok());
        let status: u16 = status.and_then(|code| code.parse().ok()).ok_or_else(|| broken("a status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let at = line.iter().position(|byte| *byte == b':').ok_or_else(|| broken("a header"))?;
            let (name, value) = line.split_at(at);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            headers.push((String::from_utf8_lossy(name).into_owned(), value.to_vec()));
        }
        let head = Instant::now();
        let mut response = Response { status, headers, body: Vec::new(), after_head: Duration::ZERO };
        if response.header("transfer-encoding").iter().any(|coding| coding.eq_ignore_ascii_case("chunked")) {
            response.body = self.chunks().await?;
        } else if let Some(length) = response.header("content-length").first() {
            let length: usize = length.parse().map_err(|_| broken("a length"))?;
            response.body = self.exactly(length).await?;
        } else if !matches!(status, 100..200 | 204 | 304) {
            self.0.read_to_end(&mut response.body).await?;
        }
        response.after_head = head.elapsed();
        Ok(response)
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line().await?;
            let size =
                str::from_utf8(&size).ok().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
            let size = size.ok_or_else(|| broken("a size of a chunk"))?;
            body.extend(self.exactly(size).await?);
            self.line().await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }
}

async fn in_time<T>(waiting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("this is not {what} of HTTP/1.1"))
}
