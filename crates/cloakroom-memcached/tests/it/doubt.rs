//! What the store answers when replies are errors, are no replies, or are lost.

use std::time::Duration;

use cloakroom_core::{
    Created, Deleted, Freshness, Record, Replaced, Store as _, StoreErrorKind, StoreKey, Touched, Version,
};

use crate::fake::{Act, Fake, Heard, say};
use crate::sample::{self, MINUTE};
use cloakroom_testkit::Clock;

/// The value of a record, as it lies in Memcached.
pub(crate) fn value(version: Version, payload: &[u8]) -> Vec<u8> {
    let mut value = version.to_be_bytes().to_vec();
    value.extend_from_slice(&60_000_u64.to_be_bytes());
    value.extend_from_slice(payload);
    value
}

fn number(version: Version) -> u64 {
    version.get()
}

/// Every verb, in words, with the kind of its error if it failed.
async fn every_verb(fake: &Fake) -> [(&'static str, Option<StoreErrorKind>); 5] {
    let store = fake.store();
    let (key, record) = (sample::key(), sample::record());
    [
        ("load", store.load(&key, Freshness::Latest).await.err().map(|error| error.kind())),
        ("create", store.create(&key, &record).await.err().map(|error| error.kind())),
        ("replace", store.replace(&key, sample::version(), &record).await.err().map(|error| error.kind())),
        ("touch", store.touch(&key, record.version, MINUTE).await.err().map(|error| error.kind())),
        ("delete", store.delete(&key).await.err().map(|error| error.kind())),
    ]
}

#[tokio::test]
async fn error_lines_become_errors_of_every_verb() {
    use StoreErrorKind::{Ambiguous, Full, Misconfigured, Other, TooLarge, Unavailable};
    // Of load and touch, create, and of replace and delete.
    for (line, kinds) in [
        ("SERVER_ERROR out of memory storing object", [Unavailable, Full, Full]),
        ("SERVER_ERROR object too large for cache", [Unavailable, TooLarge, Other]),
        ("SERVER_ERROR backend timeout", [Unavailable, Ambiguous, Ambiguous]),
        ("CLIENT_ERROR unauthenticated", [Misconfigured; 3]),
        ("CLIENT_ERROR bad command line format", [Misconfigured; 3]),
        ("ERROR", [Unavailable; 3]),
        ("ERROR Too many open connections", [Unavailable; 3]),
    ] {
        let fake = Fake::start(move |_| say(line)).await;
        for (verb, found) in every_verb(&fake).await {
            let kind = match verb {
                "load" | "touch" => kinds[0],
                "create" => kinds[1],
                _ => kinds[2],
            };
            assert_eq!(found, Some(kind), "{verb}: {line}");
        }
    }
}

#[tokio::test]
async fn replies_of_another_kind_are_an_outage_or_leave_a_write_in_doubt() {
    for reply in ["MN", "ME", "NS", "HD"] {
        let fake = Fake::start(move |heard| heard.answer(reply)).await;
        for (verb, found) in every_verb(&fake).await {
            let wanted = match (verb, reply) {
                ("create" | "delete", "HD") => None,
                // These looked at the key, and wrote nothing.
                ("load" | "touch", _) | ("create" | "replace", "NS") | ("replace", "HD") => {
                    Some(StoreErrorKind::Unavailable)
                }
                _ => Some(StoreErrorKind::Ambiguous),
            };
            assert_eq!(found, wanted, "{verb}: {reply}");
        }
    }
    // A value without the number or the ticks that were asked for.
    for flags in ["c5", "t5", ""] {
        let fake = Fake::start(move |heard| {
            let opaque = heard.flag('O').expect("a token");
            Act::Reply(format!("VA 2 {flags} O{opaque}\r\nab\r\n").into_bytes())
        })
        .await;
        let error = fake.store().load(&sample::key(), Freshness::Latest).await.expect_err("half a reply");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{flags}");
    }
}

/// The write may have taken effect, whatever the reply was to say.
#[tokio::test]
async fn nonsense_about_a_write_leaves_it_in_doubt() {
    let (key, record, version) = (sample::key(), sample::record(), sample::version());
    for reply in ["MN", "ME k", "EN", "VA 2 c5 t5"] {
        let fake = Fake::start(move |heard| match (heard.name(), reply.starts_with("VA")) {
            ("mg", _) => Act::Reply(heard.value(&value(version, b"payload"), version.get(), 3)),
            (_, false) => heard.answer(reply),
            (_, true) => Act::Reply([heard.line(reply).as_slice(), b"ab\r\n"].concat()),
        })
        .await;
        let store = fake.store();
        for (verb, error) in [
            ("create", store.create(&key, &record).await.err()),
            ("replace", store.replace(&key, version, &record).await.err()),
            ("touch", store.touch(&key, version, MINUTE).await.err()),
            ("delete", store.delete(&key).await.err()),
        ] {
            let error = error.expect("nonsense");
            assert_eq!(error.kind(), StoreErrorKind::Ambiguous, "{verb}: {reply}");
            assert!(error.is_ambiguous());
        }
        assert!(store.load(&key, Freshness::Latest).await.is_ok());
    }
    // The reply to a write is lost, and the look that is to tell what became of it ends in nonsense.
    for nonsense in ["MN", "HD", "VA 2 t5"] {
        let fake = forgetful(&["ms"], move |heard| match (heard.name(), nonsense.starts_with("VA")) {
            ("ms", _) => heard.answer("EX c0"),
            (_, false) => heard.answer(nonsense),
            (_, true) => Act::Reply([heard.line(nonsense).as_slice(), b"ab\r\n"].concat()),
        })
        .await;
        let error = fake.store().replace(&key, version, &record).await.expect_err("nonsense");
        assert_eq!(error.kind(), StoreErrorKind::Ambiguous, "{nonsense}");
        let error = fake.store().load(&key, Freshness::Latest).await.expect_err("nonsense");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{nonsense}");
    }
}

/// Told to compare with nothing, a server overwrites.
#[tokio::test]
async fn server_that_compares_nothing_is_not_asked_to() {
    let record = sample::record();
    let fake = Fake::start(move |heard| match (heard.name(), heard.flag('C')) {
        ("mg", _) => Act::Reply(heard.value(&value(record.version, b"payload"), 0, 61)),
        ("ms", Some("0")) => panic!("an upsert"),
        _ => heard.answer("EX c0"),
    })
    .await;
    let store = fake.store();
    let error =
        store.replace(&sample::key(), record.version, &sample::record()).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let error = store.touch(&sample::key(), record.version, MINUTE * 2).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

#[tokio::test]
async fn garbage_is_an_error_and_never_a_record() {
    for garbage in
        ["HTTP/1.1 400 Bad Request", "\0\0\0", "VA", "VA x", "VA -1 c1 t1", "VA 99999999999", "VALUE k 0 3"]
    {
        for reset in [true, false] {
            let fake = Fake::start(move |_| {
                let bytes = format!("{garbage}\r\n").into_bytes();
                if reset { Act::Reset(bytes) } else { Act::Reply(bytes) }
            })
            .await;
            for (verb, found) in every_verb(&fake).await {
                let looks = matches!(verb, "load" | "touch");
                let wanted = if looks { StoreErrorKind::Unavailable } else { StoreErrorKind::Ambiguous };
                assert_eq!(found, Some(wanted), "{verb} {garbage}");
            }
        }
    }
}

/// What can be no reply, because it is too long, is given up before it fills the memory.
#[tokio::test]
async fn replies_without_measure_are_none() {
    for reply in [vec![b'1'; 64 << 10], b"VA 1073741824 c1 t1\r\n".to_vec()] {
        let fake = Fake::start(move |_| Act::Reply(reply.clone())).await;
        let error = fake.store().load(&sample::key(), Freshness::Latest).await.expect_err("no reply");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }
}

#[tokio::test]
async fn load_survives_a_reset_at_every_byte() {
    let record = Record::new(b"payload \r\n of some bytes".to_vec(), sample::version(), MINUTE);
    let value = value(record.version, &record.payload);
    let whole = value.len() + "VA 40 c7 t61 O0\r\n\r\n".len();
    for cut in 0..whole {
        let value = value.clone();
        let fake = Fake::start(move |heard| {
            let reply = heard.value(&value, 7, 61);
            match heard.connection {
                0 => Act::Reset(reply[..cut].to_vec()),
                _ => Act::Reply(reply),
            }
        })
        .await;
        let store = fake.store();
        let found = store.load(&sample::key(), Freshness::Latest).await.expect("a record");
        assert_eq!(found.as_ref(), Some(&record), "cut after {cut} bytes");
        assert_eq!(fake.connections(), 2);
    }
}

/// A reply that comes twice, at once or late, must not answer the next request.
#[tokio::test]
async fn reply_that_comes_twice_answers_once() {
    for pause in [Duration::ZERO, Duration::from_micros(50), Duration::from_millis(2)] {
        // Each key has a record of its own, the name of the key.
        let fake = Fake::start(move |heard| {
            let owned = value(Version::new(7).expect("not zero"), heard.words[1].as_bytes());
            Act::Twice(heard.value(&owned, 7, 61), pause)
        })
        .await;
        let store = fake.store();
        for _ in 0..200 {
            let key = sample::key();
            let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
            let name = format!("cloakroom:{}", key.public_handle().as_str());
            assert_eq!(String::from_utf8_lossy(&found.payload), name);
        }
        // Of verbs that change something, alike: the reply to another one says nothing.
        let fake = Fake::start(move |heard| match heard.name() {
            "md" => Act::Twice(heard.line("HD"), pause),
            _ => heard.answer("NF"),
        })
        .await;
        let store = fake.store();
        for _ in 0..50 {
            assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
            let replaced = store.replace(&sample::key(), sample::version(), &sample::record()).await;
            assert_ne!(replaced.ok(), Some(Replaced::Replaced));
        }
    }
}

/// A server that loses the first reply to each of these commands, and then answers.
async fn forgetful(
    commands: &'static [&'static str],
    answer: impl Fn(&Heard<'_>) -> Act + Send + Sync + 'static,
) -> Fake {
    Fake::start(move |heard| match heard.connection {
        0 if commands.contains(&heard.name()) => Act::Reset(Vec::new()),
        _ => answer(heard),
    })
    .await
}

#[tokio::test]
async fn lost_reply_of_replace_is_told_from_a_conflict() {
    let (key, record) = (sample::key(), sample::record());
    let replace = |line: &'static str, found: Version, record: Record| async move {
        let fake = forgetful(&["ms"], move |heard| match heard.name() {
            "ms" => heard.answer(line),
            _ => Act::Reply(heard.value(&value(found, b"found"), number(found), 61)),
        })
        .await;
        fake.store().replace(&key, sample::version(), &record).await
    };
    let other = sample::version();
    let ours = replace("EX c0", record.version, record.clone()).await;
    assert_eq!(ours.expect("its own write"), Replaced::Replaced);
    assert_eq!(replace("NF", other, record.clone()).await.expect("an end"), Replaced::Missing);
    // Ours may have been there before theirs.
    let error = replace("EX c0", other, record).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
}

#[tokio::test]
async fn lost_reply_of_create_is_told_from_an_occupied_key() {
    let record = sample::record();
    let create = |found: Version, record: Record| async move {
        let fake = forgetful(&["ms"], move |heard| match heard.name() {
            "ms" => heard.answer("NS"),
            _ => Act::Reply(heard.value(&value(found, b"found"), 5, 61)),
        })
        .await;
        fake.store().create(&sample::key(), &record).await
    };
    assert_eq!(create(record.version, record.clone()).await.expect("its own write"), Created::Created);
    let error = create(sample::version(), record).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
}

/// Whoever ended the session in between would see it come back. It may have been in place, or been lost.
#[tokio::test]
async fn lost_create_is_not_sent_again() {
    let fake = forgetful(&["ms"], |heard| match heard.name() {
        "ms" => heard.answer(&format!("HD c{}", heard.flag('E').expect("a number"))),
        _ => heard.answer("EN"),
    })
    .await;
    let error = fake.store().create(&sample::key(), &sample::record()).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
}

#[tokio::test]
async fn lost_reply_of_touch_and_delete_does_no_harm() {
    let record = sample::record();
    let (version, other) = (record.version, sample::version());
    let touch = |then: Version, left: i64| async move {
        let fake = forgetful(&["ms"], move |heard| match (heard.name(), heard.connection) {
            ("mg", 0) => Act::Reply(heard.value(&value(version, b"old"), 5, 31)),
            ("mg", _) => Act::Reply(heard.value(&value(then, b"old"), 6, left)),
            _ => heard.answer("EX c0"),
        })
        .await;
        fake.store().touch(&sample::key(), version, MINUTE).await.expect("an answer")
    };
    assert_eq!(touch(version, 61).await, Touched::Touched);
    assert_eq!(touch(other, 61).await, Touched::Conflict);
    let fake = forgetful(&["md"], |heard| heard.answer("NF")).await;
    assert_eq!(fake.store().delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    let fake = Fake::start(|heard| heard.answer("NF")).await;
    assert_eq!(fake.store().delete(&sample::key()).await.expect("an answer"), Deleted::Missing);
}

#[tokio::test]
async fn second_try_that_fails_leaves_a_write_in_doubt() {
    let fake = Fake::start(|_| Act::Reset(Vec::new())).await;
    for (verb, found) in every_verb(&fake).await {
        let looks = matches!(verb, "load" | "touch");
        let wanted = if looks { StoreErrorKind::Unavailable } else { StoreErrorKind::Ambiguous };
        assert_eq!(found, Some(wanted), "{verb}");
    }
    for line in ["SERVER_ERROR out of memory storing object", "CLIENT_ERROR what", "ERROR", "SERVER_ERROR"] {
        let fake = forgetful(&["md"], move |_| say(line)).await;
        let error = fake.store().delete(&sample::key()).await.expect_err("no answer");
        assert_eq!(error.kind(), StoreErrorKind::Ambiguous, "{line}");
        let fake = forgetful(&["mg"], move |_| say(line)).await;
        let load = fake.store().load(&sample::key(), Freshness::Latest).await;
        assert_ne!(load.expect_err("no answer").kind(), StoreErrorKind::Ambiguous, "{line}");
    }
}

#[tokio::test]
async fn doubt_outlives_the_request_that_raised_it() {
    let (key, record) = (sample::key(), sample::record());
    // The reply to ms is lost, the second says that the key is taken, and then the server goes.
    let fake = Fake::start(|heard| match (heard.connection, heard.name()) {
        (1, "ms") => heard.answer("NS"),
        _ => Act::Reset(Vec::new()),
    })
    .await;
    let error = fake.store().create(&key, &record).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
    // Looking who took a key leaves nothing behind.
    let fake = Fake::start(|heard| match (heard.connection, heard.name()) {
        (_, "ms") => heard.answer("NS"),
        (0, _) => Act::Reset(Vec::new()),
        _ => Act::Reply(heard.value(&value(Version::new(7).expect("not zero"), b"other"), 5, 61)),
    })
    .await;
    assert_eq!(fake.store().create(&key, &record).await.expect("an answer"), Created::Occupied);
}

/// It expires between the two requests.
#[tokio::test]
async fn key_that_was_taken_and_goes_is_created() {
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::start(move |heard| match heard.name() {
        "ms" if tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 => heard.answer("NS"),
        "ms" => heard.answer(&format!("HD c{}", heard.flag('E').expect("a number"))),
        _ => heard.answer("EN"),
    })
    .await;
    let key = StoreKey::from_bytes([9; 32]);
    assert_eq!(fake.store().create(&key, &sample::record()).await.expect("an answer"), Created::Created);
}

/// A server that contradicts itself keeps a verb busy no longer than its deadline.
#[tokio::test]
async fn contradictions_end_at_the_deadline() {
    let record = sample::record();
    let fake = Fake::start(move |heard| match heard.name() {
        "mg" => Act::Reply(heard.value(&value(record.version, b"payload"), 5, 3)),
        _ => heard.answer("EX c0"),
    })
    .await;
    let store = cloakroom_memcached::MemcachedStore::builder(&fake.url());
    let store = store.with_timeout(Duration::from_millis(100)).connect_lazy().expect("a URL");
    for verb in 0..2 {
        let clock = Clock::start();
        let error = match verb {
            0 => store.replace(&sample::key(), record.version, &sample::record()).await.err(),
            _ => store.touch(&sample::key(), record.version, MINUTE).await.err(),
        };
        let kind = error.expect("no answer").kind();
        assert!(matches!(kind, StoreErrorKind::Unavailable | StoreErrorKind::Timeout), "{kind:?}");
        assert!(clock.elapsed() < Duration::from_secs(1), "{clock:?}");
    }
}
