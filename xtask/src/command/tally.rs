//! Counts what test programs say.

/// An ignored test and the reason that stands beside it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ignored {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// What one or more test programs said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// The names of failed tests, as far as they could be read.
    pub(crate) failures: Vec<String>,
    pub(crate) ignored: Vec<Ignored>,
    /// How many `test result:` lines there were.
    pub(crate) results: u64,
    /// What the failed tests printed, as it was printed.
    pub(crate) account: Vec<String>,
    /// Whether the lines that come now are of that kind.
    accounts: bool,
}

/// How many lines of account are kept of one test program.
const ACCOUNT: usize = 400;

impl Tally {
    /// Reads one line of a test program's output.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.accounts = false;
            self.results += 1;
            self.passed += count(result, "passed");
            self.failed += count(result, "failed");
        } else if let Some((name, outcome)) =
            line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        {
            let name = name.trim_end().to_owned();
            if outcome == "FAILED" {
                self.failures.push(name);
            } else if let Some(reason) = outcome.strip_prefix("ignored") {
                self.ignored.push(Ignored { name, reason: reason.trim_start_matches(", ").to_owned() });
            }
        } else if line == "failures:" {
            self.accounts = true;
        } else if self.accounts && !line.is_empty() && self.account.len() < ACCOUNT {
            self.account.push(line.to_owned());
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.ignored.extend(other.ignored);
        self.results += other.results;
        self.account.extend(other.account);
    }
}

/// The number before a word in `ok. 3 passed; 0 failed; …`.
fn count(result: &str, word: &str) -> u64 {
    let mut before = None;
    for part in result.split([' ', ';', '.']).filter(|part| !part.is_empty()) {
        if part == word {
            return before.and_then(|number: &str| number.parse().ok()).unwrap_or(0);
        }
        before = Some(part);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::{Ignored, Tally};

    fn tally(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn results_are_summed() {
        let tally = tally(
            "running 3 tests\n\
             test a ... ok\n\
             test b ... FAILED\n\
             test c ... ignored, needs redis: run `cargo xtask test`\n\
             test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
             test result: ok. 20 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.25s\n",
        );
        assert_eq!((tally.passed, tally.failed, tally.results), (21, 1, 2));
        assert_eq!(tally.failures, ["b"]);
        let reason = "needs redis: run `cargo xtask test`".to_owned();
        assert_eq!(tally.ignored, [Ignored { name: "c".to_owned(), reason }]);
    }

    #[test]
    fn what_failed_tests_printed_is_kept_and_nothing_of_those_that_passed() {
        let tally = tally(
            "test a ... FAILED\n\
             \n\
             successes:\n\
             ---- c stdout ----\n\
             all is well\n\
             \n\
             failures:\n\
             \n\
             ---- a stdout ----\n\
             panicked at a.rs\n\
             \n\
             failures:\n    a\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
             running 1 test\n",
        );
        assert_eq!(tally.account, ["---- a stdout ----", "panicked at a.rs", "    a"]);
    }

    #[test]
    fn documentation_examples_and_panicking_tests_are_read_too() {
        let tally = tally(
            "test crates/a/src/lib.rs - A::b (line 12) ... FAILED\n\
             test c - should panic ... ok\n\
             test d ... ignored\n\
             test result: nonsense\n",
        );
        assert_eq!(tally.failures, ["crates/a/src/lib.rs - A::b (line 12)"]);
        assert_eq!(tally.ignored, [Ignored { name: "d".to_owned(), reason: String::new() }]);
        assert_eq!((tally.passed, tally.failed, tally.results), (0, 0, 1));
    }
}
