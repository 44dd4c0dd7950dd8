//! How far it is, for those who wait.

use std::time::{Duration, Instant};

use super::section::Section;
use crate::command::step;

/// How often something is said while a section runs.
const PAUSE: Duration = Duration::from_secs(15);

/// Sections that are done, that run and that are to come.
#[derive(Debug)]
pub(super) struct Progress {
    quick: bool,
    sections: Vec<Section>,
    /// How many of them have begun.
    begun: usize,
    /// How many figures the one that runs has.
    figures: usize,
    start: Instant,
    section: Instant,
    said: Instant,
}

impl Progress {
    pub(super) fn new(quick: bool, sections: &[Section]) -> Self {
        let now = Instant::now();
        let sections = sections.to_vec();
        Self { quick, sections, begun: 0, figures: 0, start: now, section: now, said: now }
    }

    pub(super) fn begin(&mut self, section: Section) {
        (self.begun, self.figures) = (self.begun + 1, 0);
        (self.section, self.said) = (Instant::now(), Instant::now());
        let (count, left) = (self.sections.len(), self.left());
        step::say(&format!("== {} ({} of {count}); about {} left", section.name(), self.begun, shown(left)));
    }

    pub(super) fn figure(&mut self) {
        self.figures += 1;
        if self.said.elapsed() >= PAUSE {
            self.said = Instant::now();
            let (spent, left) = (self.section.elapsed(), self.left());
            let figures = self.figures;
            step::say(&format!("  {figures} figures after {}; about {} left", shown(spent), shown(left)));
        }
    }

    pub(super) fn end(&self) {
        let (spent, all) = (self.section.elapsed(), self.start.elapsed());
        step::say(&format!("  {} figures in {}; {} in all", self.figures, shown(spent), shown(all)));
    }

    fn left(&self) -> Duration {
        left(self.quick, &self.sections, self.begun, self.start.elapsed(), self.section.elapsed())
    }
}

/// What is left by the guesses, as far off as they were for what is done.
fn left(quick: bool, sections: &[Section], begun: usize, spent: Duration, in_this: Duration) -> Duration {
    let guess = |sections: &[Section]| sections.iter().map(|section| section.guess(quick)).sum::<Duration>();
    let (done, rest) = sections.split_at_checked(begun.saturating_sub(1)).unwrap_or((sections, &[]));
    let guessed = guess(done).as_secs_f64();
    let off = if guessed > 0.0 { (spent - in_this.min(spent)).as_secs_f64() / guessed } else { 1.0 };
    guess(rest).mul_f64(off).saturating_sub(in_this)
}

/// `3 min`, `40 s`.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 100 { format!("{seconds} s") } else { format!("{} min", (seconds + 30) / 60) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Section, left, shown};

    #[test]
    fn the_guess_learns_from_what_is_done() {
        let sections = [Section::Conflicts, Section::Curves];
        let [first, second] = sections.map(|section| section.guess(false));
        let none = Duration::ZERO;
        assert_eq!(left(false, &sections, 1, none, none), first + second);
        // Twice as slow as guessed.
        assert_eq!(left(false, &sections, 2, first * 2, none), second * 2);
        assert_eq!(left(false, &sections, 2, first * 2 + second, second), second);
        assert_eq!(left(false, &sections, 2, first + second * 9, second * 9), none);
    }

    #[test]
    fn times_are_short() {
        assert_eq!(shown(Duration::from_secs(40)), "40 s");
        assert_eq!(shown(Duration::from_secs(150)), "3 min");
    }
}
