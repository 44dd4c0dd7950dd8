//! What the store answers when replies are errors, are no replies, or are lost.

use std::time::Duration;

use cloakroom_core::{
    Created, Deleted, Freshness, IndexVersion, PrincipalIndex as _, Record, Replaced, Store as _,
    StoreErrorKind, Touched, Version,
};

use crate::fake::{Act, Fake, bulk, say};
use crate::{index, sample};

const MINUTE: Duration = sample::MINUTE;

/// Every verb, in words, with the kind of its error if it failed.
async fn every_verb(fake: &Fake) -> [(&'static str, Option<StoreErrorKind>); 9] {
    let store = fake.store();
    let (key, record) = (sample::key(), sample::record());
    let (tag, version) = (index::tag(), IndexVersion::new(0));
    [
        ("load", store.load(&key, Freshness::Latest).await.err().map(|error| error.kind())),
        ("create", store.create(&key, &record).await.err().map(|error| error.kind())),
        ("replace", store.replace(&key, sample::version(), &record).await.err().map(|error| error.kind())),
        ("touch", store.touch(&key, record.version, MINUTE).await.err().map(|error| error.kind())),
        ("delete", store.delete(&key).await.err().map(|error| error.kind())),
        ("enter", store.enter(&tag, &key, MINUTE).await.err().map(|error| error.kind())),
        ("entries", store.entries(&tag).await.err().map(|error| error.kind())),
        ("admit", store.admit(&tag, version, &key, MINUTE, &[]).await.err().map(|error| error.kind())),
        ("remove", store.remove(&tag, &[key], MINUTE).await.err().map(|error| error.kind())),
    ]
}

/// What a verb is in for whose reply was lost for good.
fn lost(verb: &str) -> StoreErrorKind {
    match verb {
        "load" | "entries" => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Ambiguous,
    }
}

#[tokio::test]
async fn error_replies_become_errors_of_every_verb() {
    use StoreErrorKind::{Corrupt, Full, Misconfigured, Other, Unavailable};
    for (line, kind) in [
        ("-LOADING Redis is loading the dataset in memory", Unavailable),
        ("-MASTERDOWN Link with MASTER is down", Unavailable),
        ("-CLUSTERDOWN The cluster is down", Unavailable),
        ("-TRYAGAIN Multiple keys request", Unavailable),
        ("-BUSY Redis is busy running a script", Unavailable),
        ("-NOREPLICAS Not enough good replicas to write.", Unavailable),
        ("-MISCONF Redis is configured to save RDB snapshots", Unavailable),
        ("-OOM command not allowed when used memory > 'maxmemory'.", Full),
        ("-READONLY You can't write against a read only replica.", Unavailable),
        ("-NOAUTH Authentication required.", Misconfigured),
        ("-WRONGPASS invalid username-password pair", Misconfigured),
        ("-NOPERM this user has no permissions to run the command", Misconfigured),
        ("-MOVED 3999 127.0.0.1:6381", Misconfigured),
        ("-ASK 3999 127.0.0.1:6381", Misconfigured),
        ("-CROSSSLOT Keys in request don't hash to the same slot", Misconfigured),
        ("-WRONGTYPE Operation against a key holding the wrong kind of value", Corrupt),
        ("-ERR something else", Other),
        // Longer than RESP2's: the error of RESP3 that carries its length.
        ("!9\r\nOOM no no", Full),
    ] {
        let fake = Fake::start(move |_| say(line)).await;
        for (verb, found) in every_verb(&fake).await {
            assert_eq!(found, Some(kind), "{verb}: {line}");
        }
    }
}

#[tokio::test]
async fn replies_of_another_type_are_an_outage_and_leave_a_write_in_doubt() {
    for reply in ["*1\r\n:1", "+what", "#t", ",1.5", "%1\r\n+a\r\n+b", "$3\r\nabc"] {
        let fake = Fake::start(move |_| say(reply)).await;
        for (verb, found) in every_verb(&fake).await {
            assert_eq!(found, Some(lost(verb)), "{verb}: {reply}");
        }
    }
}

/// Replies belong to requests by their order alone: after one too many, everybody gets that of somebody else.
#[tokio::test]
async fn connection_that_is_out_of_step_answers_nobody() {
    let (theirs, first, second) = (sample::version(), sample::record(), sample::record());
    let own = first.version.to_be_bytes();
    let (ours, others) = (sample::key(), sample::key());
    let name = format!("cloakroom:{}", ours.public_handle().as_str()).into_bytes();
    let fake = Fake::start(move |heard| match (heard.connection, heard.name()) {
        (_, "DEL") => say(":0"),
        (0, _) if heard.words[1] == name => Act::Silence,
        // One reply too many, then that to the first, then that to the second: its key is taken.
        (0, _) => say(":1\r\n+OK\r\n_"),
        (_, "SET") => say("_"),
        (_, _) if heard.words[1] == name => Act::Reply(bulk(&own)),
        _ => Act::Reply(bulk(&theirs.to_be_bytes())),
    })
    .await;
    let store = fake.store();
    assert_eq!(store.delete(&ours).await.expect("an answer"), Deleted::Missing);
    let (first, second) = tokio::join!(store.create(&ours, &first), store.create(&others, &second));
    assert_eq!(first.expect("its own write"), Created::Created);
    // `OK` was for the first.
    let error = second.expect_err("no answer of its own");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
    assert_eq!(store.delete(&ours).await.expect("an answer"), Deleted::Missing);
    assert_eq!(fake.connections(), 2);
}

/// A reply that nobody waits for says the same, before anybody is given another's.
#[tokio::test]
async fn connection_that_speaks_unasked_is_used_no_more() {
    let fake = Fake::start(|_| say(":0")).await;
    let store = fake.store();
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Missing);
    // Not a reply: what a server says by itself is marked as such.
    fake.push(b">2\r\n+invalidate\r\n_\r\n");
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Missing);
    assert_eq!((fake.connections(), format!("{store:?}").contains("not connected")), (1, false));
    fake.push(b":1\r\n");
    let ended = async {
        while !format!("{store:?}").contains("not connected") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("an end of the connection");
    assert_eq!(store.delete(&sample::key()).await.expect("an answer"), Deleted::Missing);
    assert_eq!(fake.connections(), 2);
}

/// Where every reply comes twice, nobody is given one.
#[tokio::test]
async fn replies_that_come_twice_are_noticed() {
    let record = sample::record();
    let value = [record.version.to_be_bytes().as_slice(), &record.payload].concat();
    let fake = Fake::start(move |heard| {
        let reply = match heard.name() {
            "GET" => bulk(&value),
            "PTTL" => b":60000\r\n".to_vec(),
            "DEL" => b":1\r\n".to_vec(),
            _ => bulk(b"done"),
        };
        Act::Reply([reply.as_slice(), &reply].concat())
    })
    .await;
    let store = fake.store();
    // The second reply stands where the number of the request has to.
    let error = store.delete(&sample::key()).await.expect_err("no number");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
    let error = store.touch(&sample::key(), sample::version(), MINUTE).await.expect_err("no number");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
    // Of two commands, the second is answered by the twin of the first.
    let error = store.load(&sample::key(), Freshness::Latest).await.expect_err("no reply of its own");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn payload_that_could_not_be_read_again_is_too_large() {
    let fake = Fake::start(|_| say("+OK")).await;
    let store = fake.store();
    let record = |bytes| Record::new(vec![1; bytes], sample::version(), MINUTE);
    let too_large = record((32 << 20) + 1);
    let created = store.create(&sample::key(), &too_large).await;
    assert_eq!(created.expect_err("too large").kind(), StoreErrorKind::TooLarge);
    let replaced = store.replace(&sample::key(), sample::version(), &too_large).await;
    assert_eq!(replaced.expect_err("too large").kind(), StoreErrorKind::TooLarge);
    assert_eq!(fake.connections(), 0);
    let created = store.create(&sample::key(), &record(32 << 20)).await;
    assert_eq!(created.expect("an answer"), Created::Created);
}

#[tokio::test]
async fn garbage_is_an_error_and_never_a_record() {
    let long = "$99999999999999999999";
    // Nearly nothing is not nothing.
    for garbage in ["HTTP/1.1 400 Bad Request", "\0\0\0", ":notanumber", "$-7", "_x", "*-2", long] {
        let fake = Fake::start(move |_| Act::Reset(format!("{garbage}\r\n").into_bytes())).await;
        for (verb, found) in every_verb(&fake).await {
            assert_eq!(found, Some(lost(verb)), "{verb} {garbage}");
        }
    }
}

#[tokio::test]
async fn load_survives_a_reset_at_every_byte() {
    let record = sample::record();
    let mut value = record.version.to_be_bytes().to_vec();
    value.extend_from_slice(&record.payload);
    let get = bulk(&value);
    let whole = [get.as_slice(), b":60000\r\n"].concat();
    for cut in 0..whole.len() {
        let (get, whole) = (get.clone(), whole.clone());
        let fake = Fake::start(move |heard| match (heard.connection, heard.name()) {
            // The first connection dies after so many bytes of the two replies.
            (0, "GET") if cut <= get.len() => Act::Reset(whole[..cut].to_vec()),
            (0, "PTTL") => Act::Reset(whole[get.len()..cut].to_vec()),
            (_, "GET") => Act::Reply(get.clone()),
            _ => say(":60000"),
        })
        .await;
        let found = fake.store().load(&sample::key(), Freshness::Latest).await.expect("a record");
        assert_eq!(found.as_ref(), Some(&record), "cut after {cut} bytes");
        assert_eq!(fake.connections(), 2);
    }
}

#[tokio::test]
async fn record_that_goes_between_the_two_commands_is_absent() {
    let value = [1; 20];
    let fake = Fake::start(move |heard| match heard.name() {
        "GET" => Act::Reply(bulk(&value)),
        _ => say(":-2"),
    })
    .await;
    assert_eq!(fake.store().load(&sample::key(), Freshness::Latest).await.expect("an answer"), None);
}

/// A server that loses the first reply to each of these commands, and then answers.
async fn forgetful(
    commands: &'static [&'static str],
    answer: impl Fn(&str) -> Act + Send + Sync + 'static,
) -> Fake {
    Fake::start(move |heard| match heard.connection {
        0 if commands.contains(&heard.name()) => Act::Reset(Vec::new()),
        _ => answer(heard.name()),
    })
    .await
}

#[tokio::test]
async fn lost_reply_of_replace_is_told_from_a_conflict() {
    let replace = |word: &'static str| async move {
        let fake = forgetful(&["EVALSHA"], move |_| Act::Reply(bulk(word.as_bytes()))).await;
        fake.store().replace(&sample::key(), sample::version(), &sample::record()).await
    };
    assert_eq!(replace("done").await.expect("its own write"), Replaced::Replaced);
    assert_eq!(replace("missing").await.expect("an end"), Replaced::Missing);
    // Ours may have been there before theirs.
    let error = replace("conflict").await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
}

#[tokio::test]
async fn lost_reply_of_create_is_told_from_an_occupied_key() {
    let record = sample::record();
    let create = |found: Version, record: Record| async move {
        let fake = forgetful(&["SET"], move |name| match name {
            "SET" => say("_"),
            _ => Act::Reply(bulk(&found.to_be_bytes())),
        })
        .await;
        fake.store().create(&sample::key(), &record).await
    };
    assert_eq!(create(record.version, record.clone()).await.expect("its own write"), Created::Created);
    let error = create(sample::version(), record).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
}

/// Whoever ended the session in between would see it come back.
#[tokio::test]
async fn lost_create_is_not_sent_again() {
    let fake = forgetful(&["SET"], |name| match name {
        "SET" => say("+OK"),
        _ => Act::Reply(bulk(b"")),
    })
    .await;
    let error = fake.store().create(&sample::key(), &sample::record()).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
}

/// Also where it was the last try.
#[tokio::test]
async fn create_that_is_lost_on_its_second_try_is_looked_for() {
    for is_there in [true, false] {
        let record = sample::record();
        let found = if is_there { record.version.to_be_bytes().to_vec() } else { Vec::new() };
        let fake = Fake::start(move |heard| match (heard.connection, heard.name()) {
            (0, "SET") => say("-READONLY You can't write against a read only replica."),
            (1, "SET") => Act::Reset(Vec::new()),
            (_, "SET") => say("+OK"),
            _ => Act::Reply(bulk(&found)),
        })
        .await;
        match fake.store().create(&sample::key(), &record).await {
            Ok(created) => assert_eq!((created, is_there), (Created::Created, true)),
            Err(error) => assert_eq!((error.kind(), is_there), (StoreErrorKind::Ambiguous, false)),
        }
        assert_eq!(fake.connections(), 3);
    }
}

#[tokio::test]
async fn lost_reply_of_touch_and_delete_does_no_harm() {
    let fake = forgetful(&["EVALSHA"], |_| Act::Reply(bulk(b"conflict"))).await;
    let touched = fake.store().touch(&sample::key(), sample::version(), MINUTE).await;
    assert_eq!(touched.expect("an answer"), Touched::Conflict);
    let fake = forgetful(&["DEL"], |_| say(":0")).await;
    assert_eq!(fake.store().delete(&sample::key()).await.expect("an answer"), Deleted::Deleted);
    let fake = Fake::start(|_| say(":0")).await;
    assert_eq!(fake.store().delete(&sample::key()).await.expect("an answer"), Deleted::Missing);
}

#[tokio::test]
async fn second_try_that_fails_leaves_a_write_in_doubt() {
    let fake = Fake::start(|_| Act::Reset(Vec::new())).await;
    for (verb, found) in every_verb(&fake).await {
        assert_eq!(found, Some(lost(verb)), "{verb}");
    }
    // The second connection is refused at the greeting: still, the first try may have gone through.
    let fake = Fake::start_rude(|heard| match (heard.connection, heard.name()) {
        (0, "HELLO") => say("%1\r\n+server\r\n+redis"),
        (0, "INFO") => say("-NOPERM no right"),
        (0, _) => Act::Reset(Vec::new()),
        _ => say("-ERR max number of clients reached"),
    })
    .await;
    let error = fake.store().delete(&sample::key()).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
    // A request that never went out is not in doubt.
    let error = fake.store().delete(&sample::key()).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn second_try_that_is_refused_leaves_a_write_in_doubt() {
    for line in ["-LOADING Redis is loading", "-OOM command not allowed", "-NOPERM no right", "-ERR what"] {
        let fake = |lost: &'static str| {
            Fake::start(move |heard| match heard.connection {
                0 if heard.name() == lost => Act::Reset(Vec::new()),
                _ => say(line),
            })
        };
        let error = fake("DEL").await.store().delete(&sample::key()).await.expect_err("no answer");
        assert_eq!(error.kind(), StoreErrorKind::Ambiguous, "{line}");
        let load = fake("PTTL").await.store().load(&sample::key(), Freshness::Latest).await;
        assert_ne!(load.expect_err("no answer").kind(), StoreErrorKind::Ambiguous, "{line}");
    }
}

#[tokio::test]
async fn doubt_outlives_the_request_that_raised_it() {
    let (key, record) = (sample::key(), sample::record());
    // The reply to SET is lost, the second says that the key is taken, and then the server goes.
    let fake = Fake::start(|heard| match (heard.connection, heard.name()) {
        (1, "SET") => say("_"),
        _ => Act::Reset(Vec::new()),
    })
    .await;
    let error = fake.store().create(&key, &record).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
    // The reply to the script is lost, the server forgot the script, and somebody else was there.
    let fake = Fake::start(|heard| match (heard.connection, heard.name()) {
        (0, _) => Act::Reset(Vec::new()),
        (_, "EVALSHA") => say("-NOSCRIPT No matching script. Please use EVAL."),
        _ => Act::Reply(bulk(b"conflict")),
    })
    .await;
    let error = fake.store().replace(&key, record.version, &record).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Ambiguous);
    // Looking who took a key leaves nothing behind.
    let fake = Fake::start(|heard| match (heard.connection, heard.name()) {
        (_, "SET") => say("_"),
        (0, _) => Act::Reset(Vec::new()),
        _ => Act::Reply(bulk(&[1; 8])),
    })
    .await;
    assert_eq!(fake.store().create(&key, &record).await.expect("an answer"), Created::Occupied);
}

#[tokio::test]
async fn demoted_server_is_asked_again_on_a_new_connection() {
    let fake = Fake::start(|heard| match heard.connection {
        0 => say("-READONLY You can't write against a read only replica."),
        _ => Act::Reply(bulk(b"done")),
    })
    .await;
    let replaced = fake.store().replace(&sample::key(), sample::version(), &sample::record()).await;
    assert_eq!(replaced.expect("the new primary"), Replaced::Replaced);
    assert_eq!(fake.connections(), 2);
}

#[tokio::test]
async fn script_that_stays_unknown_is_an_error() {
    let fake = Fake::start(|_| say("-NOSCRIPT No matching script. Please use EVAL.")).await;
    let error = fake.store().touch(&sample::key(), sample::version(), MINUTE).await.expect_err("no script");
    assert_eq!(error.kind(), StoreErrorKind::Other);
}
