//! How many things a client asks of its server, by the bytes that it sends.

use crate::cell::Backend;

/// Counts what one connection asks for. Bytes come as the network cuts them.
pub struct Statements {
    protocol: Protocol,
    /// What is not read yet.
    rest: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Protocol {
    /// Commands of Redis: arrays of byte strings.
    Resp,
    /// Messages of PostgreSQL, after those without a type at the start.
    Postgres { started: bool },
    /// Packets of MySQL: each command begins with number 0.
    Mysql,
    /// Lines of Memcached; what they announce is skipped.
    Memcached,
    /// Not counted.
    Other,
}

impl Statements {
    pub const fn of(backend: Backend) -> Self {
        let protocol = match backend {
            Backend::Redis => Protocol::Resp,
            Backend::Postgres => Protocol::Postgres { started: false },
            Backend::Mariadb => Protocol::Mysql,
            Backend::Memcached => Protocol::Memcached,
            Backend::None | Backend::Memory | Backend::Cookie => Protocol::Other,
        };
        Self { protocol, rest: Vec::new() }
    }

    /// How many of them end with these bytes.
    pub fn count(&mut self, bytes: &[u8]) -> u64 {
        self.rest.extend_from_slice(bytes);
        let mut count = 0;
        loop {
            let message = match &mut self.protocol {
                Protocol::Resp => resp(&self.rest),
                Protocol::Postgres { started } => postgres(&self.rest, started),
                Protocol::Mysql => mysql(&self.rest),
                Protocol::Memcached => memcached(&self.rest),
                Protocol::Other => None,
            };
            let Some((len, is_statement)) = message.filter(|(len, _)| *len > 0) else { break };
            if self.rest.len() < len {
                break;
            }
            self.rest.drain(..len);
            count += u64::from(is_statement);
        }
        count
    }
}

/// How long the first message is, and whether it asks for something; `None` while that cannot be told.
type Message = Option<(usize, bool)>;

fn line(bytes: &[u8]) -> Option<(&str, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((str::from_utf8(bytes.get(..end)?).ok()?, end + 2))
}

fn resp(bytes: &[u8]) -> Message {
    let (head, mut at) = line(bytes)?;
    let parts: usize = head.strip_prefix('*')?.parse().ok()?;
    for _ in 0..parts {
        let (head, len) = line(bytes.get(at..)?)?;
        let body: usize = head.strip_prefix('$')?.parse().ok()?;
        at += len + body + 2;
    }
    Some((at, true))
}

fn postgres(bytes: &[u8], started: &mut bool) -> Message {
    let number = |at: usize| -> Option<usize> {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    };
    if *started {
        let kind = *bytes.first()?;
        // A query of one message, or the execution of a prepared one.
        return Some((1 + number(1)?, matches!(kind, b'Q' | b'E')));
    }
    let (len, code) = (number(0)?, number(4)?);
    // Whoever asks for TLS, and is told no, begins once more.
    *started = code == 196_608 && bytes.len() >= len;
    Some((len, false))
}

fn mysql(bytes: &[u8]) -> Message {
    let [a, b, c, number, ..] = *bytes else { return None };
    let len = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
    Some((4 + len, number == 0))
}

fn memcached(bytes: &[u8]) -> Message {
    let (head, len) = line(bytes)?;
    let mut words = head.split(' ');
    let body = match words.next()? {
        "ms" => words.nth(1)?.parse().ok(),
        "set" | "add" | "replace" => words.nth(3)?.parse().ok(),
        "cas" => words.nth(3)?.parse().ok(),
        _ => None,
    };
    Some((len + body.map_or(0, |body: usize| body + 2), true))
}

#[cfg(test)]
mod tests {
    use super::Statements;
    use crate::cell::Backend;

    /// However the network cuts them.
    fn count(backend: Backend, bytes: &[u8]) -> u64 {
        let whole = Statements::of(backend).count(bytes);
        let mut one_by_one = Statements::of(backend);
        assert_eq!(bytes.iter().map(|byte| one_by_one.count(&[*byte])).sum::<u64>(), whole);
        whole
    }

    #[test]
    fn commands_of_redis_are_counted() {
        assert_eq!(
            count(Backend::Redis, b"*2\r\n$3\r\nGET\r\n$4\r\n*1\r\n\r\n*1\r\n$4\r\nPING\r\n*2\r\n$3"),
            2
        );
    }

    #[test]
    fn executions_of_postgres_are_counted() {
        let mut bytes = vec![0, 0, 0, 8, 4, 210, 22, 47];
        bytes.extend([0, 0, 0, 9, 0, 3, 0, 0, 0]);
        for kind in [b'P', b'B', b'E', b'S', b'Q'] {
            bytes.extend([kind, 0, 0, 0, 5, b'E']);
        }
        assert_eq!(count(Backend::Postgres, &bytes), 2);
    }

    #[test]
    fn commands_of_mysql_are_counted() {
        assert_eq!(count(Backend::Mariadb, &[2, 0, 0, 1, 9, 9, 1, 0, 0, 0, 14, 3, 0, 0, 0, 3, 1, 2]), 2);
    }

    #[test]
    fn commands_of_memcached_are_counted() {
        assert_eq!(
            count(Backend::Memcached, b"mg key v\r\nms key 4 T9\r\nmn\r\n\r\nset k 0 0 2\r\nhi\r\nmn\r\n"),
            4
        );
    }
}
