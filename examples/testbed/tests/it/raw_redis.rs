//! Redis as it speaks, so that bytes stay bytes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// One connection.
pub(crate) struct RawRedis(BufReader<TcpStream>);

impl RawRedis {
    /// Connects to the loopback port of a server.
    pub(crate) fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a deadline");
        Self(BufReader::new(stream))
    }

    /// All keys.
    pub(crate) fn keys(&mut self) -> Vec<Vec<u8>> {
        self.send(&[b"KEYS", b"*"]);
        self.strings()
    }

    /// The reply to a command that answers with a list of strings.
    pub(crate) fn all(&mut self, words: &[&[u8]]) -> Vec<Vec<u8>> {
        self.send(words);
        self.strings()
    }

    /// The reply to a command that answers with a word.
    pub(crate) fn status(&mut self, words: &[&[u8]]) -> String {
        self.send(words);
        self.line(b'+')
    }

    /// The reply to a command that answers with one string.
    pub(crate) fn bytes(&mut self, words: &[&[u8]]) -> Vec<u8> {
        self.send(words);
        self.string()
    }

    fn send(&mut self, words: &[&[u8]]) {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).bytes());
            request.extend(*word);
            request.extend(b"\r\n");
        }
        self.0.get_mut().write_all(&request).expect("it is sent");
    }

    fn string(&mut self) -> Vec<u8> {
        let length = self.header(b'$');
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes).expect("a string");
        bytes.truncate(length);
        bytes
    }

    fn strings(&mut self) -> Vec<Vec<u8>> {
        let count = self.header(b'*');
        (0..count).map(|_| self.string()).collect()
    }

    fn header(&mut self, kind: u8) -> usize {
        self.line(kind).parse().expect("a length")
    }

    fn line(&mut self, kind: u8) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        assert_eq!(line.as_bytes()[0], kind, "{line}");
        line[1..].trim().to_owned()
    }
}
