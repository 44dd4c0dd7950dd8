//! Servers that take the version as the number that they compare, and servers that do not.

use cloakroom_core::{Created, Deleted, Freshness, Record, Replaced, Store as _, Touched};

use crate::emulator::{Choice, Emulator};
use crate::sample::{self, MINUTE};

const ALL: [Choice; 4] = [Choice::Taken, Choice::Rejected, Choice::Ignored, Choice::IgnoredInSilence];

#[tokio::test]
async fn replace_is_one_request_where_the_server_takes_our_numbers() {
    for choice in ALL {
        let server = Emulator::start(choice).await;
        let (store, key, first) = (server.fake.store(), sample::key(), sample::record());
        assert_eq!(store.create(&key, &first).await.expect("an answer"), Created::Created);
        // A server that rejects the number is asked once more without it, and then never again with it.
        assert_eq!(server.commands(), if choice == Choice::Rejected { "ms ms" } else { "ms" }, "{choice:?}");
        let (second, third) = (sample::record(), sample::record());
        for (expected, record) in [(&first, &second), (&second, &third)] {
            let replaced = store.replace(&key, expected.version, record).await;
            assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
            assert_eq!(server.commands(), if choice == Choice::Taken { "ms" } else { "mg ms" }, "{choice:?}");
        }
        assert_eq!(store.touch(&key, third.version, MINUTE * 2).await.expect("an answer"), Touched::Touched);
        assert_eq!(server.commands(), "mg ms");
        // The touch has a number of the server's own.
        let fourth = sample::record();
        let replaced = store.replace(&key, third.version, &fourth).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
        assert_eq!(
            server.commands(),
            if choice == Choice::Taken { "ms mg ms" } else { "mg ms" },
            "{choice:?}"
        );
        let (fifth, expected) = (sample::record(), fourth.version);
        let replaced = store.replace(&key, expected, &fifth).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
        assert_eq!(server.commands(), if choice == Choice::Taken { "ms" } else { "mg ms" }, "{choice:?}");
        let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert_eq!((found.payload, found.version), (fifth.payload, fifth.version));
        assert_eq!(store.delete(&key).await.expect("an answer"), Deleted::Deleted);
        assert_eq!(server.commands(), "mg md");
    }
}

#[tokio::test]
async fn answers_are_the_same_on_every_server() {
    for choice in ALL {
        let server = Emulator::start(choice).await;
        let (store, key, record) = (server.fake.store(), sample::key(), sample::record());
        let replace =
            async |expected, record: &Record| store.replace(&key, expected, record).await.expect("an answer");
        assert_eq!(replace(sample::version(), &record).await, Replaced::Missing, "{choice:?}");
        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
        assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
        assert_eq!(store.create(&key, &sample::record()).await.expect("an answer"), Created::Occupied);
        let next = sample::record();
        assert_eq!(replace(sample::version(), &next).await, Replaced::Conflict, "{choice:?}");
        assert_eq!(replace(record.version, &next).await, Replaced::Replaced, "{choice:?}");
        assert_eq!(replace(record.version, &next).await, Replaced::Replaced, "{choice:?}");
        assert_eq!(replace(record.version, &sample::record()).await, Replaced::Conflict, "{choice:?}");
        // Its own version is the expected one: nothing is written.
        server.commands();
        assert_eq!(replace(next.version, &next).await, Replaced::Replaced, "{choice:?}");
        assert_eq!(server.commands(), "mg", "{choice:?}");
        assert_eq!(store.touch(&key, record.version, MINUTE).await.expect("an answer"), Touched::Conflict);
        let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert_eq!((found.payload, found.version), (next.payload, next.version));
    }
}

/// The server is replaced while the service runs, or other instances of the service know it otherwise.
#[tokio::test]
async fn numbers_of_another_kind_are_seen_through() {
    for (before, after) in [
        (Choice::Taken, Choice::Rejected),
        (Choice::Taken, Choice::Ignored),
        (Choice::Rejected, Choice::Taken),
        (Choice::Ignored, Choice::Taken),
    ] {
        let server = Emulator::start(before).await;
        let (knows, learns) = (server.fake.store(), server.fake.store());
        let (key, record) = (sample::key(), sample::record());
        assert_eq!(knows.create(&key, &record).await.expect("an answer"), Created::Created);
        server.becomes(after);
        let mut expected = record.version;
        for store in [&knows, &learns, &knows, &learns] {
            let conflict = store.replace(&key, sample::version(), &sample::record()).await;
            assert_eq!(conflict.expect("an answer"), Replaced::Conflict, "{before:?} {after:?}");
            let touched = store.touch(&key, expected, MINUTE * 2).await;
            assert_eq!(touched.expect("an answer"), Touched::Touched, "{before:?} {after:?}");
            let next = sample::record();
            let replaced = store.replace(&key, expected, &next).await;
            assert_eq!(replaced.expect("an answer"), Replaced::Replaced, "{before:?} {after:?}");
            expected = next.version;
        }
    }
}

#[tokio::test]
async fn concurrent_writers_lose_nothing_on_servers_of_every_kind() {
    for choice in ALL {
        let server = Emulator::start(choice).await;
        let (store, key) = (server.fake.store(), sample::key());
        let zero = Record::new(vec![0], sample::version(), MINUTE);
        assert_eq!(store.create(&key, &zero).await.expect("an answer"), Created::Created);
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    for _ in 0..10 {
                        loop {
                            let found = store.load(&key, Freshness::Latest).await.expect("an answer");
                            let found = found.expect("a record");
                            let _ = store.touch(&key, found.version, MINUTE * 2).await.expect("an answer");
                            let next = Record::new(vec![found.payload[0] + 1], sample::version(), MINUTE);
                            let replaced = store.replace(&key, found.version, &next).await;
                            if replaced.expect("an answer") == Replaced::Replaced {
                                break;
                            }
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
        assert_eq!(found.payload, [80], "{choice:?}");
    }
}

/// Of touches at the same time, the one that asks for the longest life has the last word.
#[tokio::test]
async fn concurrent_touches_never_shorten_a_life() {
    for choice in ALL {
        let server = Emulator::start(choice).await;
        let store = server.fake.store();
        for _ in 0..20 {
            let (key, record) = (sample::key(), sample::record());
            assert_eq!(store.create(&key, &record).await.expect("an answer"), Created::Created);
            let tasks: Vec<_> = [4, 7, 2, 5, 3]
                .into_iter()
                .map(|minutes| {
                    let store = store.clone();
                    tokio::spawn(async move { store.touch(&key, record.version, MINUTE * minutes).await })
                })
                .collect();
            for task in tasks {
                assert_eq!(task.await.expect("no panic").expect("an answer"), Touched::Touched);
            }
            let found = store.load(&key, Freshness::Latest).await.expect("an answer").expect("a record");
            assert_eq!(found.ttl, MINUTE * 7, "{choice:?}");
        }
    }
}
