//! Any bytes as `Cookie` headers: our token is found where a slow and obvious reader finds it, and nowhere else.

#![no_main]

use std::sync::OnceLock;

use cloakroom_core::testing::ModelStore;
use cloakroom_core::{Clock, KeyRing, ResponseHeaders, SessionManager};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let shop = Shop::get();
    // 0x00 stands for our token, 0x01 for the end of a header: a fuzzer finds neither by itself.
    let headers: Vec<Vec<u8>> = data
        .split(|&byte| byte == 1)
        .map(|header| {
            header
                .iter()
                .flat_map(|&byte| if byte == 0 { shop.pair.clone() } else { vec![byte] })
                .collect()
        })
        .collect();
    let visit = shop.sessions.visit(headers.iter().map(Vec::as_slice));
    let known = block_on(async { visit.session().await.is_ok_and(|session| session.principal().is_some()) });
    assert_eq!(known, slow_reader(&headers, &shop.pair));
});

struct Shop {
    sessions: SessionManager,
    /// `__Host-session=TOKEN`, of somebody who is logged in.
    pair: Vec<u8>,
}

impl Shop {
    fn get() -> &'static Self {
        static SHOP: OnceLock<Shop> = OnceLock::new();
        SHOP.get_or_init(|| {
            let sessions = SessionManager::new(ModelStore::new(Clock::manual()), KeyRing::generate());
            let visit = sessions.visit([]);
            let mut line = Line::default();
            block_on(async {
                let session = visit.session().await.expect("an empty session");
                session.authenticate("ada").expect("a login");
                drop(session);
                visit.commit().await.write_to(&mut line);
            });
            let pair = line.0.split(';').next().expect("a pair").as_bytes().to_vec();
            Self { sessions, pair }
        })
    }
}

#[derive(Default)]
struct Line(String);

impl ResponseHeaders for Line {
    fn values(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn set(&mut self, _: &str, _: &str) {}
    fn append_sensitive(&mut self, _: &str, value: &str) {
        self.0 = value.to_owned();
    }
}

/// Whether the rules find our token: at most 16 KiB of all headers, whole pairs, an exact name, and our
/// value among the first four different ones.
fn slow_reader(headers: &[Vec<u8>], pair: &[u8]) -> bool {
    let name = b"__Host-session=";
    let mut budget = 16 * 1024;
    let mut values: Vec<Vec<u8>> = Vec::new();
    for header in headers {
        let cut = header.len() > budget;
        let seen = &header[..header.len().min(budget)];
        budget -= seen.len();
        let pairs: Vec<&[u8]> = seen.split(|&byte| byte == b';').collect();
        let whole = pairs.len() - usize::from(cut);
        for pair in &pairs[..whole] {
            let start = pair.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(pair.len());
            let end = pair.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(start, |at| at + 1);
            if let Some(value) = pair[start..end].strip_prefix(name.as_slice())
                && !values.iter().any(|known| known == value)
            {
                values.push(value.to_vec());
            }
        }
        if budget == 0 {
            break;
        }
    }
    let ours = pair.strip_prefix(name.as_slice()).expect("our own pair");
    values.iter().take(4).any(|value| value == ours)
}

/// Nothing here waits for anything.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
