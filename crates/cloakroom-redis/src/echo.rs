//! A number behind each request, by which its replies are known to be its own.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is said and heard of a number, in sixteen digits.
const DIGITS: usize = 16;
const QUESTION: &[u8] = b"*2\r\n$4\r\nECHO\r\n$16\r\n";
const ANSWER: &[u8] = b"$16\r\n";
const END: &[u8] = b"\r\n";

/// `ECHO` of a number that no other request of this process has: it has to come back.
///
/// Replies have no names of their own. Where one comes twice, whatever is behind it goes to others than those who asked
/// for it, and may well look like what they have asked for.
pub(crate) struct Echo([u8; DIGITS]);

/// How what has come begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// With the number, in so many bytes.
    Number(usize),
    /// Perhaps with it: there is more to come.
    Part,
    Other,
}

impl Echo {
    /// How many bytes ask for it.
    pub(crate) const ASKED: usize = QUESTION.len() + DIGITS + END.len();

    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut digits = [b'0'; DIGITS];
        for (at, digit) in digits.iter_mut().rev().enumerate() {
            let nibble = (number >> (4 * at)) & 0xf;
            *digit = b"0123456789abcdef".get(nibble as usize).copied().unwrap_or_default();
        }
        Self(digits)
    }

    pub(crate) fn ask(&self, outbox: &mut Vec<u8>) {
        for part in [QUESTION, &self.0, END] {
            outbox.extend_from_slice(part);
        }
    }

    pub(crate) fn heard(&self, unread: &[u8]) -> Heard {
        let mut rest = unread;
        for part in [ANSWER, &self.0, END] {
            let (here, more) = rest.split_at(part.len().min(rest.len()));
            if !part.starts_with(here) {
                return Heard::Other;
            }
            if here.len() < part.len() {
                return Heard::Part;
            }
            rest = more;
        }
        Heard::Number(unread.len() - rest.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{Echo, Heard};

    #[test]
    fn number_is_known_whole_and_by_no_other() {
        let (echo, other) = (Echo::next(), Echo::next());
        let (mut asked, mut others) = (Vec::new(), Vec::new());
        echo.ask(&mut asked);
        other.ask(&mut others);
        assert_eq!(asked.len(), Echo::ASKED);
        let (answer, others) = (&asked[14..], &others[14..]);
        assert_eq!(echo.heard(answer), Heard::Number(answer.len()));
        assert_eq!(echo.heard(&[answer, b"$3"].concat()), Heard::Number(answer.len()));
        for len in 0..answer.len() {
            assert_eq!(echo.heard(&answer[..len]), Heard::Part, "{len} bytes");
        }
        assert_eq!(echo.heard(others), Heard::Other);
        assert_eq!(echo.heard(b"+PONG\r\n"), Heard::Other);
    }
}
