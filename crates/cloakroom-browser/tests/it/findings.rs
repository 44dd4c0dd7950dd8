//! What a check finds wrong.

/// What is wrong, as sentences.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    /// Notes `what` unless it is so.
    pub(crate) fn demand(&mut self, so: bool, what: impl FnOnce() -> String) {
        if !so {
            self.0.push(what());
        }
    }

    /// Demands that nothing is wrong, and says what was looked at.
    #[track_caller]
    pub(crate) fn none(self, covered: &str) {
        assert!(self.0.is_empty(), "{covered}:\n{}", self.0.join("\n"));
        println!("covered: {covered}");
    }

    /// Demands that something of this kind is wrong.
    #[track_caller]
    pub(crate) fn some(self, kind: &str, planted: &str) {
        assert!(
            self.0.iter().any(|finding| finding.contains(kind)),
            "not found: {planted}; but: {:?}",
            self.0
        );
        println!("found: {planted}: {}", self.0.join("; "));
    }
}
