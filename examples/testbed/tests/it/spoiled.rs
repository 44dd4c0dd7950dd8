//! The testbed behind a proxy that spoils it in one way, as a broken adapter would be.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use cloakroom_conformance::stories::{App, Instance, Settings};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::program::Testbed;

/// A fault: what becomes of the settings, of a request, and of its response.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) settings: fn(Settings) -> (Settings, &'static [&'static str]),
    pub(crate) request: fn(&mut Ask, &mut Memory) -> Option<Reply>,
    pub(crate) response: fn(&Ask, &mut Reply, &mut Memory),
}

impl Fault {
    /// No fault, but that responses come in one piece.
    pub(crate) const NONE: Self =
        Self { settings: |settings| (settings, &[]), request: |_, _| None, response: |_, _, _| {} };
}

/// A request on its way.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// A response on its way back.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What the proxy remembers over all connections.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Which token followed which.
    pub(crate) heirs: BTreeMap<String, String>,
    /// The latest token.
    pub(crate) latest: Option<String>,
    /// The first listing of each cookie.
    pub(crate) listings: BTreeMap<Option<String>, Vec<u8>>,
    pub(crate) count: usize,
}

impl Ask {
    /// The token of the request.
    pub(crate) fn token(&self) -> Option<String> {
        let cookie = self.headers.iter().find(|(name, _)| name == "cookie")?;
        let cookie = String::from_utf8_lossy(&cookie.1).into_owned();
        cookie.split("; ").find_map(|pair| pair.strip_prefix("__Host-session=")).map(str::to_owned)
    }

    /// Replaces all cookies by this token.
    pub(crate) fn set_token(&mut self, token: &str) {
        self.headers.retain(|(name, _)| name != "cookie");
        self.headers.push(("cookie".to_owned(), format!("__Host-session={token}").into_bytes()));
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "connection") {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"connection: close\r\n\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

impl Reply {
    /// A reply that the testbed never gave.
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The token that it hands out.
    pub(crate) fn token(&self) -> Option<String> {
        let line = self.headers.iter().find(|(name, _)| name == "set-cookie")?;
        Some(line.1.strip_prefix("__Host-session=")?.split(';').next()?.to_owned())
            .filter(|token| !token.is_empty())
    }

    /// Replaces text in all values of a header.
    pub(crate) fn edit(&mut self, name: &str, from: &str, to: &str) {
        let values = self.headers.iter_mut().filter(|(known, _)| known == name);
        values.for_each(|(_, value)| *value = value.replace(from, to));
    }

    /// Replaces text in the body.
    pub(crate) fn edit_body(&mut self, from: &str, to: &str) {
        self.body = String::from_utf8_lossy(&self.body).replace(from, to).into_bytes();
    }

    fn to_bytes(&self) -> Vec<u8> {
        let body = if self.status == 204 { &[] } else { self.body.as_slice() };
        let mut bytes =
            format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", self.status, body.len()).into_bytes();
        let framing = ["content-length", "transfer-encoding", "connection"];
        for (name, value) in self.headers.iter().filter(|(name, _)| !framing.contains(&name.as_str())) {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        bytes
    }
}

/// The testbed over memory, with one fault.
pub(crate) struct Spoiled(pub(crate) Fault);

/// A spoiled testbed that runs.
pub(crate) struct SpoiledTestbed {
    _testbed: Testbed,
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl App for Spoiled {
    type Instance = SpoiledTestbed;

    async fn start(&self, settings: Settings) -> SpoiledTestbed {
        let fault = self.0;
        let (settings, more) = (fault.settings)(settings);
        let testbed = Testbed::start_with("axum", "memory:", &settings, more).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (server, memory) = (testbed.address(), Arc::new(Mutex::new(Memory::default())));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let memory = Arc::clone(&memory);
                tokio::spawn(async move {
                    let mut client = BufReader::new(client);
                    while serve(&mut client, server, fault, &memory).await.is_ok() {}
                });
            }
        });
        SpoiledTestbed { _testbed: testbed, address, task }
    }
}

impl Instance for SpoiledTestbed {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SpoiledTestbed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    client: &mut BufReader<TcpStream>,
    server: SocketAddr,
    fault: Fault,
    memory: &Mutex<Memory>,
) -> io::Result<()> {
    let (first, headers) = head(client).await?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut body = vec![0; length(&headers)];
    client.read_exact(&mut body).await?;
    let mut ask = Ask { method, path, headers, body };
    let given = (fault.request)(&mut ask, &mut memory.lock().unwrap());
    let mut reply = match given {
        Some(reply) => reply,
        None => forwarded(&ask, server).await?,
    };
    (fault.response)(&ask, &mut reply, &mut memory.lock().unwrap());
    client.get_mut().write_all(&reply.to_bytes()).await
}

async fn forwarded(ask: &Ask, server: SocketAddr) -> io::Result<Reply> {
    let mut upstream = BufReader::new(TcpStream::connect(server).await?);
    upstream.get_mut().write_all(&ask.to_bytes()).await?;
    let (first, headers) = head(&mut upstream).await?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    upstream.read_to_end(&mut body).await?;
    if headers.iter().any(|(name, _)| name == "transfer-encoding") {
        body = unchunked(&body);
    }
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    let headers = headers.into_iter().map(|(name, value)| (name, text(value))).collect();
    Ok(Reply { status, headers, body })
}

async fn head(from: &mut BufReader<TcpStream>) -> io::Result<(String, Vec<(String, Vec<u8>)>)> {
    let first = line(from).await?;
    let mut headers = Vec::new();
    loop {
        let line = line(from).await?;
        let Some(at) = line.iter().position(|byte| *byte == b':') else { break };
        let name = String::from_utf8_lossy(&line[..at]).to_ascii_lowercase();
        headers.push((name, line[at + 1..].trim_ascii().to_vec()));
    }
    Ok((String::from_utf8_lossy(&first).into_owned(), headers))
}

async fn line(from: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).await?;
    if !line.ends_with(b"\r\n") {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.len() - 2);
    Ok(line)
}

fn length(headers: &[(String, Vec<u8>)]) -> usize {
    let length = headers.iter().find(|(name, _)| name == "content-length");
    length.and_then(|(_, value)| str::from_utf8(value).ok()?.parse().ok()).unwrap_or(0)
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(at) = bytes.windows(2).position(|pair| pair == b"\r\n") {
        let size = str::from_utf8(&bytes[..at]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size @ 1..) = size else { break };
        body.extend(&bytes[at + 2..at + 2 + size]);
        bytes = &bytes[at + 4 + size..];
    }
    body
}
