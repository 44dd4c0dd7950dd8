//! How evenly writers came to their turns.

/// How evenly writers came to their turns: the updates of the slowest and of the fastest, as parts of an equal share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    pub slowest: f64,
    pub fastest: f64,
}

impl Shares {
    /// Of the updates that each writer made.
    pub fn of(updates: &[u64]) -> Self {
        let equal = updates.iter().sum::<u64>() as f64 / updates.len() as f64;
        let part = |updates: Option<&u64>| match updates {
            Some(updates) if equal > 0.0 => *updates as f64 / equal,
            _ => 0.0,
        };
        Self { slowest: part(updates.iter().min()), fastest: part(updates.iter().max()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Shares;

    #[test]
    fn shares_are_parts_of_an_equal_one() {
        assert_eq!(Shares::of(&[5, 5, 5]), Shares { slowest: 1.0, fastest: 1.0 });
        assert_eq!(Shares::of(&[0, 10, 20]), Shares { slowest: 0.0, fastest: 2.0 });
        assert_eq!(Shares::of(&[7]), Shares { slowest: 1.0, fastest: 1.0 });
        assert_eq!(Shares::of(&[0, 0]), Shares { slowest: 0.0, fastest: 0.0 });
        assert_eq!(Shares::of(&[]), Shares { slowest: 0.0, fastest: 0.0 });
    }
}
