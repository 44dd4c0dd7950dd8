//! Which of the primaries that sentinels name is believed in.

use std::time::Duration;

use tokio::time::Instant;

use super::Round;
use crate::error::Failure;
use crate::place::Place;

/// How long most sentinels must name an older epoch until that counts: they tell each other what is new every two
/// seconds, so that those who merely had not heard have by then.
const RELENT: Duration = Duration::from_secs(5);

/// The primary that is believed in.
#[derive(Debug, Default)]
pub(super) struct Belief {
    known: Option<(u64, Place)>,
    /// Since when most sentinels know only an older epoch.
    doubted: Option<Instant>,
}

impl Belief {
    /// Who the primary is, after so many sentinels were asked.
    ///
    /// An older epoch is that of sentinels who are behind the times. They may also have been set up anew, or have
    /// lost the one who knew more: so it counts when all of them name it, or most of them for long enough.
    pub(super) fn hear(&mut self, round: &Round, asked: usize) -> Result<Place, Failure> {
        let (epoch, newest) = round.newest(asked)?;
        let told = match &self.known {
            Some((known, place))
                if epoch < *known && !relents(&mut self.doubted, round.named().count(), asked) =>
            {
                return Ok(place.clone());
            }
            // An epoch has one primary. Who names another one has not learned its own epoch yet.
            Some((known, place)) if epoch == *known && round.named().any(|said| said == (epoch, place)) => {
                place.clone()
            }
            _ => newest.clone(),
        };
        self.doubted = None;
        self.known = Some((epoch, told.clone()));
        Ok(told)
    }
}

/// Whether so many sentinels of those asked, who name an older epoch, count by now.
fn relents(doubted: &mut Option<Instant>, count: usize, asked: usize) -> bool {
    if count <= asked / 2 {
        return false;
    }
    let since = *doubted.get_or_insert_with(Instant::now);
    // One alone may be another at each look, where several share a name.
    (count == asked && asked > 1) || since.elapsed() >= RELENT
}

#[cfg(test)]
mod tests;
