//! Durations as they are typed: `250ms`, `30s`, `30m`, `12h`.

use std::time::Duration;

/// Reads a duration.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let wrong = || format!("`{text}` is no duration; write it like 250ms, 30s, 30m or 12h");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::{Duration, parse};

    #[test]
    fn durations_are_read() {
        for (text, millis) in
            [("250ms", 250), ("0s", 0), ("30s", 30_000), ("30m", 1_800_000), ("12h", 43_200_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "30", "s", "-1s", "+1s", "1.5s", "1 s", "1S", "1d", "30m5s", "99999999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
