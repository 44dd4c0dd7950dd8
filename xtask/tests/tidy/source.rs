//! One source file, seen as code or as comments.

/// The text of a file in two views of the same length: in each, the bytes of the other are blanks.
///
/// Neither has the contents of strings and characters, so that a planted defect in a test is no defect.
#[derive(Debug)]
pub(crate) struct Views {
    pub(crate) code: String,
    pub(crate) comments: String,
}

impl Views {
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut kinds = vec![Kind::Code; bytes.len()];
        let mut at = 0;
        while at < bytes.len() {
            let (kind, end) = token(bytes, at);
            kinds[at..end].fill(kind);
            at = end;
        }
        let view = |wanted: Kind| {
            let view = bytes.iter().zip(&kinds).map(|(byte, kind)| match *byte {
                b'\n' => b'\n',
                byte if *kind == wanted => byte,
                _ => b' ',
            });
            String::from_utf8(view.collect()).expect("tokens end between characters")
        };
        Self { code: view(Kind::Code), comments: view(Kind::Comment) }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The kind of the token that starts here, and where it ends.
fn token(bytes: &[u8], at: usize) -> (Kind, usize) {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return (Kind::Comment, at + position(rest, b"\n").unwrap_or(rest.len()));
    }
    if rest.starts_with(b"/*") {
        return (Kind::Comment, at + block_comment(rest));
    }
    if let Some(length) = raw_string(rest) {
        return (Kind::Literal, at + length);
    }
    match rest[0] {
        b'"' => (Kind::Literal, at + quoted(rest, b'"')),
        b'\'' if is_character(rest) => (Kind::Literal, at + quoted(rest, b'\'')),
        _ => (Kind::Code, at + 1),
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of `r"…"`, `br#"…"#` and the like.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let prefix = usize::from(matches!(rest[0], b'b' | b'c'));
    let after = rest.get(prefix..)?.strip_prefix(b"r")?;
    let hashes = after.iter().take_while(|byte| **byte == b'#').count();
    let body = after[hashes..].strip_prefix(b"\"")?;
    let end: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let length = position(body, &end)? + end.len();
    Some(rest.len() - body.len() + length)
}

/// A quote begins a character, not a lifetime.
fn is_character(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(byte) if byte.is_ascii() => rest.get(2) == Some(&b'\''),
        Some(_) => true,
        None => false,
    }
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Code without the items under `#[cfg(test)]`.
pub(crate) fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut bytes = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = code[from..].find(MARK) {
        let start = from + found;
        let end = item_end(code, start + MARK.len());
        bytes[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        from = end;
    }
    String::from_utf8(bytes).expect("items end between characters")
}

/// Where the item that starts here ends: at its semicolon, or at its closing brace.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_u32;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b';' if depth == 0 => return at + 1,
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The words of a text, each with the line it stands on, from 1.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(number, line)| {
        line.split(|character: char| !is_word_character(character))
            .filter(|word| !word.is_empty())
            .map(move |word| (number + 1, word))
    })
}

/// Where a phrase stands in a text as whole words, as byte offsets.
pub(crate) fn occurrences<'a>(text: &'a str, phrase: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(phrase).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + phrase.len()..].chars().next();
        let joined = |neighbour: Option<char>, end: Option<char>| {
            neighbour.is_some_and(is_word_character) && end.is_some_and(is_word_character)
        };
        !joined(before, phrase.chars().next()) && !joined(after, phrase.chars().next_back())
    })
}

/// The line of a byte offset, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

pub(crate) fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[test]
fn strings_characters_and_comments_are_no_code() {
    let text = r####"let a = "dbg! // \" no"; /* b /* c */ d */ e('\'', 'f', b'"', "é"); // g
let h: &'static str = r#"i "j" k"#; let l = br"m"; for_r"####;
    let code = Views::of(text).code;
    let found: Vec<&str> = words(&code).map(|(_, word)| word).collect();
    assert_eq!(found, ["let", "a", "e", "b", "let", "h", "static", "str", "let", "l", "for_r"]);
    assert_eq!(code.len(), text.len());
}

#[test]
fn comments_are_kept_apart() {
    let comments = Views::of("/// a\nb(\"// c\"); // d\n/* e\nf */ g").comments;
    let found: Vec<_> = words(&comments).collect();
    assert_eq!(found, [(1, "a"), (2, "d"), (3, "e"), (4, "f")]);
}

#[test]
fn test_items_are_cut_out() {
    let code = without_tests("a;\n#[cfg(test)]\nmod tests { fn b() { c } }\nd; #[cfg(test)] mod e; f");
    let found: Vec<_> = words(&code).map(|(_, word)| word).collect();
    assert_eq!(found, ["a", "d", "f"]);
}

#[test]
fn phrases_are_whole_words() {
    assert_eq!(occurrences("Store RestoreStore Store(", "Store").count(), 2);
    assert_eq!(occurrences("Instant::now() MyInstant::now()", "Instant::now").count(), 1);
    assert_eq!(occurrences("x.load(y)", ".load(").count(), 1);
}
