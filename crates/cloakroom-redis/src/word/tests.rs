use redis::Value;

use super::{Word, write};

/// Written as the client library writes it, which reads it back as a list of strings.
#[test]
fn commands_are_written_as_the_library_writes_them() {
    let long = vec![b'x'; 70_000];
    let commands: [&[Word<'_>]; 3] = [
        &["PING".into()],
        &["SET".into(), Word::Joined(b"\0\r\n", &long), "PX".into(), u64::MAX.into(), 0.into()],
        &["".into(), Word::Joined(b"", b""), (&long[..]).into(), b"\xff".into()],
    ];
    let mut all = Vec::new();
    for words in commands {
        let mut written = Vec::new();
        write(words.iter().copied(), &mut written);
        write(words.iter().copied(), &mut all);
        let texts = words.iter().map(|word| match *word {
            Word::Bytes(bytes) => bytes.to_vec(),
            Word::Joined(head, tail) => [head, tail].concat(),
            Word::Number(number) => number.to_string().into_bytes(),
        });
        let mut library = redis::Cmd::new();
        texts.clone().for_each(|text| _ = library.arg(text));
        assert_eq!(written, library.get_packed_command());
        assert!(all.ends_with(&written));
        let read = redis::parse_redis_value(&written).expect("a list");
        assert_eq!(read, Value::Array(texts.map(Value::BulkString).collect()));
    }
}
