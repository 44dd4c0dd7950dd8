//! What little of Redis a client of `GET` and `SET` sees.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How it treats those who read.
#[derive(Clone, Copy)]
pub enum Manner {
    Good,
    /// Answers the first reads, and the others with an error.
    RefusesReadsAfter(usize),
    /// Answers the first reads, and the others with something else than what was written.
    AnswersOthersAfter(usize),
}

/// Runs on threads that end with the process.
pub struct Server(SocketAddr);

#[derive(Default)]
struct State {
    values: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    reads: AtomicUsize,
}

impl Server {
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let state: &'static State = Box::leak(Box::default());
            for client in listener.incoming().flatten() {
                std::thread::spawn(move || serve(client, manner, state));
            }
        });
        Self(address)
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.0)
    }
}

fn serve(client: TcpStream, manner: Manner, state: &State) {
    client.set_nodelay(true).unwrap();
    let mut answers = client.try_clone().unwrap();
    let mut commands = BufReader::new(client);
    while let Some(command) = read(&mut commands) {
        if answers.write_all(&answer(&command, manner, state)).is_err() {
            return;
        }
    }
}

/// The parts of the next command; `None` where the client is gone.
fn read(from: &mut BufReader<TcpStream>) -> Option<Vec<Vec<u8>>> {
    let mut number = |prefix: char| {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        let len: usize = line.trim_end().strip_prefix(prefix)?.parse().ok()?;
        let mut bytes = vec![0; if prefix == '$' { len + 2 } else { 0 }];
        from.read_exact(&mut bytes).ok()?;
        bytes.truncate(len);
        Some((len, bytes))
    };
    let (parts, _) = number('*')?;
    (0..parts).map(|_| Some(number('$')?.1)).collect()
}

fn answer(command: &[Vec<u8>], manner: Manner, state: &State) -> Vec<u8> {
    let name = command[0].to_ascii_uppercase();
    let mut values = state.values.lock().unwrap();
    match &*name {
        b"GET" => {
            let reads = state.reads.fetch_add(1, Ordering::SeqCst);
            match manner {
                Manner::RefusesReadsAfter(good) if reads >= good => b"-ERR no\r\n".to_vec(),
                Manner::AnswersOthersAfter(good) if reads >= good => b"$1\r\nx\r\n".to_vec(),
                _ => match values.get(&command[1]) {
                    Some(value) => [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat(),
                    None => b"$-1\r\n".to_vec(),
                },
            }
        }
        b"SET" | b"SETEX" => {
            let value = if name == b"SET" { &command[2] } else { &command[3] };
            values.insert(command[1].clone(), value.clone());
            b"+OK\r\n".to_vec()
        }
        _ => b"+OK\r\n".to_vec(),
    }
}
