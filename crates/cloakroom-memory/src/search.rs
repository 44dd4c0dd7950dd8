//! The search for room in a store that is full.

use crate::shards::Shards;

/// How many reminders one verb follows, at most, to find what has expired. Some hundred microseconds.
pub(crate) const MOST: usize = 1024;

/// What a step of sweeping came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// What was looked at, whether it had expired or not.
    pub(crate) looked: usize,
    /// What is gone.
    pub(crate) buried: usize,
}

/// How far one verb has come, through all parts.
///
/// What lives longer than it once was to live leaves reminders that bury nothing. So the bound is on what is
/// looked at: a verb that finds a backlog of those gives up, and the next one goes on behind it.
#[derive(Debug)]
pub(crate) struct Search {
    left: usize,
    part: usize,
}

impl Search {
    pub(crate) const fn new() -> Self {
        Self { left: MOST, part: 0 }
    }

    /// Sweeps until something is gone, and says whether the verb that found no room may try again.
    ///
    /// `own` is the step that the verb took in its own part: what went there makes room as well.
    pub(crate) fn finds_room<T>(
        &mut self,
        own: Swept,
        parts: &Shards<T>,
        step: impl Fn(&mut T) -> Swept,
    ) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left = self.left.saturating_sub(own.looked);
        let mut buried = own.buried;
        while buried == 0 && self.left > 0 {
            let Some(mut part) = parts.numbered(self.part) else { return false };
            let swept = step(&mut part);
            self.left = self.left.saturating_sub(swept.looked);
            self.part += usize::from(swept.looked == 0);
            buried = swept.buried;
        }
        buried > 0
    }
}
