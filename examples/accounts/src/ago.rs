//! How long ago something was, in words.

use std::fmt;
use std::time::SystemTime;

/// A point in time, told from now: the server does not know the time zone of whoever reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ago {
    at: SystemTime,
    seconds: u64,
}

impl Ago {
    /// This point in time; one in the future is now, since the clocks of servers differ.
    pub(crate) fn of(at: SystemTime) -> Self {
        Self { at, seconds: SystemTime::now().duration_since(at).unwrap_or_default().as_secs() }
    }

    /// In full, for those who point at the words.
    pub(crate) fn in_full(self) -> String {
        httpdate::fmt_http_date(self.at)
    }
}

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self.seconds {
            ..MINUTE => return f.write_str("just now"),
            seconds @ MINUTE..HOUR => (seconds / MINUTE, "minute"),
            seconds @ HOUR..DAY => (seconds / HOUR, "hour"),
            seconds => (seconds / DAY, "day"),
        };
        write!(f, "{number} {unit}{} ago", if number == 1 { "" } else { "s" })
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

#[test]
fn time_is_told_in_the_largest_whole_unit() {
    for (seconds, words) in [
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (3600, "1 hour ago"),
        (86_399, "23 hours ago"),
        (86_400, "1 day ago"),
        (30 * 86_400, "30 days ago"),
    ] {
        let ago = Ago { at: SystemTime::UNIX_EPOCH, seconds };
        assert_eq!(ago.to_string(), words, "{seconds}");
    }
    let later = SystemTime::now() + std::time::Duration::from_secs(30);
    assert_eq!(Ago::of(later).to_string(), "just now");
}
